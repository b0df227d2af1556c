"""Hosts of sandboxes: shared slots, names, and a session that goes on elsewhere when its host is killed."""

import asyncio
import os
import shutil
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio import activity, workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import FixedSizeSlotSupplier, Worker, WorkerTuner

from sandbox.capacity import Capacity
from sandbox.settings import SandboxSettings
from schemas.session import Progress, SessionRequest
from stich.home import free_port
from stich.sandbox_host import Slots, host_name
from stich.settings import Settings
from tests.stich.demo_server import demo
from workflows.names import SESSION_WORKFLOW, WORKFLOW_QUEUE

PROMPT = "A kanban board with drag and drop that remembers its cards"


def test_a_host_keeps_its_name_and_shares_it_with_no_other() -> None:
    settings = Settings.from_env({"STICH_HOST_NAME": "rack-1"})
    name = host_name(settings, "/cache/one")
    assert name == host_name(settings, "/cache/one")
    assert name.startswith("rack-1-")
    assert name != host_name(settings, "/cache/two")
    assert name != host_name(Settings.from_env({"STICH_HOST_NAME": "rack-2"}), "/cache/one")


@workflow.defn(name="Many", sandboxed=False)
class Many:
    @workflow.run
    async def run(self, queues: list[str]) -> None:
        await asyncio.gather(
            *(
                workflow.execute_activity("busy", task_queue=queue, start_to_close_timeout=timedelta(seconds=30))
                for queue in queues
            )
        )


@pytest.mark.parametrize("memory,steps", [(4, 1), (64, 2)])
async def test_two_queues_share_the_slots_of_their_host(temporal: Client, memory: int, steps: int) -> None:
    """A host of so many GiB runs so many steps (on two cores); the others wait in their queues."""
    running, most, done = 0, 0, 0

    @activity.defn(name="busy")
    async def busy() -> None:
        nonlocal running, most, done
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.1)
        running -= 1
        done += 1

    declared = SandboxSettings(home=Path("/home"), memory_bytes=memory * 2**30, disk_bytes=2**40)
    slots = Slots(min(2, Capacity.of(declared).steps))
    queues = [f"tq-{uuid.uuid4()}" for _ in range(2)]
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(Worker(temporal, task_queue="tq-many", workflows=[Many]))
        for queue in queues:
            tuner = WorkerTuner.create_composite(
                workflow_supplier=FixedSizeSlotSupplier(1),
                activity_supplier=slots,
                local_activity_supplier=FixedSizeSlotSupplier(1),
                nexus_supplier=FixedSizeSlotSupplier(1),
            )
            worker = Worker(
                temporal, task_queue=queue, activities=[busy], tuner=tuner, max_concurrent_activity_task_polls=1
            )
            await stack.enter_async_context(worker)
        async with asyncio.timeout(30):
            await temporal.execute_workflow(Many.run, queues * 8, id=f"many-{uuid.uuid4()}", task_queue="tq-many")
    assert done == 16
    assert most <= steps + 1  # one more than asked for while both queues are full


@pytest.fixture
async def own_temporal() -> AsyncIterator[Client]:
    """A server of this test's own: its queues have fixed names."""
    environment = await WorkflowEnvironment.start_local(
        dev_server_existing_path=shutil.which("temporal", path=str(Path(sys.executable).parent)),
        data_converter=pydantic_data_converter,
        dev_server_log_level="error",
    )
    yield environment.client
    await environment.shutdown()


@asynccontextmanager
async def host(name: str, folder: Path, variables: dict[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    """A worker process of another host: its own name, home and workspaces."""
    home, ready = folder / name, folder / f"{name}.ready"
    env = {
        **{kept: os.environ[kept] for kept in ("PATH", "HOME") if kept in os.environ},
        **variables,
        "STICH_HOME": str(home),
        "STICH_HOST_NAME": name,
        "STICH_PREVIEW_PORT": str(free_port()),
        "STICH_READY_FILE": str(ready),
    }
    with (folder / f"{name}.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "stich", "worker", env=env, stdout=log, stderr=log
        )
    try:
        await until(ready.exists)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        shutil.rmtree(SandboxSettings(home=home).workspaces, ignore_errors=True)


async def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    for _ in range(int(seconds / 0.05)):
        if condition():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not happen in time")


async def progress_until(handle: WorkflowHandle[object, Progress], reached: Callable[[Progress], bool]) -> Progress:
    async with asyncio.timeout(90):
        while True:
            progress = await handle.query("progress", result_type=Progress)
            if reached(progress):
                return progress
            await asyncio.sleep(0.2)


async def test_a_session_goes_on_at_another_host(own_temporal: Client, database_dsn: str, tmp_path: Path) -> None:
    async with demo() as (_, model):
        variables = {
            "DATABASE_URL": database_dsn,
            "TEMPORAL_ADDRESS": own_temporal.service_client.config.target_host,
            "STICH_DEMO_URL": str(model.base_url).rstrip("/"),
            "STICH_MODEL": "demo/demo",
            "STICH_TOKEN": "a-token-for-tests-0123456789",
        }
        # Both start while the model works: whichever takes the session is killed.
        async with host("host-a", tmp_path, variables) as first, host("host-b", tmp_path, variables) as second:
            handle = await own_temporal.start_workflow(
                SESSION_WORKFLOW,
                SessionRequest(prompt=PROMPT),
                id="session-moving",
                task_queue=WORKFLOW_QUEUE,
                result_type=Progress,
            )
            begun = await progress_until(handle, lambda p: p.host is not None)
            taken, other = ("host-a", "host-b") if str(begun.host).startswith("host-a-") else ("host-b", "host-a")
            assert (SandboxSettings(home=tmp_path / taken).workspaces / "session-moving").is_dir()
            killed = first if taken == "host-a" else second
            killed.send_signal(signal.SIGKILL)
            await killed.wait()
            moved = await progress_until(handle, lambda p: (p.host or "").startswith(f"{other}-"))
            assert moved.state.name not in ("failed", "stopped")
            files = SandboxSettings(home=tmp_path / other).workspaces / "session-moving" / "files"
            # Everything that was stored is there, whoever wrote it.
            assert all((files / file.path).is_file() for file in moved.files[:5])
