"""Keys that sign access tokens, sealed by the caller. The newest one signs; older ones are known until forgotten."""

from datetime import datetime, timedelta
from typing import NamedTuple

from storage.database import Database


class SealedKey(NamedTuple):
    """A key as stored."""

    id: str
    sealed: bytes
    created_at: datetime


class SigningKeys:
    """Repository of signing keys."""

    def __init__(self, database: Database) -> None:
        self._pool = database.pool

    async def add(self, key_id: str, sealed: bytes) -> None:
        await self._pool.execute("INSERT INTO signing_keys (id, sealed) VALUES ($1, $2)", key_id, sealed)

    async def forget_older(self, key_id: str, than: timedelta) -> None:
        """Delete the keys that were followed by `key_id`, or one before it, longer ago than this."""
        await self._pool.execute(
            """DELETE FROM signing_keys k WHERE k.id <> $1 AND EXISTS (
                 SELECT 1 FROM signing_keys n
                 WHERE n.id <> k.id AND n.created_at >= k.created_at AND n.created_at <= now() - $2::interval)""",
            key_id,
            than,
        )

    async def list(self) -> list[SealedKey]:
        """Newest first."""
        rows = await self._pool.fetch("SELECT id, sealed, created_at FROM signing_keys ORDER BY created_at DESC, id")
        return [SealedKey(*row) for row in rows]
