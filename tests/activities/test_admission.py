"""Model calls that a budget or a limit does not admit: typed, not retried, not on record, not made."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from pydantic import SecretStr
from temporalio.exceptions import ApplicationError

from activities.admission import due_notices
from activities.model_access import ModelAccess
from inference.custom import UserCredentials
from schemas.failures import Failure
from schemas.limits import LimitRules
from storage.budgets import Budgets
from storage.database import Database
from storage.ledger import Ledger
from tests.activities.test_model_call import ask, environment, server, step_with  # noqa: F401
from tests.fault_server import FaultServer
from tests.storage.test_ledger import record


async def test_a_call_over_budget_is_not_made(database: Database, server: FaultServer) -> None:  # noqa: F811
    step = step_with(database, server, openai="ok")
    budgets = Budgets(database)
    await budgets.set("u1", "user", {"day": Decimal("0.0001")})
    with pytest.raises(ApplicationError) as caught:
        await environment().run(ask, step)
    assert caught.value.non_retryable and caught.value.type == "OverBudget"
    failure = Failure.model_validate(caught.value.details[0])
    assert (failure.code, failure.retry_after) == ("over_budget", None)
    assert failure.until is not None and failure.until.hour == 0
    assert "Today's budget" in failure.sentence and "Raise the budget that you set" in failure.next_action
    assert not server.seen and await step.rooms.ledger.attempts("s1") == []
    (notice,) = await due_notices(step.rooms, "u1", "s1", caught.value)
    assert notice.percent == 100
    assert await due_notices(step.rooms, "u1", "s1", caught.value) == []
    await budgets.set("u1", "user", {"day": Decimal(1)})
    await environment().run(ask, step)
    assert [row.outcome for row in await step.rooms.ledger.attempts("s1")] == ["succeeded"]


async def test_a_limit_is_waited_for_by_the_session(database: Database, server: FaultServer) -> None:  # noqa: F811
    step = step_with(database, server, openai="ok")
    step.rooms.ledger = Ledger(database, LimitRules.parse("provider_calls:openai=1/hour"))
    await environment().run(ask, step)
    step.id = "o2"
    with pytest.raises(ApplicationError) as caught:
        await environment().run(ask, step)
    failure = Failure.model_validate(caught.value.details[0])
    assert caught.value.non_retryable and failure.code == "limit_reached"
    assert failure.retry_after is not None and 3500 < failure.retry_after <= 3600
    assert len(server.seen) == 1


async def test_a_limit_of_the_user_s_key_is_waited_for_with_a_countdown(
    database: Database,
    server: FaultServer,  # noqa: F811
) -> None:
    step = step_with(database, server, openai="ok")
    step.access = ModelAccess(UserCredentials("u1", keys={"openai": SecretStr("a key of the user")}))
    await step.rooms.vault.put("u1", "openai", SecretStr("a key of the user"))
    await step.rooms.vault.set_limits("u1", "openai", 1, None)
    facts: dict[str, object] = {"outcome": "started", "started_at": datetime.now(UTC), "credential": "user"}
    await step.rooms.ledger.reserve(record(user_id="u1", session_id="another", provider="openai", **facts))
    with pytest.raises(ApplicationError) as caught:
        await environment().run(ask, step)
    failure = Failure.model_validate(caught.value.details[0])
    assert failure.code == "limit_reached" and "your key of openai" in failure.sentence
    assert failure.retry_after is not None and 50 < failure.retry_after <= 60
    assert await step.rooms.ledger.attempts("s1") == []


async def test_a_short_wait_for_a_limit_happens_in_the_step(database: Database, server: FaultServer) -> None:  # noqa: F811
    step = step_with(database, server, openai="ok")
    step.rooms.ledger = Ledger(database, LimitRules.parse("calls=1/second"))
    await environment().run(ask, step)
    step.id = "o2"
    await environment().run(ask, step)
    assert len(server.seen) == 2


async def test_near_the_limit_a_cheaper_model_serves(database: Database, server: FaultServer) -> None:  # noqa: F811
    step = step_with(database, server, openai="ok")
    step.access = type(step.access)(saving=True)
    await environment().run(ask, step)
    (row,) = await step.rooms.ledger.attempts("s1")
    assert row.route_reason == "cheapest" and row.model != "openai/gpt-4.1"
