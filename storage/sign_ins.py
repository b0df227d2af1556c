"""Where people are signed in: browsers by a cookie, programs by refresh tokens that each work once.

Secrets come here as SHA-256 only.
"""

import secrets
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

import asyncpg
from pydantic import BaseModel

from schemas.accounts import ClientKind, Role
from storage.database import Connection, Database

IDLE: Final = timedelta(days=30)
"""A sign-in that nobody uses for so long ends."""
TOUCH: Final = timedelta(minutes=1)
"""How exact `last_seen_at` is."""


class SignInRecord(BaseModel):
    """A place where a person is signed in."""

    id: str
    user_id: str
    means: str
    client: ClientKind
    address: str
    user_agent: str
    created_at: datetime
    last_seen_at: datetime


class SignedInUser(NamedTuple):
    """Who a valid credential belongs to."""

    user_id: str
    name: str
    role: Role
    sign_in_id: str


class Rotated(NamedTuple):
    """What became of a refresh token. `sign_in` is the family that it belongs to, where there is one."""

    outcome: Literal["rotated", "unknown", "reused"]
    sign_in_id: str | None = None
    user_id: str | None = None


_VALID: Final = "s.revoked_at IS NULL AND s.expires_at > now() AND u.disabled_at IS NULL"
_USER: Final = "u.id AS user_id, u.name, u.role, s.id AS sign_in_id, s.last_seen_at < now() - $2::interval AS stale"
_COLUMNS: Final = "id, user_id, means, client, address, user_agent, created_at, last_seen_at"


class SignIns:
    """Repository of sign-ins."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pool = database.pool

    async def begin(
        self,
        user_id: str,
        *,
        means: str,
        client: ClientKind,
        secret_hash: bytes,
        address: str,
        user_agent: str,
    ) -> str:
        """Sign somebody in. `secret_hash` is that of a browser's cookie or of a program's first refresh token."""
        sign_in_id = f"in-{secrets.token_hex(10)}"
        async with self._database.transaction() as connection:
            await connection.execute(
                """INSERT INTO sign_ins (id, user_id, means, client, cookie_hash, address, user_agent, expires_at)
                   VALUES ($1, $2, $3, $4, $5, $6, $7, now() + $8::interval)""",
                sign_in_id,
                user_id,
                means,
                client,
                secret_hash if client == "browser" else None,
                address,
                user_agent[:200],
                IDLE,
            )
            if client == "program":
                await connection.execute(
                    "INSERT INTO refresh_tokens (hash, sign_in_id) VALUES ($1, $2)", secret_hash, sign_in_id
                )
        return sign_in_id

    async def by_cookie(self, cookie_hash: bytes) -> SignedInUser | None:
        """Whose browser this is, while the sign-in is valid and the user not disabled."""
        return await self._find("s.cookie_hash = $1", cookie_hash)

    async def by_id(self, sign_in_id: str) -> SignedInUser | None:
        """The same for a sign-in that an access token names."""
        return await self._find("s.id = $1", sign_in_id)

    async def _find(self, condition: str, value: object) -> SignedInUser | None:
        row = await self._pool.fetchrow(
            f"SELECT {_USER} FROM sign_ins s JOIN users u ON u.id = s.user_id WHERE {condition} AND {_VALID}",
            value,
            TOUCH,
        )
        if row is None:
            return None
        if row["stale"]:
            await self._pool.execute(
                "UPDATE sign_ins SET last_seen_at = now(), expires_at = now() + $2::interval WHERE id = $1",
                row["sign_in_id"],
                IDLE,
            )
        return SignedInUser(row["user_id"], row["name"], row["role"], row["sign_in_id"])

    async def rotate(self, old_hash: bytes, new_hash: bytes) -> Rotated:
        """Exchange a refresh token for the next one. One that was used before ends its whole sign-in."""
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(
                f"""SELECT t.used_at, s.id, s.user_id, {_VALID} AS valid
                   FROM refresh_tokens t JOIN sign_ins s ON s.id = t.sign_in_id JOIN users u ON u.id = s.user_id
                   WHERE t.hash = $1 FOR UPDATE OF t, s""",
                old_hash,
            )
            if row is None or not row["valid"]:
                return Rotated("unknown")
            if row["used_at"] is not None:
                await connection.execute(
                    "UPDATE sign_ins SET revoked_at = now(), revoked_because = 'refresh token reused' WHERE id = $1",
                    row["id"],
                )
                return Rotated("reused", row["id"], row["user_id"])
            await connection.execute("UPDATE refresh_tokens SET used_at = now() WHERE hash = $1", old_hash)
            await connection.execute(
                "INSERT INTO refresh_tokens (hash, sign_in_id) VALUES ($1, $2)", new_hash, row["id"]
            )
            await connection.execute(
                "UPDATE sign_ins SET last_seen_at = now(), expires_at = now() + $2::interval WHERE id = $1",
                row["id"],
                IDLE,
            )
            return Rotated("rotated", row["id"], row["user_id"])

    async def began_within(self, sign_in_id: str, time: timedelta) -> bool:
        """Whether this sign-in is no older than that."""
        found = await self._pool.fetchval(
            "SELECT created_at > now() - $2::interval FROM sign_ins WHERE id = $1", sign_in_id, time
        )
        return bool(found)

    async def revoke(self, user_id: str, sign_in_id: str, because: str) -> bool:
        """End a sign-in of this user; False when there is none."""
        status = await self._pool.execute(
            """UPDATE sign_ins SET revoked_at = now(), revoked_because = $3
               WHERE id = $2 AND user_id = $1 AND revoked_at IS NULL""",
            user_id,
            sign_in_id,
            because,
        )
        return status == "UPDATE 1"

    async def revoke_all(
        self, user_id: str, because: str, *, but: str | None = None, connection: "Connection | None" = None
    ) -> None:
        """End every sign-in of this user but one."""
        await (connection or self._pool).execute(
            """UPDATE sign_ins SET revoked_at = now(), revoked_because = $2
               WHERE user_id = $1 AND revoked_at IS NULL AND id IS DISTINCT FROM $3""",
            user_id,
            because,
            but,
        )

    async def list(self, user_id: str) -> list[SignInRecord]:
        """The valid sign-ins of a user, the one used last first."""
        rows: list[asyncpg.Record] = await self._pool.fetch(
            f"""SELECT {_COLUMNS} FROM sign_ins
               WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > now()
               ORDER BY last_seen_at DESC, id LIMIT 100""",
            user_id,
        )
        return [SignInRecord.model_validate(dict(row)) for row in rows]
