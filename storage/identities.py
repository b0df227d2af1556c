"""Accounts elsewhere that sign people in here."""

from datetime import datetime

from pydantic import BaseModel

from storage.database import Connection, Database


class IdentityTaken(Exception):
    """The account elsewhere, or this user's place for one of that provider, is taken."""


class Identity(BaseModel):
    """An account elsewhere. `subject` is the provider's id for it, which stays when its e-mail address changes."""

    provider: str
    subject: str
    user_id: str
    email: str
    created_at: datetime


class Identities:
    """Repository of identities."""

    def __init__(self, database: Database) -> None:
        self._pool = database.pool

    async def find(self, provider: str, subject: str) -> Identity | None:
        row = await self._pool.fetchrow(
            "SELECT * FROM user_identities WHERE provider = $1 AND subject = $2", provider, subject
        )
        return Identity.model_validate(dict(row)) if row else None

    async def add(
        self, provider: str, subject: str, user_id: str, email: str, connection: "Connection | None" = None
    ) -> None:
        """Raises IdentityTaken."""
        status = await (connection or self._pool).execute(
            """INSERT INTO user_identities (provider, subject, user_id, email) VALUES ($1, $2, $3, $4)
               ON CONFLICT DO NOTHING""",
            provider,
            subject,
            user_id,
            email,
        )
        if status == "INSERT 0 0":
            raise IdentityTaken

    async def remove(self, user_id: str, provider: str) -> bool:
        """Whether there was one. The last way of signing in is kept: a user without a password keeps one identity."""
        status = await self._pool.execute(
            """DELETE FROM user_identities i USING users u
               WHERE i.user_id = $1 AND i.provider = $2 AND u.id = i.user_id
                 AND (u.password_hash IS NOT NULL
                      OR EXISTS (SELECT 1 FROM user_identities o WHERE o.user_id = $1 AND o.provider <> $2))""",
            user_id,
            provider,
        )
        return status == "DELETE 1"

    async def list(self, user_id: str) -> list[Identity]:
        rows = await self._pool.fetch("SELECT * FROM user_identities WHERE user_id = $1 ORDER BY provider", user_id)
        return [Identity.model_validate(dict(row)) for row in rows]
