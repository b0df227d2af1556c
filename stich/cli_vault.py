"""`stich vault rotate`: new keys, while everything runs."""

import argparse
import asyncio
import os
from collections.abc import Mapping

import asyncpg

from stich.database import open_database
from stich.environment import checked_settings
from stich.errors import StichError
from stich.home import Home
from stich.keys import master_keys, payload_keys
from stich.processes.postgres import Postgres
from stich.settings import Settings
from storage.keyring import replace_file
from storage.vault import Vault, VaultLocked


def run(arguments: argparse.Namespace) -> int:
    settings = checked_settings(os.environ)
    if arguments.payloads:
        print(rotate_payloads(settings))
    else:
        print(asyncio.run(rotate_vault(settings, os.environ)))
    return 0


def rotate_payloads(settings: Settings) -> str:
    """Put a new key in front of the home's; the old ones stay for what they encrypted. Raises StichError."""
    keys = payload_keys(settings)
    if keys is None:
        raise StichError("Temporal's payloads are not encrypted here; `stich up` makes a key in its home.")
    if keys.path is None:
        raise StichError("STICH_PAYLOAD_KEY gives the keys: put a new one in front of it, everywhere, and restart.")
    replace_file(keys.path, keys.ring().renewed().text())
    return "What Temporal keeps from now on is encrypted with a new key; what it has stays readable."


async def rotate_vault(settings: Settings, env: Mapping[str, str]) -> str:
    """Wrap every user's key anew. Raises StichError."""
    async with open_database(_database_url(settings, env), 2, "stich-vault") as database:
        try:
            count = await Vault(database, master_keys(settings)).rotate()
        except VaultLocked as error:
            raise StichError(f"The vault was not rotated to its end: {error}. Running it again goes on.") from None
        except asyncpg.UndefinedTableError:
            raise StichError("The database has no vault yet; run `stich migrate`.") from None
    said = f"The keys of {count} users are wrapped with a new master key."
    if settings.vault_key is not None:
        said += " All but the first key may leave STICH_VAULT_KEY now."
    return said


def _database_url(settings: Settings, env: Mapping[str, str]) -> str:
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    home = Home(settings.home)
    if home.running() is None:
        raise StichError("DATABASE_URL is not set, and no `stich up` runs on this home whose database could be used.")
    return Postgres(home, dict(env)).dsn
