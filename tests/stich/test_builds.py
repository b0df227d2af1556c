"""Builds of workers: their names, sessions that move from one to the next, and the gate before that."""

import asyncio
import contextlib
import shutil
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.common import VersioningBehavior
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from schemas.session import Progress, SessionRequest
from stich.builds import build_id, code_digest, deployment, told_only
from stich.cli import main
from stich.errors import StichError
from stich.queues import workflow_runner
from stich.replay_gate import Replayed, of_namespace, replayed, save, saved
from stich.settings import Settings
from tests.replay.record import HISTORIES
from tests.workflows.conftest import until
from tests.workflows.stubs import Rooms, Script
from workflows.cockpit import SEARCH_ATTRIBUTES
from workflows.names import INFERENCE_QUEUE, SANDBOX_QUEUE, SESSION_WORKFLOW, WORKFLOW_QUEUE
from workflows.session import CodeGenSession

TEMPORAL = shutil.which("temporal", path=str(Path(sys.executable).parent)) or "temporal"


QUEUES = {WORKFLOW_QUEUE: "session", INFERENCE_QUEUE: "inference", SANDBOX_QUEUE: "sandbox"}


def settings(build: str) -> Settings:
    return Settings.from_env({"STICH_DEPLOYMENT": "stich", "STICH_BUILD_ID": build})


def test_a_build_is_named_by_its_code_unless_it_has_a_name() -> None:
    assert build_id(Settings.from_env({})) == f"0.1.0-{code_digest()}"
    assert build_id(settings("2026-01")) == "2026-01"


def test_builds_are_kept_apart_where_a_deployment_is_named() -> None:
    plain = deployment(Settings.from_env({}))
    assert (plain.use_worker_versioning, plain.version.deployment_name) == (False, "stich")
    versioned = deployment(settings("one"))
    assert versioned.use_worker_versioning
    assert versioned.default_versioning_behavior is VersioningBehavior.AUTO_UPGRADE
    assert versioned.version.to_canonical_string() == "stich.one"
    assert not told_only(settings("one")).use_worker_versioning


class Place:
    """A Temporal of these tests' own, and rooms that several builds of workers share."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.rooms = Rooms()

    @contextlib.asynccontextmanager
    async def build(self, name: str) -> AsyncIterator[None]:
        """Workers of a build, until the block is left."""
        activities = self.rooms.activities()
        async with AsyncExitStack() as stack:
            for queue, kind in QUEUES.items():
                worker = Worker(
                    self.client,
                    task_queue=queue,
                    workflows=[CodeGenSession] if kind == "session" else [],
                    activities=activities[kind],
                    workflow_runner=workflow_runner(),
                    deployment_config=deployment(settings(name)),
                )
                await stack.enter_async_context(worker)
            yield

    async def make_current(self, name: str) -> None:
        """As docs/production.md says it."""
        address = self.client.service_client.config.target_host
        command = [
            *(TEMPORAL, "worker", "deployment", "set-current-version", "--address", address),
            *("--deployment-name", "stich", "--build-id", name, "--yes"),
        ]
        for _ in range(100):  # until Temporal has heard of the build's pollers
            process = await asyncio.create_subprocess_exec(
                *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
            )
            said, _ = await process.communicate()
            if process.returncode == 0:
                return
            await asyncio.sleep(0.1)
        raise AssertionError(said.decode())

    async def start(self, script: Script, **request: object) -> WorkflowHandle[CodeGenSession, Progress]:
        session_id = f"session-{uuid.uuid4().hex[:12]}"
        self.rooms.scripts[session_id] = script
        return await self.client.start_workflow(
            SESSION_WORKFLOW,
            SessionRequest.model_validate({"prompt": "an app", **request}),
            id=session_id,
            task_queue=WORKFLOW_QUEUE,
            result_type=Progress,
        )


async def build_of(handle: WorkflowHandle[Any, Any]) -> str:
    info = (await handle.describe()).raw_description.workflow_execution_info.versioning_info
    return info.deployment_version.build_id


@pytest.fixture(scope="module")
async def place() -> AsyncIterator[Place]:
    environment = await WorkflowEnvironment.start_local(
        dev_server_existing_path=TEMPORAL,
        data_converter=pydantic_data_converter,
        search_attributes=SEARCH_ATTRIBUTES,
        dev_server_log_level="error",
    )
    yield Place(environment.client)
    await environment.shutdown()


async def test_sessions_of_one_build_finish_while_the_next_one_runs(place: Place) -> None:
    hold = asyncio.Event()
    async with place.build("one"):
        await place.make_current("one")
        working = await place.start(Script(phases=2, hold={"phase-1/implement": hold}), keep_open=False)
        resting = await place.start(Script(phases=1))
        await until(resting, lambda p: p.state.name == "completed")
        await until(working, lambda p: any(o.id == "phase-1/implement" for o in p.operations))
        async with place.build("two"):
            assert await build_of(working) == "one", "nothing moves before it is said to"
            await place.make_current("two")
            new = await place.start(Script(phases=1), keep_open=False)
            assert (await new.result()).state.name == "completed"
            assert await build_of(new) == "two"
            hold.set()
            assert (await working.result()).state.name == "completed"
            assert await build_of(working) == "two"
            # A rest of weeks ends at the new build too, and the old one may be gone by then.
    async with place.build("two"):
        await resting.signal("message", {"id": "m-1", "text": "Make it blue."})
        await until(resting, lambda p: len(p.messages) == 1 and p.messages[0].answered)
        assert await build_of(resting) == "two"
        await visible(place, 3)
        assert [each async for each in verdicts(place)] == [None] * 3


async def visible(place: Place, sessions: int) -> None:
    """Until Temporal lists them, which it does a moment later."""
    for _ in range(100):
        if len([history async for history in of_namespace(place.client, 20)]) >= sessions:
            return
        await asyncio.sleep(0.1)


async def verdicts(place: Place, *workflows: type) -> AsyncIterator[str | None]:
    more = {"workflows": workflows} if workflows else {}
    async for each in replayed(of_namespace(place.client, 20), pydantic_data_converter, **more):
        yield each.problem


@workflow.defn(name=SESSION_WORKFLOW, sandboxed=False)
class OtherSession:
    """A build whose workflow does something else first."""

    @workflow.run
    async def run(self, request: Any) -> None:
        await workflow.sleep(1)


async def test_a_build_that_cannot_go_on_with_what_runs_is_stopped_at_the_gate(place: Place) -> None:
    found = [each async for each in verdicts(place, OtherSession)]
    assert found and all(problem is not None and "TMPRL1100" in problem for problem in found)


async def test_histories_are_kept_and_replayed_from_files(place: Place, tmp_path: Path) -> None:
    async for history in of_namespace(place.client, 20):
        save(tmp_path, history)
    kept: list[Replayed] = [each async for each in replayed(saved(tmp_path), pydantic_data_converter)]
    assert len(kept) == 3 and all(each.problem is None and each.events > 10 for each in kept)
    (tmp_path / "odd.json").write_text("[]")
    with pytest.raises(StichError, match=r"odd\.json is not a history"):
        [each async for each in replayed(saved(tmp_path), pydantic_data_converter)]


def test_the_command_replays_what_is_kept(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    shutil.copy(HISTORIES / "happy.json", tmp_path)
    assert main(["replay-gate", "--saved", str(tmp_path)]) == 0
    text = (HISTORIES / "happy.json").read_text()
    (tmp_path / "changed.json").write_text(text.replace('"write_blueprint"', '"plan_phase"'))
    capsys.readouterr()
    assert main(["replay-gate", "--saved", str(tmp_path)]) == 1
    shown = capsys.readouterr().out.splitlines()
    assert "FAILED" in shown[0] and shown[1].endswith(": ok") and "cannot go on with 1 of 2 histories" in shown[2]
