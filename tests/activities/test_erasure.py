"""A session is deleted as a whole: workflow, rows, workspace, what it published, and its history in Temporal."""

import asyncio
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from unittest import mock

from temporalio import workflow
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.erasure import ErasureActivities
from schemas.deployments import Deployment
from schemas.erasure import EraseSession, EraseUser
from schemas.session import Progress, StateInfo
from storage.database import Database
from storage.keyring import KeyRing, KeySource, new_key
from storage.published import PublishedSites
from storage.sessions import Sessions
from storage.vault import Vault
from tests.storage.planting import mentions as mentions_in_bytes
from tests.storage.planting import plant
from tests.storage.test_erasure import GONE, STAYS, fill, mentions
from workflows.housekeeping import EraseSessionWorkflow, EraseUserWorkflow
from workflows.names import ERASE_USER_WORKFLOW, ERASE_WORKFLOW, SANDBOX_QUEUE, WORKFLOW_QUEUE


@workflow.defn(name="Sleeper")
class Sleeper:
    @workflow.run
    async def run(self) -> None:
        await workflow.sleep(timedelta(days=1))


async def test_everything_of_a_session_ends(database: Database, temporal: Client) -> None:
    await fill(database, GONE, "ada")
    await fill(database, STAYS, "bob")
    record = await Sessions(database).get(GONE)
    state = StateInfo(name="completed", since=record.created_at, reason="Done.")
    facts: dict[str, Any] = {"session_id": GONE, "title": "", "prompt": "p", "mode": "deterministic", "state": state}
    at = record.created_at
    published = Deployment(id="d1", target="local", status="live", requested_at=at, changed_at=at)
    progress = Progress(**facts, created_at=at, deployments=[published])
    await Sessions(database).save_progress(GONE, progress)
    removed: list[str] = []

    async def remove(session_id: str) -> None:
        removed.append(session_id)

    rooms: Any = SimpleNamespace(
        database=database,
        sessions=Sessions(database),
        published=PublishedSites(database),
        sandbox=SimpleNamespace(remove=remove),
    )
    acts = ErasureActivities(rooms)
    short = [acts.end, acts.withdraw, acts.erase, acts.erase_history]
    with mock.patch("workflows.housekeeping.LAST_WORDS", timedelta(milliseconds=10)):
        async with (
            Worker(
                temporal,
                task_queue=WORKFLOW_QUEUE,
                workflows=[EraseSessionWorkflow, Sleeper],
                activities=short,
                workflow_runner=UnsandboxedWorkflowRunner(),
            ),
            Worker(temporal, task_queue=SANDBOX_QUEUE, activities=[acts.remove_workspace]),
        ):
            await temporal.start_workflow("Sleeper", id=GONE, task_queue=WORKFLOW_QUEUE)
            given = EraseSession(session_id=GONE, user_id="ada")
            for name in ("erase-once", "erase-again"):
                left = await temporal.execute_workflow(ERASE_WORKFLOW, given, id=name, task_queue=WORKFLOW_QUEUE)
                assert left == []
    assert removed == [GONE, GONE]
    assert await mentions(database, GONE) == []
    assert "sessions" in await mentions(database, STAYS)
    async with asyncio.timeout(100):
        while True:
            try:
                await temporal.get_workflow_handle(GONE).describe()
            except RPCError as error:
                assert error.status is RPCStatusCode.NOT_FOUND
                break
            await asyncio.sleep(0.1)


async def test_everything_of_a_person_ends(database: Database, temporal: Client) -> None:
    await plant(database, "user-gone", "gone-1", "canary-5d1e")
    for number in (2, 3):
        await database.pool.execute(
            "INSERT INTO sessions (id, user_id, prompt, mode) VALUES ($1, 'user-gone', 'p', 'smart')", f"gone-{number}"
        )
    # A progress that no worker wrote says nothing of where the session has been.
    await database.pool.execute("UPDATE sessions SET progress = NULL")
    rooms: Any = SimpleNamespace(
        database=database,
        sessions=Sessions(database),
        sandbox=SimpleNamespace(remove=mock.AsyncMock()),
        vault=Vault(database, KeySource.given(KeyRing([new_key()]).text())),
    )
    acts = ErasureActivities(rooms)
    steps = [acts.end, acts.withdraw, acts.erase, acts.erase_history, acts.refuse, acts.sessions_of, acts.erase_user]
    with (
        mock.patch("workflows.housekeeping.LAST_WORDS", timedelta(milliseconds=10)),
        mock.patch("workflows.housekeeping.DELETED_ALREADY", timedelta(milliseconds=10)),
        mock.patch("activities.erasure.AT_ONCE", 2),
    ):
        async with (
            Worker(
                temporal,
                task_queue=WORKFLOW_QUEUE,
                workflows=[EraseSessionWorkflow, EraseUserWorkflow],
                activities=steps,
                workflow_runner=UnsandboxedWorkflowRunner(),
            ),
            Worker(temporal, task_queue=SANDBOX_QUEUE, activities=[acts.remove_workspace]),
        ):
            # Somebody deleted one of the sessions a moment before.
            one = EraseSession(session_id="gone-2", user_id="user-gone")
            await temporal.start_workflow(ERASE_WORKFLOW, one, id="erase-gone-2", task_queue=WORKFLOW_QUEUE)
            given = EraseUser(user_id="user-gone")
            for name in ("person-once", "person-again"):
                left = await temporal.execute_workflow(ERASE_USER_WORKFLOW, given, id=name, task_queue=WORKFLOW_QUEUE)
                assert left == []
    for text in ("user-gone", "gone-1", "gone-2", "gone-3"):
        assert await mentions_in_bytes(database, text) == []
