"""Secrets are sealed per user, do not open when they are moved, and survive new master keys while others work."""

import asyncio
import base64
from pathlib import Path

import pytest
from pydantic import SecretStr

from storage.database import Database
from storage.keyring import KeySource, UnusableKey, new_key, replace_file
from storage.vault import BATCH, Vault, VaultLocked, hint

SECRET = "sk-canary-4f9d2c7b8a1e"


@pytest.fixture
def keys(tmp_path: Path) -> KeySource:
    return KeySource.file(tmp_path / "vault.keys")


@pytest.fixture
def vault(database: Database, keys: KeySource) -> Vault:
    return Vault(database, keys)


async def opened(vault: Vault, user_id: str, **bounds: str) -> dict[str, str]:
    return {name: secret.get_secret_value() for name, secret in (await vault.open(user_id, bounds)).items()}


async def dump(database: Database) -> bytes:
    tables = await database.pool.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    text = b""
    async with database.pool.acquire() as connection:
        for table in tables:
            parts: list[bytes] = []

            async def keep(part: bytes, parts: list[bytes] = parts) -> None:
                parts.append(part)

            await connection.copy_from_table(table["tablename"], output=keep)
            text += b"".join(parts)
    return text


async def test_a_secret_is_kept_shown_masked_and_forgotten(vault: Vault, database: Database) -> None:
    stored = await vault.put("ann", "openai", SecretStr(SECRET), checked=True)
    assert (stored.hint, stored.last_used_at) == ("…8a1e", None)
    assert stored.checked_at is not None
    assert await opened(vault, "ann") == {"openai": SECRET}
    assert await opened(vault, "bob") == {}
    await vault.used("ann", ["openai"])
    await vault.checked("ann", "openai", "no credit")
    (listed,) = await vault.list("ann")
    assert listed.last_used_at is not None and listed.note == "no credit"
    written = await dump(database)
    for form in (SECRET.encode(), SECRET.encode().hex().encode(), base64.b64encode(SECRET.encode())):
        assert form not in written
    assert await vault.delete("ann", "openai")
    assert not await vault.delete("ann", "openai")
    assert await opened(vault, "ann") == {}


async def test_a_new_secret_takes_the_place_of_the_old(vault: Vault) -> None:
    await vault.put("ann", "openai", SecretStr(SECRET))
    await vault.used("ann", ["openai"])
    await vault.put("ann", "openai", SecretStr("another-secret-1234"))
    assert await opened(vault, "ann") == {"openai": "another-secret-1234"}
    assert (await vault.list("ann"))[0].last_used_at is None


def test_short_secrets_show_nothing() -> None:
    assert hint(SecretStr("hunter2-abc")) == "…"


async def test_a_moved_or_changed_row_does_not_open(vault: Vault, database: Database) -> None:
    for user in ("ann", "bob"):
        await vault.put(user, "openai", SecretStr(f"{SECRET}-{user}"))
    await vault.put("ann", "mine", SecretStr(SECRET), bound="https://one.example")
    moves = (
        "UPDATE vault_secrets b SET wrapped = a.wrapped, sealed = a.sealed FROM vault_secrets a"
        " WHERE a.user_id = 'ann' AND a.name = 'openai' AND b.user_id = 'bob'",
        "UPDATE vault_secrets SET user_id = 'bob' WHERE user_id = 'ann' AND name = 'mine'",
        "UPDATE vault_user_keys b SET wrapped = a.wrapped FROM vault_user_keys a"
        " WHERE a.user_id = 'ann' AND b.user_id = 'bob'",
        "UPDATE vault_secrets SET sealed = set_byte(sealed, 20, get_byte(sealed, 20) # 1) WHERE user_id = 'bob'",
    )
    for move in moves:
        async with database.pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute(move)
            moved = Vault.__new__(Vault)
            moved.__dict__.update(vault.__dict__, _database=_Within(connection))
            with pytest.raises(VaultLocked):
                await moved.open("bob", {"mine": "https://one.example"})
            await transaction.rollback()
    assert (await opened(vault, "bob"))["openai"] == f"{SECRET}-bob"


class _Within:
    """A database whose pool is one connection, in its transaction."""

    def __init__(self, connection: object) -> None:
        self.pool = connection


async def test_a_bound_secret_opens_for_its_destination_only(vault: Vault, database: Database) -> None:
    await vault.put("ann", "mine", SecretStr(SECRET), bound="https://one.example")
    assert await opened(vault, "ann") == {}
    assert await opened(vault, "ann", mine="https://two.example") == {}
    assert await opened(vault, "ann", mine="https://one.example") == {"mine": SECRET}
    await database.pool.execute("UPDATE vault_secrets SET bound = 'https://two.example'")
    with pytest.raises(VaultLocked):
        await vault.open("ann", {"mine": "https://two.example"})


async def test_nothing_opens_with_another_master_key(vault: Vault, database: Database, tmp_path: Path) -> None:
    await vault.put("ann", "openai", SecretStr(SECRET))
    other = Vault(database, KeySource.file(tmp_path / "other.keys"))
    with pytest.raises(VaultLocked) as caught:
        await other.open("ann")
    assert SECRET not in str(caught.value)
    with pytest.raises(VaultLocked):
        await other.put("ann", "groq", SecretStr(SECRET))
    with pytest.raises(VaultLocked):
        await other.rotate()
    assert await opened(vault, "ann") == {"openai": SECRET}


async def test_a_forgotten_user_is_forgotten_with_all(vault: Vault, database: Database) -> None:
    await vault.put("ann", "openai", SecretStr(SECRET))
    await vault.put("bob", "openai", SecretStr(SECRET))
    await vault.forget_user("ann")
    assert await vault.list("ann") == []
    assert await opened(vault, "bob") == {"openai": SECRET}


async def test_rotation_while_others_write(vault: Vault, database: Database, tmp_path: Path) -> None:
    users = [f"user-{number}" for number in range(BATCH + 20)]
    for user in users:
        await vault.put(user, "openai", SecretStr(f"{SECRET}-{user}"))
    before = KeySource.file(tmp_path / "vault.keys").ring().current
    other = Vault(database, KeySource.file(tmp_path / "vault.keys"))  # another process, with a ring of its own
    await other.open(users[0])

    async def write() -> None:
        for number in range(40):
            await other.put(f"late-{number}", "openai", SecretStr(f"{SECRET}-late-{number}"))
            assert await opened(other, users[number]) == {"openai": f"{SECRET}-{users[number]}"}

    rewrapped, _ = await asyncio.gather(vault.rotate(), write())
    assert rewrapped >= len(users)
    ring = KeySource.file(tmp_path / "vault.keys").ring()
    assert ring.ids == (ring.current,) and ring.current != before
    masters = await database.pool.fetch("SELECT DISTINCT master_id FROM vault_user_keys")
    assert [row["master_id"] for row in masters] == [ring.current]
    for user in [*users, *(f"late-{number}" for number in range(40))]:
        assert await opened(other, user) == {"openai": f"{SECRET}-{user}"}


async def test_a_rotation_that_was_broken_off_goes_on(vault: Vault, keys: KeySource, tmp_path: Path) -> None:
    await vault.put("ann", "openai", SecretStr(SECRET))
    replace_file(tmp_path / "vault.keys", keys.ring().renewed().text())  # it died after its first step
    renewed = keys.ring().current
    await vault.put("bob", "openai", SecretStr(SECRET))
    assert await vault.rotate() == 1
    assert keys.ring().ids == (renewed,)
    assert await opened(vault, "ann") == await opened(vault, "bob") == {"openai": SECRET}


async def test_rotation_of_keys_in_a_setting(database: Database) -> None:
    old, new = (base64.b64encode(new_key()).decode() for _ in range(2))
    await Vault(database, KeySource.given(old)).put("ann", "openai", SecretStr(SECRET))
    both = Vault(database, KeySource.given(f"{new},{old}"))
    assert await opened(both, "ann") == {"openai": SECRET}
    assert await both.rotate() == 1
    assert await both.rotate() == 0
    assert await opened(Vault(database, KeySource.given(new)), "ann") == {"openai": SECRET}
    with pytest.raises(VaultLocked):
        await Vault(database, KeySource.given(old)).open("ann")


def test_a_setting_that_is_no_key_is_refused() -> None:
    with pytest.raises(UnusableKey):
        KeySource.given("my-password")
