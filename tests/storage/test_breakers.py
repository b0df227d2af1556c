"""Breakers: the rules as pure steps, and what several workers see through Postgres."""

import asyncio
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from storage.breakers import HOLD, LONGEST, THRESHOLD, WINDOW, Breaker, Breakers, after_failure
from storage.database import Database

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def test_the_third_failure_in_a_row_opens() -> None:
    breaker = Breaker()
    for _ in range(THRESHOLD - 1):
        breaker = after_failure(breaker, NOW, None)
        assert breaker.state == "closed"
    breaker = after_failure(breaker, NOW, None)
    assert (breaker.state, breaker.retry_at) == ("open", NOW + HOLD)


def test_failures_far_apart_are_not_in_a_row() -> None:
    breaker, now = Breaker(), NOW
    for _ in range(10):
        breaker = after_failure(breaker, now, None)
        now += WINDOW + timedelta(seconds=1)
    assert breaker.state == "closed"


def test_a_limit_opens_at_once_for_as_long_as_it_says() -> None:
    breaker = after_failure(Breaker(), NOW, timedelta(seconds=90))
    assert (breaker.state, breaker.retry_at) == ("open", NOW + timedelta(seconds=90))


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 400), st.none() | st.integers(0, 1_000), st.booleans()), min_size=1, max_size=40)
)
def test_every_history_keeps_the_rules(failures: list[tuple[int, int | None, bool]]) -> None:
    breaker, now = Breaker(), NOW
    for seconds, wait, probing in failures:
        now += timedelta(seconds=seconds)
        if probing and breaker.state == "open":
            breaker = Breaker(
                "half_open", breaker.failures, breaker.opens, breaker.last_failure_at, breaker.opened_at, now
            )
        before = breaker
        breaker = after_failure(breaker, now, None if wait is None else timedelta(seconds=wait))
        assert breaker.last_failure_at == now
        assert (breaker.state == "closed") == (breaker.retry_at is None)
        if before.state != "closed" or wait is not None:
            assert breaker.state == "open"
        if breaker.state == "open" and before.state != "open" and wait is None:
            assert breaker.retry_at is not None and HOLD <= breaker.retry_at - now <= LONGEST
        if before.state == "open" and before.retry_at is not None:
            assert breaker.retry_at is not None and breaker.retry_at >= before.retry_at


async def test_all_workers_see_an_open_breaker_and_one_of_them_probes(database: Database) -> None:
    mine, theirs = Breakers(database), Breakers(database)
    for _ in range(THRESHOLD):
        await mine.failed("openai", "provider_overloaded")
    assert await theirs.avoided(["openai"]) == {"openai"}
    await _time_passes(database)
    probes = await asyncio.gather(*(theirs.avoided(["openai"]) for _ in range(8)))
    assert sum("openai" not in avoided for avoided in probes) == 1, "one probe at a time"
    assert await mine.avoided() == {"openai"}
    await mine.succeeded(["openai"])
    assert await theirs.avoided(["openai"]) == frozenset()


async def test_a_failed_probe_opens_for_longer(database: Database) -> None:
    breakers = Breakers(database)
    holds = []
    for _ in range(THRESHOLD - 1):
        await breakers.failed("groq", "provider_error")
    for _ in range(4):
        state = await breakers.failed("groq", "provider_error")
        assert state.state == "open" and state.retry_at is not None and state.opened_at is not None
        holds.append((state.retry_at - state.opened_at).total_seconds())
        await _time_passes(database)
        assert await breakers.avoided(["groq"]) == frozenset()
    assert holds == [15, 30, 60, 120]


async def test_an_old_success_does_not_close_an_open_breaker(database: Database) -> None:
    breakers = Breakers(database)
    await breakers.failed("cerebras/m", "rate_limited", retry_after=60)
    await breakers.succeeded(["cerebras/m"])
    assert await breakers.avoided() == {"cerebras/m"}
    (state,) = await breakers.states()
    assert (state.key, state.state, state.last_error) == ("cerebras/m", "open", "rate_limited")


async def test_a_success_of_a_call_that_began_after_the_opening_closes(database: Database) -> None:
    breakers = Breakers(database)
    for _ in range(THRESHOLD):
        await breakers.failed("openai", "provider_error")
    await database.pool.execute("UPDATE provider_breakers SET opened_at = now() - interval '10 seconds'")
    await breakers.succeeded(["openai"], took=30)
    assert await breakers.avoided() == {"openai"}, "it ran already when the others failed"
    await breakers.succeeded(["openai"], took=2)
    assert await breakers.avoided() == frozenset()


async def test_failures_counted_at_once_are_all_counted(database: Database) -> None:
    breakers = Breakers(database)
    await asyncio.gather(*(breakers.failed("google", "provider_error") for _ in range(10)))
    (state,) = await breakers.states()
    assert (state.state, state.failures) == ("open", 10)


async def _time_passes(database: Database) -> None:
    await database.pool.execute("UPDATE provider_breakers SET retry_at = now() - interval '1 second'")
