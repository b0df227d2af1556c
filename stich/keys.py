"""The keys of this installation, from settings or private files in the home: the vault's, and Temporal's payloads'."""

import hashlib
import hmac
from typing import Final

from stich.errors import StichError
from stich.home import Home
from stich.settings import Settings
from storage.keyring import KeySource, UnusableKey

VAULT_FILE: Final = "vault.keys"
PAYLOAD_FILE: Final = "payload.keys"
OFF: Final = "off"


def master_keys(settings: Settings) -> KeySource:
    """What opens the users' vaults. Several hosts need the same keys set. Raises StichError."""
    if settings.vault_key is not None:
        return _given("STICH_VAULT_KEY", settings.vault_key.get_secret_value())
    return _in_home(settings, VAULT_FILE)


def payload_keys(settings: Settings, *, make: bool = False) -> KeySource | None:
    """What encrypts Temporal's payloads; None where nothing does. Raises StichError.

    Without a setting the home's keys are used where it has some; `stich up` makes them. A role alone makes none:
    another host's would differ, and neither could read the other's sessions.
    """
    if settings.payload_key is not None:
        value = settings.payload_key.get_secret_value()
        return None if value.lower() == OFF else _given("STICH_PAYLOAD_KEY", value)
    if make or (settings.home / PAYLOAD_FILE).exists():
        return _in_home(settings, PAYLOAD_FILE)
    return None


def check_given(settings: Settings) -> None:
    """Raises StichError where a key that is set cannot be used."""
    if settings.vault_key is not None:
        master_keys(settings)
    if settings.payload_key is not None:
        payload_keys(settings)


def codec_ticket(token: str) -> str:
    """What makes the codec server's address known to those only who were told it: made from the sign-in token."""
    return hmac.new(token.encode(), b"stich codec ticket", hashlib.sha256).hexdigest()


def fence_of(token: str) -> str:
    """The code of the tags around material in prompts, the same in every worker: providers cache prompts by it."""
    return hmac.new(token.encode(), b"stich fence", hashlib.sha256).hexdigest()[:8]


def _given(name: str, value: str) -> KeySource:
    try:
        return KeySource.given(value)
    except UnusableKey as error:
        raise StichError(f"{name} cannot be used: {error}.") from None


def _in_home(settings: Settings, name: str) -> KeySource:
    home = Home(settings.home)
    home.prepare()
    path = home.root / name
    try:
        return KeySource.file(path)
    except (UnusableKey, UnicodeError) as error:
        raise StichError(
            f"{path} cannot be used: {error}. Restore it from a copy: without it, keys are lost."
        ) from None
    except OSError as error:
        raise StichError(f"{path} cannot be read or written ({error.strerror}).") from None
