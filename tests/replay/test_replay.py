"""Sessions that began before a change of the workflows go on after it. When a test here fails, see `record.py`."""

import base64
import json
import tempfile
from pathlib import Path

import pytest
from temporalio.api.history.v1 import History
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner
from temporalio.workflow import NondeterminismError

from tests.replay.record import HISTORIES, MACHINE
from workflows.session import CodeGenSession

FILES = sorted(HISTORIES.glob("*.json"))
PHASES = {"repair": 3, "message": 4}


@pytest.fixture(scope="module")
def replayer() -> Replayer:
    return Replayer(
        workflows=[CodeGenSession],
        data_converter=pydantic_data_converter,
        workflow_runner=UnsandboxedWorkflowRunner(),  # commands are compared alike, and it starts faster
    )


def load(file: Path) -> WorkflowHistory:
    kept = json.loads(file.read_text())
    return WorkflowHistory.from_json(kept["id"], kept)


def test_every_kind_of_session_is_there() -> None:
    wanted = {"happy", "repair", "message", "stop-and-resume", "interrupt", "capacity", "smart", "tour"}
    assert {file.stem for file in FILES} == wanted | {"continue-as-new-1", "continue-as-new-2"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
async def test_it_replays(file: Path, replayer: Replayer) -> None:
    await replayer.replay_workflow(load(file))


async def test_a_change_of_course_is_noticed(replayer: Replayer) -> None:
    text = (HISTORIES / "happy.json").read_text()
    assert '"write_blueprint"' in text
    kept = json.loads(text.replace('"write_blueprint"', '"plan_phase"'))
    with pytest.raises(NondeterminismError):
        await replayer.replay_workflow(WorkflowHistory.from_json(kept["id"], kept))


@pytest.mark.parametrize("name", PHASES)
def test_history_stays_small(name: str) -> None:
    """Ten phases stay below 2,000 events and 2 MB, and one below 80 events, on a busy machine too."""
    events = load(HISTORIES / f"{name}.json").events
    size = History(events=events).ByteSize()
    assert len(events) / PHASES[name] < 80
    assert len(events) / PHASES[name] * 10 < 2_000
    assert size / PHASES[name] * 10 < 2_000_000


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_nothing_of_the_machine_is_kept(file: Path) -> None:
    text = file.read_text()
    payloads = [base64.b64decode(data).decode(errors="replace") for data in _data(json.loads(text))]
    assert not any(f'"{field}"' in text for field in MACHINE)
    for secret in (f"{Path.home()}/", str(HISTORIES.parents[2]), tempfile.gettempdir(), "sk-"):
        assert not any(secret in payload for payload in payloads)


def _data(value: object) -> list[str]:
    if isinstance(value, dict):
        own = [value["data"]] if isinstance(value.get("data"), str) else []
        return own + [data for part in value.values() for data in _data(part)]
    return [data for part in value for data in _data(part)] if isinstance(value, list) else []
