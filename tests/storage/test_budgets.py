"""Budgets on a real Postgres: what counts, who sets what, and that nobody takes the same dollar twice."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from schemas.budgets import BudgetNotice
from storage.budgets import Budgets, OverBudget, period_of
from storage.database import Database
from storage.ledger import Ledger
from tests.storage.test_ledger import record


def call(number: int, reserved: str = "0.3", session: str = "s1", credential: str = "platform") -> object:
    return record(
        session_id=session,
        operation_id=f"o{number}",
        outcome="started",
        price=None,
        reserved=Decimal(reserved),
        started_at=datetime.now(UTC),
        credential=credential,
    )


async def admitted(ledger: Ledger, number: int, **changes: str) -> bool:
    try:
        return await ledger.reserve(call(number, **changes))  # type: ignore[arg-type]
    except OverBudget:
        return False


async def test_a_hundred_calls_at_once_never_exceed_a_budget(database: Database) -> None:
    await Budgets(database).set("u1", "user", {"day": Decimal(3)})
    ledger = Ledger(database)
    outcomes = await asyncio.gather(*(admitted(ledger, number, session=f"s{number % 7}") for number in range(100)))
    assert sum(outcomes) == 10
    (_, day, *_) = await Budgets(database).of("u1")
    assert (day.reserved_usd, day.left_usd, day.percent) == (Decimal(3), 0, 0)


async def test_what_was_not_needed_is_free_again(database: Database) -> None:
    budgets, ledger = Budgets(database), Ledger(database)
    await budgets.set_of_session("s1", Decimal("0.5"))
    assert await admitted(ledger, 1)
    with pytest.raises(OverBudget) as caught:
        await ledger.reserve(call(2))  # type: ignore[arg-type]
    assert caught.value.in_flight and caught.value.budget.kind == "session"
    assert await admitted(ledger, 3, session="s2"), "another session has a budget of its own"
    await ledger.settle(record(price=Decimal("0.1")))
    assert await admitted(ledger, 2)
    await ledger.settle(record(operation_id="o2", price=Decimal("0.3")))
    with pytest.raises(OverBudget) as caught:
        await ledger.reserve(call(4))  # type: ignore[arg-type]
    assert not caught.value.in_flight
    assert await ledger.reserve(call(5, reserved="0"))  # type: ignore[arg-type]
    await budgets.set_of_session("s1", Decimal(1))
    assert await admitted(ledger, 4)


async def test_the_same_attempt_is_asked_only_once(database: Database) -> None:
    ledger = Ledger(database)
    await Budgets(database).set("u1", "user", {"total": Decimal("0.3")})
    assert await ledger.reserve(call(1))  # type: ignore[arg-type]
    assert not await ledger.reserve(call(1)), "its reply was lost"  # type: ignore[arg-type]


async def test_a_dead_workers_reservation_does_not_hinder_the_next_attempt(database: Database) -> None:
    ledger = Ledger(database)
    await Budgets(database).set("u1", "user", {"day": Decimal("0.4")})
    first = call(1)
    await ledger.reserve(first)  # type: ignore[arg-type]
    assert await ledger.reserve(first.model_copy(update={"attempt": 2}))  # type: ignore[attr-defined]


async def test_own_keys_count_apart(database: Database) -> None:
    budgets, ledger = Budgets(database), Ledger(database)
    await budgets.set("u1", "user", {"day": Decimal("0.1")})
    assert await admitted(ledger, 1, credential="user")
    await ledger.settle(
        record(operation_id="o1", credential="user", price=Decimal("0.25"), started_at=datetime.now(UTC))
    )
    (_, day, *_) = await budgets.of("u1")
    assert (day.spent_usd, day.own_keys_usd) == (0, Decimal("0.25"))
    assert not await admitted(ledger, 2)


async def test_a_user_cannot_raise_what_an_operator_set(database: Database) -> None:
    budgets = Budgets(database)
    await budgets.set("", "operator", {"day": Decimal(10), "month": Decimal(50)})
    await budgets.set("u1", "operator", {"day": Decimal(4)})
    await budgets.set("u1", "user", {"day": Decimal(100), "month": Decimal(20)})
    found = {budget.kind: (budget.limit_usd, budget.source) for budget in await budgets.of("u1")}
    assert found == {
        "session": (None, None), "day": (Decimal(4), "operator"), "month": (Decimal(20), "user"), "total": (None, None),
    }  # fmt: skip
    await budgets.set("u1", "operator", {"day": None})
    await budgets.set("u1", "user", {"day": None})
    assert {b.kind: b.source for b in await budgets.of("u1")}["day"] == "default"


async def test_notices_come_once(database: Database) -> None:
    budgets, ledger = Budgets(database), Ledger(database)
    await budgets.set("u1", "user", {"day": Decimal(10)})

    async def spend(number: int, price: str) -> list[int]:
        spent = record(operation_id=f"o{number}", price=Decimal(price), started_at=datetime.now(UTC))
        await ledger.settle(spent)
        claims: list[list[BudgetNotice]] = await asyncio.gather(*(budgets.claim_notices("u1", "s1") for _ in range(5)))
        return [notice.percent for claim in claims for notice in claim]

    assert await spend(1, "4.9") == []
    assert await spend(2, "0.1") == [50]
    assert await spend(3, "4") == [80]
    (notice,) = await budgets.claim_notices("u1", "s1", "day")
    assert (notice.percent, notice.kind) == (100, "day")
    assert notice.resets_at is not None and notice.resets_at > datetime.now(UTC)
    assert "$9.00 of $10.00" in notice.sentence
    await budgets.set("u1", "user", {"day": Decimal(11)})
    assert [n.percent for n in await budgets.claim_notices("u1", "s1")] == [80], "another limit has notices of its own"


async def test_near_a_limit_those_who_chose_so_save(database: Database) -> None:
    budgets = Budgets(database)
    await budgets.set("u1", "user", {"day": Decimal(1)})
    await Ledger(database).settle(record(price=Decimal("0.85"), started_at=datetime.now(UTC)))
    assert not await budgets.saving("u1", "s1")
    await budgets.choose_cheaper("u1", True)
    assert await budgets.saving("u1", "s1")


def test_periods_turn_at_midnight_in_utc() -> None:
    now = datetime(2028, 2, 29, 23, 30, tzinfo=UTC)
    assert period_of("day", now) == (datetime(2028, 2, 29, tzinfo=UTC), datetime(2028, 3, 1, tzinfo=UTC))
    assert period_of("month", now)[1] == datetime(2028, 3, 1, tzinfo=UTC)
    assert period_of("month", now + timedelta(days=306))[1] == datetime(2029, 1, 1, tzinfo=UTC)
