"""Keys of programs: each for one user, some scopes and a time. They come here as SHA-256 only."""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from pydantic import BaseModel

from schemas.accounts import Role, Scope
from storage.database import Database

_COLUMNS: Final = "id, user_id, name, hint, scopes, created_at, expires_at, last_used_at"


class ApiKeyRecord(BaseModel):
    """A key as it may be shown."""

    id: str
    user_id: str
    name: str
    hint: str
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None


class KeyHolder(NamedTuple):
    """Who a valid key acts for."""

    key_id: str
    user_id: str
    name: str
    role: Role
    scopes: frozenset[Scope]


class ApiKeys:
    """Repository of API keys."""

    def __init__(self, database: Database) -> None:
        self._pool = database.pool

    async def add(
        self, key_id: str, user_id: str, *, name: str, key_hash: bytes, hint: str, scopes: list[Scope], life: timedelta
    ) -> ApiKeyRecord:
        """Keep a new key."""
        row = await self._pool.fetchrow(
            f"""INSERT INTO api_keys (id, user_id, name, hash, hint, scopes, expires_at)
               VALUES ($1, $2, $3, $4, $5, $6, now() + $7::interval) RETURNING {_COLUMNS}""",
            key_id,
            user_id,
            name,
            key_hash,
            hint,
            scopes,
            life,
        )
        assert row is not None  # inserted just now
        return ApiKeyRecord.model_validate(dict(row))

    async def holder(self, key_hash: bytes) -> KeyHolder | None:
        """Whom the key acts for, while it is valid and its user not disabled. Notes the use, a minute exact."""
        row = await self._pool.fetchrow(
            """SELECT k.id, k.user_id, k.scopes, u.name, u.role,
                 k.last_used_at IS NULL OR k.last_used_at < now() - interval '1 minute' AS stale
               FROM api_keys k JOIN users u ON u.id = k.user_id
               WHERE k.hash = $1 AND k.revoked_at IS NULL AND k.expires_at > now() AND u.disabled_at IS NULL""",
            key_hash,
        )
        if row is None:
            return None
        if row["stale"]:
            await self._pool.execute("UPDATE api_keys SET last_used_at = now() WHERE id = $1", row["id"])
        return KeyHolder(row["id"], row["user_id"], row["name"], row["role"], frozenset(row["scopes"]))

    async def revoke(self, user_id: str, key_id: str) -> bool:
        """End a key of this user; False when there is none."""
        status = await self._pool.execute(
            "UPDATE api_keys SET revoked_at = now() WHERE id = $2 AND user_id = $1 AND revoked_at IS NULL",
            user_id,
            key_id,
        )
        return status == "UPDATE 1"

    async def count(self, user_id: str) -> int:
        """How many valid keys a user has."""
        found = await self._pool.fetchval(
            "SELECT count(*) FROM api_keys WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > now()", user_id
        )
        return int(found)

    async def list(self, user_id: str) -> list[ApiKeyRecord]:
        """The keys of a user that were not revoked, newest first."""
        rows = await self._pool.fetch(
            f"""SELECT {_COLUMNS} FROM api_keys WHERE user_id = $1 AND revoked_at IS NULL
               ORDER BY created_at DESC, id LIMIT 100""",
            user_id,
        )
        return [ApiKeyRecord.model_validate(dict(row)) for row in rows]
