"""Secrets of users, sealed by envelope: master key, key of the user, key of the secret, secret.

User, name and destination are authenticated with every layer: a row that is moved to another user, another name or
another destination does not open. Only the keys of users are wrapped by the master key, so that a new master key
touches one small row per user.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Final

import asyncpg
from pydantic import BaseModel, SecretStr

from storage.database import Connection, Database
from storage.keyring import KeyRing, KeySource, UnusableKey, new_key, replace_file, seal, unseal

BATCH: Final = 100


class VaultLocked(Exception):
    """A secret is there and does not open with the keys of this process."""


class StoredSecret(BaseModel):
    """What may be known of a secret without opening it."""

    name: str
    bound: str
    hint: str
    note: str
    created_at: datetime
    checked_at: datetime | None
    last_used_at: datetime | None
    calls_per_minute: int | None = None
    tokens_per_minute: int | None = None


class Vault:
    """Repository of users' secrets."""

    def __init__(self, database: Database, keys: KeySource) -> None:
        self._database = database
        self._keys = keys

    async def put(
        self, user_id: str, name: str, secret: SecretStr, *, bound: str = "", note: str = "", checked: bool = False
    ) -> StoredSecret:
        """Seal a secret, in place of the one of that name. `bound` says where it may go, and is authenticated."""
        async with self._database.transaction() as connection:
            user_key = await self._user_key(connection, user_id)
            secret_key = new_key()
            row = await connection.fetchrow(
                """
                INSERT INTO vault_secrets (user_id, name, bound, wrapped, sealed, hint, note, checked_at)
                VALUES ($1, $2, $3, $4, $5, $6, $7, CASE WHEN $8 THEN now() END)
                ON CONFLICT (user_id, name) DO UPDATE SET bound = excluded.bound, wrapped = excluded.wrapped,
                  sealed = excluded.sealed, hint = excluded.hint, note = excluded.note, created_at = now(),
                  checked_at = excluded.checked_at, last_used_at = NULL
                RETURNING *
                """,
                user_id,
                name,
                bound,
                seal(user_key, secret_key, _binding("key", user_id, name, bound)),
                seal(secret_key, secret.get_secret_value().encode(), _binding("secret", user_id, name, bound)),
                hint(secret),
                note,
                checked,
            )
        assert row is not None
        return _stored(row)

    async def open(
        self, user_id: str, bounds: Mapping[str, str] | None = None, *, only: Collection[str] | None = None
    ) -> dict[str, SecretStr]:
        """A user's secrets by name, all or `only` some, to be used at once and not kept. `bounds` says where those go
        that are bound to a destination; one that is bound elsewhere is left out. Raises VaultLocked."""
        rows = await self._database.pool.fetch(
            """
            SELECT s.name, s.bound, s.wrapped, s.sealed, k.master_id, k.wrapped AS user_wrapped
            FROM vault_secrets s JOIN vault_user_keys k USING (user_id)
            WHERE user_id = $1 AND ($2::text[] IS NULL OR s.name = ANY ($2))
            """,
            user_id,
            None if only is None else list(only),
        )
        bounds = bounds or {}
        opened = {}
        for row in rows:
            name, bound = row["name"], row["bound"]
            if bound != bounds.get(name, ""):
                continue
            try:
                user_key = self._unwrap(user_id, row["master_id"], row["user_wrapped"])
                secret_key = unseal(user_key, row["wrapped"], _binding("key", user_id, name, bound))
                plain = unseal(secret_key, row["sealed"], _binding("secret", user_id, name, bound))
            except UnusableKey:
                raise VaultLocked(f"the secret {name!r} does not open with the master keys of this process") from None
            opened[name] = SecretStr(plain.decode())
        return opened

    async def seal_text(self, user_id: str, label: str, plain: bytes) -> bytes:
        """`plain` sealed with the user's key, for a table of the caller's. `label` says what it is, and is
        authenticated. Once the user is forgotten, nobody opens it. Raises VaultLocked."""
        async with self._database.transaction() as connection:
            user_key = await self._user_key(connection, user_id)
        return seal(user_key, plain, _binding("text", user_id, label))

    async def unseal_texts(self, user_id: str, label: str, sealed: Iterable[bytes]) -> list[bytes]:
        """What `seal_text` was given under the same label. Raises VaultLocked."""
        row = await self._database.pool.fetchrow(
            "SELECT master_id, wrapped FROM vault_user_keys WHERE user_id = $1", user_id
        )
        try:
            if row is None:
                raise UnusableKey("the user's key is gone")
            user_key = self._unwrap(user_id, row["master_id"], row["wrapped"])
            return [unseal(user_key, each, _binding("text", user_id, label)) for each in sealed]
        except UnusableKey:
            raise VaultLocked("what is sealed does not open with the master keys of this process") from None

    async def list(self, user_id: str) -> list[StoredSecret]:
        """What a user has stored, by name."""
        rows = await self._database.pool.fetch("SELECT * FROM vault_secrets WHERE user_id = $1 ORDER BY name", user_id)
        return [_stored(row) for row in rows]

    async def delete(self, user_id: str, name: str, *, unless_bound: str | None = None) -> bool:
        """Forget a secret, unless it is the one that is bound to `unless_bound`. False where there is none."""
        status: str = await self._database.pool.execute(
            "DELETE FROM vault_secrets WHERE user_id = $1 AND name = $2 AND bound IS DISTINCT FROM $3",
            user_id,
            name,
            unless_bound,
        )
        return status != "DELETE 0"

    async def forget_user(self, user_id: str) -> None:
        """Forget a user's secrets with the key that opens them, in older copies of the secrets' rows too."""
        await self._database.pool.execute("DELETE FROM vault_user_keys WHERE user_id = $1", user_id)

    async def checked(self, user_id: str, name: str, note: str) -> None:
        """Note what a check of a secret said."""
        await self._database.pool.execute(
            "UPDATE vault_secrets SET checked_at = now(), note = $3 WHERE user_id = $1 AND name = $2",
            user_id,
            name,
            note,
        )

    async def set_limits(self, user_id: str, name: str, calls: int | None, tokens: int | None) -> StoredSecret | None:
        """What the secret may be used for in a minute; None where there is no such secret. A newer secret of that name
        keeps the limits."""
        row = await self._database.pool.fetchrow(
            """UPDATE vault_secrets SET calls_per_minute = $3, tokens_per_minute = $4
               WHERE user_id = $1 AND name = $2 RETURNING *""",
            user_id,
            name,
            calls,
            tokens,
        )
        return None if row is None else _stored(row)

    async def used(self, user_id: str, names: Collection[str]) -> None:
        """Note that secrets were used, to the minute."""
        await self._database.pool.execute(
            """
            UPDATE vault_secrets SET last_used_at = now() WHERE user_id = $1 AND name = ANY ($2)
              AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
            """,
            user_id,
            list(names),
        )

    # --- master keys ---------------------------------------------------------------------------------------------

    async def rotate(self) -> int:
        """Wrap every user's key with a new master key, while others work, and return how many there were.

        Where the keys are in a file, it gets a new one, and loses the old ones once nothing needs them. Where a setting
        gives them, the first is the new one, and the others may leave it afterwards. A rotation that was broken off
        goes on where it was. Raises VaultLocked for a row whose master key is not at hand.
        """
        path = self._keys.path
        if path is not None and len(self._keys.ring().ids) == 1:
            replace_file(path, self._keys.ring().renewed().text())
        count = 0
        while True:
            async with self._database.transaction() as connection:
                done = await self._rewrap(connection)
            count += done
            if done < BATCH:
                break
        async with self._database.transaction() as connection:
            # Whoever writes a user's key takes its master key from the ring under this lock: none is missed.
            await connection.execute("LOCK TABLE vault_user_keys IN SHARE MODE")
            while done := await self._rewrap(connection):
                count += done
            if path is not None:
                replace_file(path, self._keys.ring().only_current().text())
        return count

    async def _rewrap(self, connection: Connection) -> int:
        """Wrap some of the keys that are not under the current master key."""
        rows = await connection.fetch(
            """
            SELECT user_id, master_id, wrapped FROM vault_user_keys WHERE master_id <> $1
            ORDER BY user_id LIMIT $2 FOR UPDATE
            """,
            self._keys.ring().current,
            BATCH,
        )
        for row in rows:
            try:
                user_key = self._unwrap(row["user_id"], row["master_id"], row["wrapped"])
            except UnusableKey:
                raise VaultLocked(
                    f"keys are wrapped with the master key {row['master_id']}, which is not at hand"
                ) from None
            await self._write_user_key(connection, row["user_id"], user_key)
        return len(rows)

    async def _user_key(self, connection: Connection, user_id: str) -> bytes:
        """The key of a user, made when it is first needed."""
        await connection.execute("LOCK TABLE vault_user_keys IN ROW EXCLUSIVE MODE")  # see `rotate`
        await self._write_user_key(connection, user_id, new_key(), only_new=True)
        row = await connection.fetchrow(
            "SELECT master_id, wrapped FROM vault_user_keys WHERE user_id = $1 FOR SHARE", user_id
        )
        assert row is not None
        try:
            return self._unwrap(user_id, row["master_id"], row["wrapped"])
        except UnusableKey:
            raise VaultLocked("the user's key does not open with the master keys of this process") from None

    async def _write_user_key(
        self, connection: Connection, user_id: str, user_key: bytes, *, only_new: bool = False
    ) -> None:
        ring = self._keys.ring()
        update = "NOTHING" if only_new else "UPDATE SET master_id = excluded.master_id, wrapped = excluded.wrapped"
        await connection.execute(
            f"INSERT INTO vault_user_keys (user_id, master_id, wrapped) VALUES ($1, $2, $3)"
            f" ON CONFLICT (user_id) DO {update}",
            user_id,
            ring.current,
            seal(_key(ring, ring.current), user_key, _binding("user", user_id, ring.current)),
        )

    def _unwrap(self, user_id: str, master_id: str, wrapped: bytes) -> bytes:
        return unseal(_key(self._keys.ring(), master_id), wrapped, _binding("user", user_id, master_id))


def hint(secret: SecretStr) -> str:
    """The last characters of a secret, few enough to be of no use: `…a1b2`."""
    value = secret.get_secret_value()
    return f"…{value[-4:]}" if len(value) >= 12 else "…"


def _key(ring: KeyRing, master_id: str) -> bytes:
    key = ring.key(master_id)
    if key is None:
        raise UnusableKey(f"the master key {master_id} is not at hand")
    return key


def _binding(*parts: str) -> bytes:
    """What is authenticated with a layer: no two lists of parts have the same."""
    return b"stich vault 1" + b"".join(len(part.encode()).to_bytes(4) + part.encode() for part in parts)


def _stored(row: asyncpg.Record) -> StoredSecret:
    return StoredSecret.model_validate({name: row[name] for name in StoredSecret.model_fields})
