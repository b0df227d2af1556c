"""A Temporal server of this room's own: its queues have fixed names, which other rooms' tests use as well."""

import asyncio
import shutil
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import Client, WorkflowHandle
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, Worker

from schemas.session import Progress, SessionRequest
from tests.workflows.stubs import Rooms, Script
from workflows.cockpit import SEARCH_ATTRIBUTES
from workflows.names import INFERENCE_QUEUE, SANDBOX_QUEUE, SESSION_WORKFLOW, WORKFLOW_QUEUE
from workflows.session import CodeGenSession

STUBS: dict[str, Rooms] = {}
"""By session, what its steps and its log are played by."""

Start = Callable[..., Awaitable[WorkflowHandle[CodeGenSession, Progress]]]


@pytest.fixture(scope="session")
async def client() -> AsyncIterator[Client]:
    environment = await WorkflowEnvironment.start_local(
        dev_server_existing_path=shutil.which("temporal", path=str(Path(sys.executable).parent)),
        data_converter=pydantic_data_converter,
        search_attributes=SEARCH_ATTRIBUTES,
        dev_server_log_level="error",
    )
    yield environment.client
    await environment.shutdown()


@pytest.fixture(scope="module")
async def rooms(client: Client) -> AsyncIterator[Rooms]:
    rooms = Rooms()
    activities = rooms.activities()
    async with AsyncExitStack() as stack:
        for queue, kind in ((WORKFLOW_QUEUE, "session"), (INFERENCE_QUEUE, "inference"), (SANDBOX_QUEUE, "sandbox")):
            workflows = [CodeGenSession] if kind == "session" else []
            worker = Worker(
                client,
                task_queue=queue,
                workflows=workflows,
                activities=activities[kind],
                max_heartbeat_throttle_interval=timedelta(seconds=0.1),
                default_heartbeat_throttle_interval=timedelta(seconds=0.1),
            )
            await stack.enter_async_context(worker)
        yield rooms


@pytest.fixture
async def start(client: Client, rooms: Rooms) -> AsyncIterator[Start]:
    """Starts sessions. After the test each is ended, and replayed as far as it came, to be deterministic."""
    started: list[WorkflowHandle[CodeGenSession, Progress]] = []

    async def start(script: Script, **request: object) -> WorkflowHandle[CodeGenSession, Progress]:
        session_id = f"session-{uuid.uuid4().hex[:12]}"
        rooms.scripts[session_id] = script
        STUBS[session_id] = rooms
        handle = await client.start_workflow(
            SESSION_WORKFLOW,
            SessionRequest.model_validate({"prompt": "an app", **request}),
            id=session_id,
            task_queue=WORKFLOW_QUEUE,
            result_type=Progress,
        )
        started.append(handle)
        return handle

    yield start
    for handle in started:
        with suppress(RPCError):  # it may have come to its end
            await handle.terminate()
        await replay(handle)


async def replay(handle: WorkflowHandle[CodeGenSession, Progress]) -> None:
    """Raises when the workflow's code does not repeat the commands of its history."""
    replayer = Replayer(
        workflows=[CodeGenSession],
        data_converter=pydantic_data_converter,
        workflow_runner=UnsandboxedWorkflowRunner(),  # commands are compared alike, and it starts faster
        debug_mode=True,  # a busy machine may take longer than 2 s for a whole history, which else counts as a deadlock
    )
    async with asyncio.timeout(40):
        await replayer.replay_workflow(await handle.fetch_history())


async def progress_of(handle: WorkflowHandle[CodeGenSession, Progress]) -> Progress:
    return await handle.query("progress", result_type=Progress)


async def until(
    handle: WorkflowHandle[CodeGenSession, Progress], reached: Callable[[Progress], bool], seconds: float = 100
) -> Progress:
    """The progress as soon as `reached` holds for it and the events up to its state are in the log."""
    async with asyncio.timeout(seconds):
        while True:
            progress = await progress_of(handle)
            if reached(progress):
                break
            await asyncio.sleep(0.05)
        while handle.id in STUBS and not STUBS[handle.id].told(handle.id, progress.state):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        return progress
