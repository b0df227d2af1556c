"""Postgres as the processes open it, with errors for people."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from stich.errors import StichError
from stich.settings import Settings
from storage.database import Database, MigrationError


@asynccontextmanager
async def open_database(url: str, size: int, name: str) -> AsyncIterator[Database]:
    """A pool of up to `size` connections, closed at the end. Raises StichError where it cannot be opened."""
    try:
        database = await Database.connect(url, max_size=size, name=name)
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        reason = str(error) or type(error).__name__
        raise StichError(f"Postgres cannot be used ({reason}); is DATABASE_URL right?") from None
    try:
        yield database
    finally:
        await database.aclose()


def required_url(settings: Settings) -> str:
    """The address of the database. Raises StichError where none was named."""
    if settings.database_url is None:
        raise StichError(
            "DATABASE_URL is not set; name a PostgreSQL database, or use `stich up`, which brings its own."
        )
    return settings.database_url.get_secret_value()


async def migrate(url: str) -> list[str]:
    """Bring the tables up to date; returns what was applied. Raises StichError when the database does not fit."""
    async with open_database(url, 1, "stich-migrate") as database:
        try:
            return await database.migrate()
        except MigrationError as error:
            raise StichError(f"The database does not fit this version of stich: {error}.") from None
