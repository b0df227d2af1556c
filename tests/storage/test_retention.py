"""What is old goes, what is not stays, and doing it twice changes nothing."""

from datetime import timedelta

import pytest

from schemas.retention import RetentionRules
from storage.database import Database
from storage.retention import Retention
from tests.storage.planting import plant

OLD, NEW = "old", "new"
TIMES = {
    "rate_limits": ("tat",),
    "working_sessions": ("until",),
    "sign_in_attempts": ("last_at",),
    "one_time_tokens": ("expires_at",),
    "sign_ins": ("revoked_at", "expires_at"),
    "refresh_tokens": ("used_at",),
    "api_keys": ("revoked_at", "expires_at"),
    "share_links": ("revoked_at", "expires_at"),
    "budget_notices": ("at",),
    "model_attempts": ("started_at",),
    "audit_log": ("at",),
}


async def age(database: Database, table: str, days: int) -> None:
    """Make every row of a table that old."""
    for column in TIMES[table]:
        await database.pool.execute(f"UPDATE {table} SET {column} = now() - $1::interval", timedelta(days=days))


async def left(database: Database, table: str) -> int:
    count: int = await database.pool.fetchval(f"SELECT count(*) FROM {table}")
    return count


def nothing() -> None:
    pass


ALL = RetentionRules(ledger=100, audit=100, sign_ins=100, notices=100)


@pytest.mark.parametrize(("days", "gone"), [(99, False), (101, True)])
async def test_rows_go_when_their_time_is_over(database: Database, days: int, gone: bool) -> None:
    await plant(database, "who", "session", "mark")
    await database.pool.execute("INSERT INTO sign_in_attempts VALUES ('bucket', 1, now())")
    await database.pool.execute("DELETE FROM sessions")
    await database.pool.execute("UPDATE budget_notices SET kind = 'day'")
    at_once = {"rate_limits", "working_sessions", "sign_in_attempts", "one_time_tokens"}
    for table in TIMES:
        await age(database, table, days)
    await Retention(database).forget(ALL, nothing)
    kept = {table for table in TIMES if await left(database, table)}
    assert kept == (set() if gone else set(TIMES) - at_once)
    assert await Retention(database).forget(ALL, nothing) == {}


async def test_by_default_the_logs_stay_and_what_counts_now_goes(database: Database) -> None:
    await plant(database, "who", "session", "mark")
    for table in TIMES.keys() - {"sign_in_attempts"}:
        await age(database, table, 5_000)
    await database.pool.execute("UPDATE budget_notices SET kind = 'session'")
    counts = await Retention(database).forget(RetentionRules(), nothing)
    kept = {table for table in TIMES.keys() - {"sign_in_attempts"} if await left(database, table)}
    assert kept == {"model_attempts", "audit_log", "budget_notices"}
    assert counts["rate_limits"] == 1


async def test_calls_of_a_session_that_is_there_stay(database: Database) -> None:
    await plant(database, "who", "session", "mark")
    await age(database, "model_attempts", 5_000)
    await Retention(database).forget(ALL, nothing)
    assert await left(database, "model_attempts") == 1


async def test_a_limit_that_still_counts_is_not_forgotten(database: Database) -> None:
    await database.pool.execute("INSERT INTO rate_limits VALUES ('calls:who', now() + interval '1 minute')")
    await Retention(database).forget(ALL, nothing)
    assert await left(database, "rate_limits") == 1


async def test_many_rows_go_in_batches(database: Database) -> None:
    await database.pool.execute(
        "INSERT INTO rate_limits SELECT 'calls:' || n, now() - interval '1 day' FROM generate_series(1, 4100) n"
    )
    beats: list[int] = []
    counts = await Retention(database).forget(ALL, lambda: beats.append(1))
    assert counts == {"rate_limits": 4100} and len(beats) > 3


async def session(database: Database, name: str, state: str, touched: int, archived: int | None = None) -> None:
    await database.pool.execute(
        """INSERT INTO sessions (id, user_id, prompt, mode, state, updated_at, state_since, archived_at)
           VALUES ($1, 'who', 'p', 'smart', $2, now() - $3::interval, now() - $3::interval, now() - $4::interval)""",
        name,
        state,
        timedelta(days=touched),
        None if archived is None else timedelta(days=archived),
    )


async def test_sessions_that_rest_for_long_are_put_away(database: Database) -> None:
    await session(database, "rests", "completed", 31)
    await session(database, "just now", "completed", 29)
    await session(database, "works", "generating", 31)
    await session(database, "waits", "waiting_for_budget", 31)
    retention = Retention(database)
    assert (await retention.archive(30, nothing), await retention.archive(30, nothing)) == (1, 0)
    archived = await database.pool.fetch("SELECT id FROM sessions WHERE archived_at IS NOT NULL")
    assert [row["id"] for row in archived] == ["rests"]


async def test_only_what_was_put_away_long_ago_is_to_be_deleted(database: Database) -> None:
    await session(database, "old", "completed", 400, 61)
    await session(database, "put away lately", "completed", 400, 59)
    await session(database, "used again", "completed", 5, 61)
    await session(database, "at work again", "generating", 400, 61)
    await session(database, "never put away", "completed", 400)
    assert [old.id for old in await Retention(database).expired(60)] == ["old"]


@pytest.mark.parametrize("text", ["sessions=3", "ledger=1", "audit=0", "sign_ins=-1", "notices", "audit=3 weeks"])
def test_rules_that_mean_nothing_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        RetentionRules.parse(text)


def test_rules_are_read() -> None:
    rules = RetentionRules.parse("archive_sessions=90, delete_sessions = 365,sign_ins=off,")
    assert (rules.archive_sessions, rules.delete_sessions, rules.sign_ins, rules.notices) == (90, 365, None, 400)
