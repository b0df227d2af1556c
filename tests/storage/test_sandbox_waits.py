"""The line for a free sandbox."""

import asyncio

import pytest

from storage.database import Database
from storage.sandbox_waits import SandboxWaits

COMMON = "stich-sandbox"


@pytest.fixture
def waits(database: Database) -> SandboxWaits:
    return SandboxWaits(database)


async def before(waits: SandboxWaits, session_id: str, queue: str = COMMON, priority: int = 2) -> int | None:
    return await waits.before(session_id, "check", queue, COMMON, priority)


async def test_positions_follow_the_order_of_arrival(waits: SandboxWaits) -> None:
    await waits.started("s0", "check", COMMON)
    assert [await before(waits, f"s{number}") for number in range(4)] == [None, 0, 1, 2]
    await waits.started("s1", "check", COMMON)
    assert [await before(waits, f"s{number}") for number in range(1, 4)] == [None, 0, 1]
    await waits.ended("s2", "check")
    assert await before(waits, "s3") == 0


async def test_lines_of_other_hosts_do_not_count(waits: SandboxWaits) -> None:
    assert await before(waits, "s1", f"{COMMON}@a") == 0
    assert await before(waits, "s2", f"{COMMON}@b") == 0
    assert await before(waits, "s3") == 0
    assert await before(waits, "s4", f"{COMMON}@a") == 2  # its host's, and the common line


async def test_what_somebody_waits_for_goes_first(waits: SandboxWaits) -> None:
    assert [await before(waits, f"batch-{number}", priority=4) for number in range(3)] == [0, 1, 2]
    assert await before(waits, "mine", priority=2) == 0
    assert await before(waits, "batch-0", priority=4) == 1
    assert await before(waits, "batch-2", priority=2) == 0, "it is no batch any more, and came before mine"


async def test_a_step_that_began_before_anybody_asked_waits_no_more(waits: SandboxWaits) -> None:
    await waits.started("s1", "check", COMMON)
    assert await before(waits, "s1") is None


async def test_those_who_ask_no_more_are_forgotten(waits: SandboxWaits, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await before(waits, "s1") == 0
    assert await before(waits, "s2") == 1
    monkeypatch.setattr("storage.sandbox_waits.FORGOTTEN_SECONDS", 0.1)
    await asyncio.sleep(0.15)
    assert await before(waits, "s2") == 0
    monkeypatch.setattr("storage.sandbox_waits.KEPT_HOURS", 0)
    await waits.ended("s2", "check")
    assert await before(waits, "s1") == 0
