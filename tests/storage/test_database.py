"""Migrations: once each, in order, whoever starts first; a changed file is refused."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from storage.database import MIGRATIONS, Database, MigrationError, read_migrations


async def test_the_fixture_is_migrated(database: Database) -> None:
    names = await database.pool.fetch("SELECT name FROM schema_migrations ORDER BY number")
    assert [row["name"] for row in names] == [migration.name for migration in read_migrations(MIGRATIONS)]
    assert await database.migrate() == []


async def test_many_processes_migrate_at_once(database: Database, database_dsn: str, migrations_folder: Path) -> None:
    for number in range(9001, 9006):
        (migrations_folder / f"{number}_table.sql").write_text(f"SELECT pg_sleep(0.01); CREATE TABLE t{number} (); ")
    databases = [await Database.connect(database_dsn, max_size=1) for _ in range(6)]
    applied = await asyncio.gather(*(each.migrate(migrations_folder) for each in databases))
    assert sorted(name for names in applied for name in names) == [f"{n}_table.sql" for n in range(9001, 9006)]
    await asyncio.gather(*(each.aclose() for each in databases))


async def test_a_changed_file_is_refused(database: Database, migrations_folder: Path) -> None:
    file = migrations_folder / "9001_table.sql"
    file.write_text("CREATE TABLE t (a int)")
    await database.migrate(migrations_folder)
    file.write_text("CREATE TABLE t (a int, b int)")
    with pytest.raises(MigrationError, match=r"9001_table\.sql was changed"):
        await database.migrate(migrations_folder)
    await asyncio.wait_for(database.migrate(), 5)  # the lock was released


async def test_a_failing_file_leaves_nothing(database: Database, migrations_folder: Path) -> None:
    (migrations_folder / "9001_good.sql").write_text("CREATE TABLE good ()")
    (migrations_folder / "9002_bad.sql").write_text("CREATE TABLE half (); SELECT nonsense")
    with pytest.raises(asyncpg.UndefinedColumnError):
        await database.migrate(migrations_folder)
    assert await database.pool.fetchval("SELECT to_regclass('good')") == "good"
    assert await database.pool.fetchval("SELECT to_regclass('half')") is None
    (migrations_folder / "9002_bad.sql").write_text("CREATE TABLE half ()")
    assert await database.migrate(migrations_folder) == ["9002_bad.sql"]


@pytest.mark.parametrize("names", [["1_short.sql"], ["0001.sql"], ["0001_a.sql", "0001_b.sql"]])
def test_bad_names_are_refused(migrations_folder: Path, names: list[str]) -> None:
    for name in names:
        (migrations_folder / name).touch()
    with pytest.raises(MigrationError):
        read_migrations(migrations_folder)


async def test_a_connection_comes_back_without_the_transaction_that_was_left_open(database_dsn: str) -> None:
    database = await Database.connect(database_dsn, max_size=1)
    async with database.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("CREATE TABLE left_open (x int)")
    assert await database.pool.fetchval("SELECT to_regclass('left_open')") is None
    await database.aclose()


async def test_a_migration_leaves_no_lock_behind(database_dsn: str) -> None:
    database = await Database.connect(database_dsn, max_size=1)
    await database.migrate()
    held = """SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
              WHERE l.locktype = 'advisory' AND d.datname = current_database()"""
    async with asyncio.timeout(10):
        while await database.pool.fetchval(held):  # noqa: ASYNC110 - the server sees a moment later that it ended
            await asyncio.sleep(0.02)
    await database.aclose()
