"""Which running stich a command talks to."""

from typing import NamedTuple

from pydantic import SecretStr

from stich.client import StichClient
from stich.errors import StichError
from stich.home import Home
from stich.settings import Settings


class Address(NamedTuple):
    """Where a service is, and what opens it: its token or an API key."""

    url: str
    token: SecretStr

    def client(self, patience: float = 60.0) -> StichClient:
        return StichClient(self.url, self.token.get_secret_value(), patience=patience)


def find(settings: Settings) -> Address:
    """The service that STICH_URL and STICH_TOKEN name, else the `stich up` of this home. Raises StichError."""
    if settings.url is not None:
        if settings.token is None:
            raise StichError("STICH_URL names a service; STICH_TOKEN has to hold its token or an API key.")
        return Address(settings.url, settings.token)
    running = Home(settings.home).running()
    if running is None:
        raise StichError("stich is not running on this home; start it with `stich up`, or name one with STICH_URL.")
    return Address(running.local_url, SecretStr(running.token))
