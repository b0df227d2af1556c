"""What somebody waits for goes before what nobody does, and one user's burst does not keep another waiting."""

import asyncio
import shutil
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from schemas.session import Progress, QueuedMessage, SessionRequest, StateInfo, Urgency
from tests.workflows.stubs import Rooms, Script
from workflows.cockpit import SEARCH_ATTRIBUTES
from workflows.names import INFERENCE_QUEUE, SANDBOX_QUEUE, SESSION_WORKFLOW, WORKFLOW_QUEUE
from workflows.precedence import AT_ONCE, BATCH, FAIRNESS_BYTES, INTERACTIVE, rank, share, urgency_of
from workflows.session import CodeGenSession

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_share_is_a_users_own_and_fits() -> None:
    assert share("ada", BATCH) == share("ada", BATCH) != share("bob", BATCH)
    long = share("ä" * 60, INTERACTIVE).fairness_key
    assert long is not None and len(long.encode()) <= FAIRNESS_BYTES


def test_a_batch_that_somebody_talks_to_is_no_batch() -> None:
    progress = Progress(
        session_id="s", title="t", prompt="p", mode="smart", created_at=NOW,
        state=StateInfo(name="idle", since=NOW, reason=""),
    )  # fmt: skip
    assert (rank("interactive"), rank("batch"), rank("batch", progress)) == (INTERACTIVE, BATCH, BATCH)
    progress.messages.append(QueuedMessage(id="m", text="faster", author="ada", at=NOW))
    assert rank("batch", progress) == INTERACTIVE


def test_who_waits_for_calls_of_a_day_waits_for_all_of_it() -> None:
    assert urgency_of(SessionRequest(prompt="an app")) == "interactive"
    assert urgency_of(SessionRequest(prompt="an app", bulk=True)) == "batch"


@pytest.fixture(scope="module")
async def fair() -> AsyncIterator[Client]:
    """A Temporal that shares its queues out by user, as `stich up` starts it."""
    environment = await WorkflowEnvironment.start_local(
        dev_server_existing_path=shutil.which("temporal", path=str(Path(sys.executable).parent)),
        data_converter=pydantic_data_converter,
        search_attributes=SEARCH_ATTRIBUTES,
        dev_server_log_level="error",
        dev_server_extra_args=["--dynamic-config-value", "matching.enableFairness=true"],
    )
    yield environment.client
    await environment.shutdown()


class OneWorker:
    """A worker with few slots, and the sessions that are started on it. `ended` lists them as they end."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._rooms = Rooms()
        self.ended: list[str] = []

    def workers(self) -> list[Worker]:
        given = self._rooms.activities()
        return [
            Worker(self._client, task_queue=WORKFLOW_QUEUE, workflows=[CodeGenSession], activities=given["session"]),
            *(
                Worker(self._client, task_queue=queue, activities=given[kind], max_concurrent_activities=2)
                for queue, kind in ((INFERENCE_QUEUE, "inference"), (SANDBOX_QUEUE, "sandbox"))
            ),
        ]

    async def begin(self, name: str, user_id: str, urgency: Urgency) -> "asyncio.Task[None]":
        """Start a session as any program may, without a priority of its own. The task waits for its end."""
        session_id = f"{name}-{uuid.uuid4().hex[:8]}"
        self._rooms.scripts[session_id] = Script(phases=1, seconds=0.1)  # so that what is waited for are slots
        request = SessionRequest(prompt="an app", user_id=user_id, urgency=urgency, keep_open=False)
        handle = await self._client.start_workflow(
            SESSION_WORKFLOW, request, id=session_id, task_queue=WORKFLOW_QUEUE, result_type=Progress
        )

        async def end() -> None:
            try:
                await handle.result()
            except asyncio.CancelledError:
                await handle.terminate()
                raise
            self.ended.append(name)
            if name == "mine":
                await self._check_history(session_id)

        return asyncio.create_task(end())

    async def _check_history(self, session_id: str) -> None:
        history = await self._client.get_workflow_handle(session_id).fetch_history()
        steps = [
            event.activity_task_scheduled_event_attributes
            for event in history.events
            if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
        ]
        assert {step.priority.fairness_key for step in steps} == {"bob"}
        assert {step.priority.priority_key for step in steps if step.activity_type.name == "record_events"} <= {AT_ONCE}
        assert {step.priority.priority_key for step in steps} - {AT_ONCE} == {INTERACTIVE}


@pytest.mark.parametrize(("urgency", "others"), [("batch", "interactive"), ("interactive", "interactive")])
async def test_thirty_of_one_user_do_not_keep_another_waiting(fair: Client, urgency: Urgency, others: Urgency) -> None:
    """Thirty sessions that are a batch, or that are not and only share with the other user fairly."""
    place = OneWorker(fair)
    burst = await asyncio.gather(*(place.begin(f"batch-{number}", "ada", urgency) for number in range(30)))
    mine = await place.begin("mine", "bob", others)
    async with AsyncExitStack() as stack:
        for worker in place.workers():
            await stack.enter_async_context(worker)
        await mine
        before = len(place.ended) - 1
        for task in burst:
            task.cancel()
        await asyncio.gather(*burst, return_exceptions=True)
    assert before <= 5, f"{before} of 30 ended before it"
