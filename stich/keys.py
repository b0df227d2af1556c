"""The keys of this installation: the vault's master keys, from the setting or a private file in the home."""

from typing import Final

from stich.errors import StichError
from stich.home import Home
from stich.settings import Settings
from storage.keyring import KeySource, UnusableKey

VAULT_FILE: Final = "vault.keys"


def master_keys(settings: Settings) -> KeySource:
    """What opens the users' vaults. Several hosts need the same keys set. Raises StichError."""
    if settings.vault_key is not None:
        try:
            return KeySource.given(settings.vault_key.get_secret_value())
        except UnusableKey as error:
            raise StichError(f"STICH_VAULT_KEY cannot be used: {error}.") from None
    return _in_home(settings, VAULT_FILE)


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
