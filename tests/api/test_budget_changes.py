"""A session hears that its budget was raised, also when the process that raised it dies before it could tell."""

import asyncio
from decimal import Decimal
from uuid import uuid4

import pytest
from temporalio.client import Client, WorkflowHandle

from api.budget_changes import BudgetTeller
from api.session_workflows import SessionWorkflows
from schemas.session import SessionRequest, State
from storage.budgets import Budgets
from storage.database import Database
from storage.sessions import SessionRecord, Sessions
from tests.api.conftest import running
from tests.api.session_double import SessionDouble
from workflows.names import SESSION_WORKFLOW, SIGNAL_BUDGET_CHANGED, WORKFLOW_QUEUE

SIGNALED = 26  # EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED


async def waiting(database: Database, temporal: Client) -> "WorkflowHandle[SessionDouble, object]":
    """A session that waits for a budget."""
    name = f"waits-{uuid4()}"
    handle: WorkflowHandle[SessionDouble, object] = await temporal.start_workflow(
        SESSION_WORKFLOW, SessionRequest(prompt="An app", user_id="local"), id=name, task_queue=WORKFLOW_QUEUE
    )
    await Sessions(database).create(SessionRecord(id=name, prompt="An app", mode="smart", state="waiting_for_budget"))
    return handle


async def heard(handle: "WorkflowHandle[SessionDouble, object]") -> int:
    """How often the session was told."""
    events = [event async for event in handle.fetch_history_events() if event.event_type == SIGNALED]
    names = [event.workflow_execution_signaled_event_attributes.signal_name for event in events]
    return names.count(SIGNAL_BUDGET_CHANGED)


async def until_heard(handle: "WorkflowHandle[SessionDouble, object]") -> None:
    for _ in range(200):
        if await heard(handle):
            return
        await asyncio.sleep(0.1)
    raise AssertionError("the session was not told")


@pytest.mark.parametrize("died", ["before it looked", "while it told"])
async def test_the_next_process_tells_what_a_dead_one_did_not(database: Database, temporal: Client, died: str) -> None:
    handle = await waiting(database, temporal)
    budgets = Budgets(database)
    await budgets.set("local", "user", {"day": Decimal(9)})  # committed, and here the process is gone
    if died == "while it told":
        assert [session for session, _ in await budgets.take_changes()] == [handle.id]
        assert await budgets.take_changes() == []
        await database.pool.execute("UPDATE budget_changes SET next_at = now()")  # its time to tell is over
    async with running(database, temporal):
        await until_heard(handle)
    assert await database.pool.fetchval("SELECT count(*) FROM budget_changes") == 0
    await handle.terminate()


async def test_what_temporal_did_not_take_is_told_later(database: Database, temporal: Client) -> None:
    handle = await waiting(database, temporal)
    nowhere = await Client.connect("127.0.0.1:9", lazy=True)
    await Budgets(database).set_of_session(handle.id, Decimal(2))
    await BudgetTeller(Budgets(database), SessionWorkflows(nowhere)).tell_all()
    assert await database.pool.fetchval("SELECT count(*) FROM budget_changes") == 1
    await database.pool.execute("UPDATE budget_changes SET next_at = now()")
    await BudgetTeller(Budgets(database), SessionWorkflows(temporal)).tell_all()
    assert await heard(handle) == 1
    assert await database.pool.fetchval("SELECT count(*) FROM budget_changes") == 0
    await handle.terminate()


async def test_a_newer_change_is_told_too(database: Database) -> None:
    budgets = Budgets(database)
    await budgets.set_of_session("s", Decimal(2))
    ((session, change),) = await budgets.take_changes()
    await budgets.set_of_session("s", Decimal(3))
    await budgets.told(session, change)
    assert [name for name, _ in await budgets.take_changes()] == ["s"]


async def test_only_sessions_that_may_wait_are_told(database: Database) -> None:
    states: tuple[tuple[str, str, State], ...]
    states = (("a", "ada", "waiting_for_budget"), ("b", "ada", "completed"), ("c", "bob", "planning"))
    for name, user, state in states:
        await Sessions(database).create(SessionRecord(id=name, user_id=user, prompt="p", mode="smart", state=state))
    await Budgets(database).set("ada", "operator", {"day": Decimal(1)})
    assert [name for name, _ in await Budgets(database).take_changes()] == ["a"]
    await Budgets(database).set("", "operator", {"day": Decimal(1)})
    assert sorted(name for name, _ in await Budgets(database).take_changes()) == ["a", "c"]


async def test_a_raised_budget_is_told_at_once(database: Database, temporal: Client) -> None:
    handle = await waiting(database, temporal)
    async with running(database, temporal) as service:
        answer = await service.signed_in.put(f"/api/sessions/{handle.id}/budget", json={"limit_usd": 5})
        assert answer.status_code == 200
        await service.app.state.services.background.settle()
        assert await heard(handle) == 1
    await handle.terminate()
