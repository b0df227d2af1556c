"""What the links in mails carry: tokens that work once and end soon. They come here as SHA-256 only."""

from datetime import timedelta
from typing import Final, Literal, NamedTuple

from storage.database import Connection, Database

Purpose = Literal["sign_up", "reset"]
LIFE: Final[dict[Purpose, timedelta]] = {"sign_up": timedelta(hours=24), "reset": timedelta(hours=1)}


class OneTime(NamedTuple):
    """What a token stands for. A sign-up has no user yet and brings name and password."""

    user_id: str | None
    email: str
    name: str
    password_hash: str | None


class OneTimeTokens:
    """Repository of one-time tokens."""

    def __init__(self, database: Database) -> None:
        self._pool = database.pool

    async def add(self, token_hash: bytes, purpose: Purpose, what: OneTime, life: timedelta | None = None) -> None:
        """Keep a token for as long as its purpose allows."""
        await self._pool.execute(
            """INSERT INTO one_time_tokens (hash, purpose, user_id, email, name, password_hash, expires_at)
               VALUES ($1, $2, $3, $4, $5, $6, now() + $7::interval)""",
            token_hash,
            purpose,
            what.user_id,
            what.email,
            what.name,
            what.password_hash,
            life or LIFE[purpose],
        )
        await self._pool.execute("DELETE FROM one_time_tokens WHERE expires_at < now() - interval '7 days'")

    async def use(self, connection: Connection, token_hash: bytes, purpose: Purpose) -> OneTime | None:
        """What the token stands for, once; it stays unused when the transaction of `connection` is rolled back."""
        row = await connection.fetchrow(
            """UPDATE one_time_tokens SET used_at = now(), password_hash = NULL
               FROM (SELECT hash AS found, password_hash AS given FROM one_time_tokens
                     WHERE hash = $1 AND purpose = $2 AND used_at IS NULL AND expires_at > now() FOR UPDATE) AS before
               WHERE hash = before.found RETURNING user_id, email, name, before.given""",
            token_hash,
            purpose,
        )
        return OneTime(row["user_id"], row["email"], row["name"], row["given"]) if row else None

    async def forget_resets(self, connection: Connection, user_id: str) -> None:
        """No older link may set this user's password any more."""
        await connection.execute(
            "UPDATE one_time_tokens SET used_at = now() WHERE user_id = $1 AND purpose = 'reset' AND used_at IS NULL",
            user_id,
        )
