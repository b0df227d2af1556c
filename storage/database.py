"""The Postgres pool every repository shares, and the forward-only migrations that shape the database."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple, Self, TypeAlias, TypeVar

import asyncpg
import structlog

log = structlog.get_logger(__name__)

T = TypeVar("T")

MIGRATIONS = Path(__file__).with_name("migrations")

# Any fixed number: it names the advisory lock under which processes that start together take turns to migrate.
MIGRATION_LOCK = 7_318_240_115
MIGRATION_SECONDS = 3600.0  # for one file, or for the turn of the process before

Connection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"

_TRANSIENT = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.InsufficientResourcesError,  # disk full, too many connections: heals when space or slots return
    asyncpg.ReadOnlySQLTransactionError,  # the wrong side of a failover
    asyncpg.QueryCanceledError,
    asyncpg.InterfaceError,  # the connection was lost under a statement
    asyncpg.InternalClientError,  # the same, in the moment in which a statement is sent
    OSError,
    TimeoutError,
)


def is_transient(error: BaseException) -> bool:
    """Whether the same statement may succeed later: the server is away, restarting, out of space, or chose a victim."""
    return isinstance(error, _TRANSIENT)


async def until_available(work: Callable[[], Awaitable[T]], what: str) -> T:
    """Run `work` until Postgres answers, however long it is away. Raises whatever waiting cannot heal.

    An attempt whose reply was lost may have committed: `work` has to recognise what it did before.
    """
    delay = 0.02
    while True:
        try:
            return await work()
        except Exception as error:
            if not is_transient(error):
                raise
            log.warning("postgres is not available", doing=what, error=f"{type(error).__name__}: {error}")
        await asyncio.sleep(delay)
        delay = min(delay * 2, 0.5)


class MigrationError(Exception):
    """The migration files and the database disagree; a person has to look."""


class Migration(NamedTuple):
    number: int
    name: str
    sql: str
    sha256: str


class Database:
    """A pool of connections. `pool` is used directly by the repositories of this room."""

    def __init__(self, dsn: str, pool: asyncpg.Pool) -> None:
        self.dsn = dsn
        self.pool = pool

    @classmethod
    async def connect(
        cls, dsn: str, min_size: int = 1, max_size: int = 10, *, name: str = "stich", timeout: float = 30
    ) -> Self:
        """Open the pool. `timeout` bounds every statement, in seconds; `name` is what pg_stat_activity shows.

        Raises what `is_transient` recognises when the server cannot be reached.
        """
        pool = await asyncpg.create_pool(
            dsn,
            min_size=min_size,
            max_size=max_size,
            command_timeout=timeout,
            timeout=10,
            reset=_as_it_is,
            server_settings={
                "application_name": name,
                "jit": "off",
                # A frozen or vanished client must not keep others waiting behind its locks.
                "idle_in_transaction_session_timeout": "30s",
                "tcp_user_timeout": "30s",
            },
        )
        return cls(dsn, pool)

    async def aclose(self) -> None:
        await self.pool.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection inside a transaction that commits when the block ends well."""
        async with self.pool.acquire() as connection, connection.transaction():
            yield connection

    async def migrate(self, folder: Path = MIGRATIONS) -> list[str]:
        """Apply the files of `folder` that were not applied yet, in order of number, and return their names.

        Safe to call from several processes at once. Each file runs in a transaction of its own. A database that knows
        files this version does not know is accepted: a newer version runs beside this one.

        Raises MigrationError when an applied file was changed afterwards, or when names are malformed.
        """
        migrations = read_migrations(folder)
        applied_now = []
        async with self.pool.acquire() as connection:
            await connection.execute("SELECT pg_advisory_lock($1)", MIGRATION_LOCK, timeout=MIGRATION_SECONDS)
            try:
                applied = await self._applied(connection)
                for migration in migrations:
                    if (sha256 := applied.get(migration.number)) is None:
                        await self._apply(connection, migration)
                        applied_now.append(migration.name)
                    elif sha256 != migration.sha256:
                        raise MigrationError(
                            f"{migration.name} was changed after it was applied; add a new file instead"
                        )
            finally:
                connection.terminate()  # and with it the lock, which would otherwise outlast its use
        return applied_now

    async def pending_migrations(self) -> list[str]:
        """Names of the migrations that this version brings and the database lacks."""
        applied = set()
        if await self.pool.fetchval("SELECT to_regclass('schema_migrations') IS NOT NULL"):
            applied = {row["number"] for row in await self.pool.fetch("SELECT number FROM schema_migrations")}
        return [migration.name for migration in read_migrations(MIGRATIONS) if migration.number not in applied]

    async def _applied(self, connection: Connection) -> dict[int, str]:
        await connection.execute(
            """CREATE TABLE IF NOT EXISTS schema_migrations (
                 number int PRIMARY KEY, name text NOT NULL, sha256 text NOT NULL,
                 applied_at timestamptz NOT NULL DEFAULT now())"""
        )
        rows = await connection.fetch("SELECT number, sha256 FROM schema_migrations")
        return {row["number"]: row["sha256"] for row in rows}

    async def _apply(self, connection: Connection, migration: Migration) -> None:
        async with connection.transaction():
            await connection.execute(migration.sql, timeout=MIGRATION_SECONDS)
            await connection.execute(
                "INSERT INTO schema_migrations (number, name, sha256) VALUES ($1, $2, $3)",
                migration.number,
                migration.name,
                migration.sha256,
            )


async def _as_it_is(_: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Gives a connection back without asking the server to reset it, a round trip after each use: nothing here sets
    what outlasts its transaction, and an open one is rolled back by the pool itself."""


def read_migrations(folder: Path) -> list[Migration]:
    """The files `NNNN_name.sql` of a folder in order of number. Raises MigrationError on a bad or repeated number."""
    migrations: dict[int, Migration] = {}
    for path in sorted(folder.glob("*.sql")):
        digits, separator, _ = path.stem.partition("_")
        if not (digits.isdecimal() and len(digits) == 4 and separator):
            raise MigrationError(f"{path.name} is not named NNNN_what_it_does.sql")
        number = int(digits)
        if number in migrations:
            raise MigrationError(f"{path.name} and {migrations[number].name} have the same number")
        content = path.read_bytes()
        migrations[number] = Migration(number, path.name, content.decode(), hashlib.sha256(content).hexdigest())
    return [migrations[number] for number in sorted(migrations)]
