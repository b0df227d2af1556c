"""The people of an installation. A user without an e-mail address is the single one of a local installation."""

import base64
import secrets
from datetime import datetime
from typing import Final

import asyncpg
from pydantic import BaseModel, Field

from schemas.accounts import Role
from storage.database import Connection, Database

_COLUMNS: Final = "id, email, name, role, password_hash, disabled_at, created_at"


class EmailTaken(Exception):
    """Another user has this e-mail address."""


class UserMissing(Exception):
    """There is no such user."""


class User(BaseModel):
    """A person. `password_hash` is None for who signs in by other means only; it is never shown in a `repr`."""

    id: str
    email: str | None
    name: str
    role: Role
    password_hash: str | None = Field(default=None, repr=False)
    disabled_at: datetime | None
    created_at: datetime


class Users:
    """Repository of users. E-mail addresses are expected in lower case."""

    def __init__(self, database: Database) -> None:
        self._pool = database.pool

    async def add(
        self,
        *,
        email: str,
        name: str,
        role: Role = "user",
        password_hash: str | None = None,
        connection: "Connection | None" = None,
    ) -> User:
        """A new user, in the transaction of `connection` where one is given. Raises EmailTaken."""
        row = await (connection or self._pool).fetchrow(
            f"""INSERT INTO users (id, email, name, role, password_hash) VALUES ($1, $2, $3, $4, $5)
               ON CONFLICT DO NOTHING RETURNING {_COLUMNS}""",
            new_user_id(),
            email,
            name,
            role,
            password_hash,
        )
        if row is None:
            raise EmailTaken
        return _user(row)

    async def get(self, user_id: str) -> User:
        """Raises UserMissing."""
        row = await self._pool.fetchrow(f"SELECT {_COLUMNS} FROM users WHERE id = $1", user_id)
        if row is None:
            raise UserMissing(user_id)
        return _user(row)

    async def by_email(self, email: str) -> User | None:
        row = await self._pool.fetchrow(f"SELECT {_COLUMNS} FROM users WHERE email = $1", email)
        return _user(row) if row else None

    async def list(self, limit: int = 100, after: str = "") -> list[User]:
        """Users in order of id; `after` is the id of the last one on the page before."""
        rows = await self._pool.fetch(f"SELECT {_COLUMNS} FROM users WHERE id > $1 ORDER BY id LIMIT $2", after, limit)
        return [_user(row) for row in rows]

    async def set_role(self, user_id: str, role: Role) -> None:
        """Raises UserMissing."""
        await self._update(user_id, "role = $2", role)

    async def set_name(self, user_id: str, name: str) -> None:
        """Raises UserMissing."""
        await self._update(user_id, "name = $2", name)

    async def set_password(self, user_id: str, password_hash: str, connection: "Connection | None" = None) -> None:
        """Raises UserMissing."""
        await self._update(user_id, "password_hash = $2", password_hash, connection)

    async def set_disabled(self, user_id: str, disabled: bool) -> None:
        """A disabled user is refused everywhere at once. Raises UserMissing."""
        await self._update(user_id, "disabled_at = CASE WHEN $2 THEN coalesce(disabled_at, now()) END", disabled)

    async def _update(
        self, user_id: str, assignment: str, value: object, connection: "Connection | None" = None
    ) -> None:
        status = await (connection or self._pool).execute(
            f"UPDATE users SET {assignment} WHERE id = $1", user_id, value
        )
        if status == "UPDATE 0":
            raise UserMissing(user_id)


def new_user_id() -> str:
    return f"user-{base64.b32encode(secrets.token_bytes(10)).decode().lower()}"


def _user(row: asyncpg.Record) -> User:
    return User.model_validate(dict(row))
