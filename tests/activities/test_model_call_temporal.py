"""Model calls under a real Temporal: retries wait as the provider asked, a stop reaches the provider's connection."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from temporalio import activity, workflow
from temporalio.client import Client, WorkflowFailureError
from temporalio.common import RetryPolicy
from temporalio.worker import UnsandboxedWorkflowRunner, Worker
from temporalio.workflow import ActivityCancellationType

from activities.heartbeat import heartbeat
from activities.model_call import stream_model
from inference.wire import gather
from schemas.inference import ActionKey
from storage.database import Database
from tests.activities.test_model_call import MESSAGES, ONE, Step, step_with
from tests.fault_server import TEXT, FaultServer


class Telling:
    """An activity that asks a model for a story."""

    def __init__(self, step: Step) -> None:
        self._step = step

    @activity.defn(name="tell_story")
    async def tell(self) -> str:
        async with heartbeat():
            stream = stream_model(self._step, ActionKey.CODE_REVIEW, MESSAGES, overrides=ONE)
            return gather([delta async for delta in stream]).text


@workflow.defn(name="Story")
class Story:
    @workflow.run
    async def run(self) -> str:
        text: str = await workflow.execute_activity(
            "tell_story",
            start_to_close_timeout=timedelta(minutes=1),
            heartbeat_timeout=timedelta(seconds=5),
            cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=100), maximum_attempts=5),
            result_type=str,
        )
        return text


@pytest.fixture
async def server() -> AsyncIterator[FaultServer]:
    async with FaultServer() as server:
        yield server


@asynccontextmanager
async def worker(client: Client, step: Step) -> AsyncIterator[str]:
    queue = f"model-calls-{uuid.uuid4()}"
    async with Worker(
        client,
        task_queue=queue,
        workflows=[Story],
        activities=[Telling(step).tell],
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_heartbeat_throttle_interval=timedelta(milliseconds=500),
    ):
        yield queue


async def test_a_limit_is_waited_for_and_every_attempt_recorded(
    temporal: Client, database: Database, server: FaultServer
) -> None:
    step = step_with(database, server, openai="503,429_seconds,ok")
    async with worker(temporal, step) as queue:
        started = time.monotonic()
        text = await temporal.execute_workflow(Story.run, id=queue, task_queue=queue)
    assert text == "".join(TEXT)
    assert time.monotonic() - started >= 2
    rows = await step.rooms.ledger.attempts("s1")
    assert [(row.attempt, row.error_code) for row in rows] == [
        (1, "provider_overloaded"), (2, "rate_limited"), (3, None),
    ]  # fmt: skip
    assert len(server.seen) == 3


async def test_what_cannot_heal_is_tried_once(temporal: Client, database: Database, server: FaultServer) -> None:
    async with worker(temporal, step_with(database, server, openai="400_context")) as queue:
        with pytest.raises(WorkflowFailureError):
            await temporal.execute_workflow(Story.run, id=queue, task_queue=queue)
    assert len(server.seen) == 1


async def test_a_stop_reaches_the_provider_within_a_second(
    temporal: Client, database: Database, server: FaultServer
) -> None:
    step = step_with(database, server, openai="hang_middle")
    async with worker(temporal, step) as queue:
        handle = await temporal.start_workflow(Story.run, id=queue, task_queue=queue)
        async with asyncio.timeout(20):
            while not server.seen:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await asyncio.sleep(1.2)
        stopped = time.monotonic()
        await handle.cancel()
        await asyncio.wait_for(server.seen[0].closed.wait(), 10)
        assert server.seen[0].closed_at is not None
        assert server.seen[0].closed_at - stopped < 1.5, "a second, and half of one for a busy test machine"
        with pytest.raises(WorkflowFailureError):
            await handle.result()
    (row,) = await step.rooms.ledger.attempts("s1")
    assert row.outcome == "cancelled" and row.output_tokens > 0
