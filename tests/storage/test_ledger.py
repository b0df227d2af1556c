"""The ledger on a real Postgres: once per attempt, whatever is retried, and nothing lost with a worker."""

from datetime import UTC, datetime
from decimal import Decimal

from schemas.inference import ActionKey, AttemptRecord
from storage.budgets import Budgets
from storage.database import Database
from storage.ledger import Ledger

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def record(**changes: object) -> AttemptRecord:
    values: dict[str, object] = {
        "session_id": "s1",
        "operation_id": "o1",
        "execution": 1,
        "attempt": 1,
        "user_id": "u1",
        "action": ActionKey.BLUEPRINT,
        "provider": "openai",
        "model": "openai/gpt-5",
        "input_tokens": 100,
        "cached_input_tokens": 40,
        "output_tokens": 50,
        "reasoning_tokens": 10,
        "price": Decimal("0.0123456789"),
        "price_source": "table 1",
        "duration": 2.0,
        "time_to_first_token": 1.0,
        "outcome": "succeeded",
        "context_parts": {"system": 12},
        "started_at": NOW,
    }
    return AttemptRecord.model_validate(values | changes)


async def test_a_call_is_reserved_and_settled_once(database: Database) -> None:
    ledger = Ledger(database)
    now = datetime.now(UTC)
    started = record(outcome="started", price=None, output_tokens=0, reserved=Decimal("0.5"), started_at=now)
    assert await ledger.reserve(started)
    assert not await ledger.reserve(started), "the same attempt again"
    (budget, *_) = await Budgets(database).of("u1", "s1")
    assert (budget.spent_usd, budget.reserved_usd) == (0, Decimal("0.5"))
    assert await ledger.settle(record())
    assert not await ledger.settle(record(output_tokens=9_999)), "a settled call stays as it is"
    assert await ledger.attempts("s1") == [record(reserved=Decimal("0.5"), started_at=now)]
    (budget, *_) = await Budgets(database).of("u1", "s1")
    assert (budget.spent_usd, budget.reserved_usd) == (Decimal("0.0123456789"), 0)


async def test_settling_without_a_reservation_writes_the_row(database: Database) -> None:
    ledger = Ledger(database)
    assert await ledger.settle(record())
    assert (await ledger.session_totals("s1")).cost_usd == Decimal("0.0123456789")


async def test_totals_count_every_attempt(database: Database) -> None:
    ledger = Ledger(database)
    await ledger.settle(record())
    await ledger.settle(record(attempt=2, outcome="failed", error_code="stream_broken"))
    await ledger.settle(record(execution=2, attempt=1))
    await ledger.settle(record(call_number=1, price=None))
    await ledger.settle(record(session_id="other"))
    totals = await ledger.session_totals("s1")
    assert (totals.calls, totals.input_tokens, totals.cached_tokens) == (4, 400, 160)
    assert (totals.output_tokens, totals.reasoning_tokens) == (200, 40)
    assert totals.cost_usd == Decimal("0.0370370367")
    assert (await ledger.session_totals("nobody")).calls == 0


async def test_the_call_of_a_dead_worker_is_closed_by_the_next_attempt(database: Database) -> None:
    ledger = Ledger(database)
    await ledger.reserve(record(outcome="started", output_tokens=0, reserved=Decimal(1)))
    await ledger.settle(record(outcome="started", output_tokens=30))
    await ledger.reserve(
        record(attempt=2, outcome="started", price=None, reserved=Decimal("0.25"), started_at=datetime.now(UTC))
    )
    first, second = await ledger.attempts("s1")
    assert (first.outcome, first.estimated, first.output_tokens) == ("lost", True, 30)
    assert second.outcome == "started"
    (budget, *_) = await Budgets(database).of("u1", "s1")
    assert (budget.spent_usd, budget.reserved_usd) == (Decimal("0.0123456789"), Decimal("0.25"))
    assert await ledger.settle(record(output_tokens=77)), "the worker was not dead after all: its word is better"
    assert (await ledger.attempts("s1"))[0].output_tokens == 77


async def test_an_answer_in_one_burst_is_not_taken_for_a_fast_one(database: Database) -> None:
    ledger = Ledger(database)
    now = datetime.now(UTC)
    burst = record(duration=10.0001, time_to_first_token=10.0, output_tokens=1_000, started_at=now)
    await ledger.settle(burst)
    assert (await ledger.speeds())["openai/openai/gpt-5"].tokens_per_second < 101


async def test_where_earlier_attempts_went(database: Database) -> None:
    ledger = Ledger(database)
    await ledger.settle(record(attempt=1, call_number=0))
    await ledger.settle(record(attempt=1, call_number=4, provider="groq", outcome="failed", error_code="x"))
    await ledger.reserve(record(attempt=2, call_number=0, provider="google", outcome="started"))
    await ledger.settle(record(attempt=1, call_number=0, execution=2, provider="cerebras"))
    model = "openai/gpt-5"
    assert await ledger.tried("s1", "o1", 1, 3, 0) == [
        ("openai", model, None), ("groq", model, "x"), ("google", model, None),
    ]  # fmt: skip
    assert await ledger.tried("s1", "o1", 1, 2, None) == [("groq", model, "x")]
    assert await ledger.tried("s1", "o1", 1, 1, 0) == []


async def test_speeds_are_medians_of_good_calls(database: Database) -> None:
    ledger = Ledger(database)
    now = datetime.now(UTC)
    for attempt, duration in enumerate((2.0, 3.0, 11.0), start=1):
        await ledger.settle(record(attempt=attempt, duration=duration, output_tokens=100, started_at=now))
    await ledger.settle(record(attempt=9, outcome="failed", duration=1.01, output_tokens=5_000, started_at=now))
    speeds = await ledger.speeds()
    assert set(speeds) == {"openai/openai/gpt-5"}
    assert speeds["openai/openai/gpt-5"].tokens_per_second == 50
    assert speeds["openai/openai/gpt-5"].samples == 3
