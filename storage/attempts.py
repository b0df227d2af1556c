"""How often somebody may try: by account and by address, with a pause that doubles.

An attempt counts before its outcome is known and in one statement, so that a hundred at once are no way around.
"""

from datetime import timedelta
from typing import Final, NamedTuple

from storage.database import Database

FIRST_PAUSE: Final = timedelta(seconds=1)
LONGEST_PAUSE: Final = timedelta(minutes=15)
FORGET: Final = timedelta(hours=1)
"""After so long without an attempt the count begins anew."""


class Locked(NamedTuple):
    """No attempt now; seconds until the next one."""

    seconds: float


class Attempts:
    """Repository of attempts. A bucket is any text of at most 200 characters."""

    def __init__(self, database: Database) -> None:
        self._pool = database.pool

    async def begin(self, bucket: str, free: int) -> Locked | None:
        """Count an attempt. The first `free` of a bucket are let through at once, each later one after its pause."""
        counted = await self._pool.fetchval(
            """INSERT INTO sign_in_attempts AS a (bucket, attempts, last_at) VALUES ($1, 1, now())
               ON CONFLICT (bucket) DO UPDATE SET
                 attempts = CASE WHEN a.last_at < now() - $5::interval THEN 1 ELSE a.attempts + 1 END,
                 last_at = now(),
                 locked_until = CASE WHEN a.last_at >= now() - $5::interval AND a.attempts + 1 >= $2
                   THEN now() + least($4::interval, $3::interval * 2.0 ^ least(a.attempts + 1 - $2, 30)) END
               WHERE a.locked_until IS NULL OR a.locked_until <= now()
               RETURNING attempts""",
            bucket,
            free,
            FIRST_PAUSE,
            LONGEST_PAUSE,
            FORGET,
        )
        if counted is not None:
            return None
        seconds = await self._pool.fetchval(
            "SELECT extract(epoch FROM locked_until - now())::float8 FROM sign_in_attempts WHERE bucket = $1", bucket
        )
        return Locked(max(1.0, seconds or 1.0))

    async def succeeded(self, bucket: str) -> None:
        """Forget the bucket's attempts: the account's own person was here."""
        await self._pool.execute("DELETE FROM sign_in_attempts WHERE bucket = $1", bucket)

    async def take_back(self, bucket: str, free: int) -> None:
        """Uncount one attempt, which succeeded. The others of the bucket stay: an address may have many people."""
        await self._pool.execute(
            """UPDATE sign_in_attempts SET attempts = greatest(attempts - 1, 0),
                 locked_until = CASE WHEN attempts - 1 >= $2 THEN locked_until END
               WHERE bucket = $1""",
            bucket,
            free,
        )
