"""Which running stich a command talks to."""

import re
from typing import Final, NamedTuple

from pydantic import SecretStr

from stich.client import StichClient
from stich.errors import StichError
from stich.home import Home, RunningUp
from stich.settings import Settings


class Address(NamedTuple):
    """Where a service is, and what opens it: its token or an API key."""

    url: str
    token: SecretStr

    def client(self, patience: float = 60.0) -> StichClient:
        return StichClient(self.url, self.token.get_secret_value(), patience=patience)


API_KEY: Final = re.compile(r"stk_[0-9a-f]{48}")


def credential(running: RunningUp, settings: Settings) -> str:
    """What opens the `stich up` of this home for a command: its token, or where people have accounts, the API key of
    one of them. Raises StichError."""
    if running.auth == "local":
        return running.token
    given = settings.token.get_secret_value() if settings.token else ""
    if not API_KEY.fullmatch(given):
        raise StichError(
            "People have accounts here: STICH_TOKEN has to hold an API key of one of them. The page makes one under"
            " Account; `stich users key E-MAIL` makes one at this terminal."
        )
    return given


def find(settings: Settings) -> Address:
    """The service that STICH_URL and STICH_TOKEN name, else the `stich up` of this home. Raises StichError."""
    if settings.url is not None:
        if settings.token is None:
            raise StichError("STICH_URL names a service; STICH_TOKEN has to hold its token or an API key.")
        return Address(settings.url, settings.token)
    running = Home(settings.home).running()
    if running is None:
        raise StichError("stich is not running on this home; start it with `stich up`, or name one with STICH_URL.")
    return Address(running.local_url, SecretStr(credential(running, settings)))
