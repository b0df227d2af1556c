"""What users do beside the builders: edits of files and of messages, restores, checks on request, forks."""

import asyncio

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from schemas.session import ForkOrigin, MessageEdit, QueuedMessage, StateInfo, UserMessage
from schemas.versions import FilesEdited, Restored, RestoreProject
from tests.workflows.conftest import Start, progress_of, until
from tests.workflows.stubs import Rooms, Script, ref


async def refused(update: object) -> str:
    """The type of the refusal."""
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await update  # type: ignore[misc]
    assert isinstance(caught.value.cause, ApplicationError)
    return caught.value.cause.type or ""


async def test_an_edit_reaches_the_picture_while_a_step_runs(start: Start, rooms: Rooms) -> None:
    gate = asyncio.Event()
    script = Script(phases=1, hold={"phase-1/implement": gate})
    handle = await start(script)
    await until(handle, lambda p: "phase-1/implement" in rooms.runs[handle.id])
    script.edited, script.deleted = [ref("src/mine.ts", 50)], {"index.html": 51}
    await handle.signal("files_edited", FilesEdited(version=50))
    shown = await until(handle, lambda p: "src/mine.ts" in [file.path for file in p.files])
    assert "index.html" not in [file.path for file in shown.files]
    gate.set()
    done = await until(handle, lambda p: p.state.name == "completed")
    paths = {file.path for file in done.files}
    assert {"src/mine.ts", "src/phase-1.tsx"} <= paths and "index.html" not in paths


async def test_an_edit_waits_while_the_sandbox_is_at_work(start: Start, rooms: Rooms) -> None:
    gate, written = asyncio.Event(), asyncio.Event()
    # The README is held too: files that a step changes while an edit is read are a reason to read it again.
    script = Script(phases=1, hold={"phase-1/check-0": gate, "phase-1/readme": written})
    handle = await start(script)
    await until(handle, lambda p: "phase-1/check-0" in rooms.runs[handle.id])
    script.edited = [ref("src/mine.ts", 50)]
    for _ in range(3):
        await handle.signal("files_edited", FilesEdited(version=50))
    await asyncio.sleep(0.3)
    assert "edits-50" not in rooms.runs[handle.id]
    gate.set()
    await until(handle, lambda p: "src/mine.ts" in [file.path for file in p.files])
    assert rooms.runs[handle.id].count("edits-50") == 1
    written.set()
    await until(handle, lambda p: p.state.name == "completed")


async def test_an_older_text_of_a_step_does_not_hide_an_edit(start: Start, rooms: Rooms) -> None:
    gate = asyncio.Event()
    script = Script(phases=1, hold={"phase-1/implement": gate})
    handle = await start(script)
    await until(handle, lambda p: "phase-1/implement" in rooms.runs[handle.id])
    script.edited = [ref("src/phase-1.tsx", 50)]
    await handle.signal("files_edited", FilesEdited(version=50))
    await until(handle, lambda p: "src/phase-1.tsx" in [file.path for file in p.files])
    gate.set()
    done = await until(handle, lambda p: p.state.name == "completed")
    assert {file.path: file.version for file in done.files}["src/phase-1.tsx"] == 50


async def test_restoring_needs_rest(start: Start, rooms: Rooms) -> None:
    gate = asyncio.Event()
    script = Script(phases=1, hold={"phase-1/implement": gate})
    handle = await start(script)
    await until(handle, lambda p: "phase-1/implement" in rooms.runs[handle.id])
    wanted = RestoreProject(version=3)
    assert await refused(handle.execute_update("restore", wanted, result_type=Restored)) == "busy"
    assert await refused(handle.execute_update("check", result_type=StateInfo)) == "busy"
    await handle.execute_update("stop", result_type=StateInfo)
    restored = await handle.execute_update("restore", wanted, result_type=Restored)
    assert restored == Restored(version=103, files=["index.html"])
    assert rooms.cancelled[handle.id] == ["phase-1/implement"]  # it had ended before files changed
    assert [(file.path, file.version) for file in (await progress_of(handle)).files] == [("index.html", 103)]
    gate.set()
    await handle.execute_update("resume", result_type=StateInfo)
    done = await until(handle, lambda p: p.state.name == "completed")
    again = await handle.execute_update("restore", RestoreProject(version=4), result_type=Restored)
    assert again.version == 104 and done.state.name == "completed"


async def test_a_check_on_request_calls_no_model(start: Start, rooms: Rooms) -> None:
    script = Script(phases=1)
    handle = await start(script)
    await until(handle, lambda p: p.state.name == "completed")
    before = list(rooms.runs[handle.id])
    script.broken_checks = 1
    await handle.execute_update("check", result_type=StateInfo)
    await until(handle, lambda p: p.state.name == "failed")
    await handle.execute_update("check", result_type=StateInfo)
    await until(handle, lambda p: p.state.name == "completed")
    ran = [run.partition("/")[2].partition("-")[0] for run in rooms.runs[handle.id][len(before) :]]
    assert ran == ["check", "check", "preview"]


async def test_a_queued_message_is_edited_and_withdrawn(start: Start, rooms: Rooms) -> None:
    writing, planning = asyncio.Event(), asyncio.Event()
    handle = await start(Script(phases=1, hold={"phase-1/implement": writing, "phase-2/plan": planning}))
    await until(handle, lambda p: "phase-1/implement" in rooms.runs[handle.id])
    for number in range(3):
        await handle.signal("message", UserMessage(id=f"m{number}", text=f"change {number}"))
    await until(handle, lambda p: len(p.messages) == 3 and all(m.answered for m in p.messages))
    edit = MessageEdit(id="m1", text="rather this")
    edited = await handle.execute_update("edit_message", edit, result_type=QueuedMessage)
    assert (edited.text, edited.state) == ("rather this", "queued")
    await until(handle, lambda p: all(m.answered for m in p.messages))
    assert "message-m1-edit-1" in rooms.runs[handle.id], "another text is read anew"
    for _ in range(2):
        gone = await handle.execute_update("withdraw_message", "m0", result_type=QueuedMessage)
        assert gone.state == "withdrawn"
    unknown = handle.execute_update("withdraw_message", "m9", result_type=QueuedMessage)
    assert await refused(unknown) == "unknown_message"
    writing.set()
    await until(handle, lambda p: "phase-2/plan" in rooms.runs[handle.id])
    for late in (
        handle.execute_update("edit_message", edit, result_type=QueuedMessage),
        handle.execute_update("withdraw_message", "m1", result_type=QueuedMessage),
        handle.execute_update("edit_message", MessageEdit(id="m0", text="x"), result_type=QueuedMessage),
    ):
        assert await refused(late) == "too_late"
    planning.set()
    done = await until(handle, lambda p: p.state.name == "completed")
    assert done.phases[1].message_ids == ["m1", "m2"]
    assert [(m.id, m.state, m.phase_id) for m in done.messages[1:]] == [
        ("m1", "done", "phase-2"),
        ("m2", "done", "phase-2"),
    ]
    told = [event["message"] for _, event in sorted(rooms.events[handle.id].items()) if event["type"] == "message"]
    assert [turn["state"] for turn in told if turn["id"] == "m0"] == ["queued", "being_read", "queued", "withdrawn"]
    planned = [turn for turn in told if turn["id"] == "m1" and turn["state"] == "planned"]
    assert [(turn["text"], turn["phase_id"]) for turn in planned] == [("rather this", "phase-2")]


@pytest.mark.parametrize("mode", ["deterministic", "smart"])
async def test_a_fork_of_a_finished_session_is_checked_and_paid_nothing_for(
    start: Start, rooms: Rooms, mode: str
) -> None:
    origin = ForkOrigin(session_id="session-other", version=7)
    handle = await start(Script(phases=2, carried=2), mode=mode, fork=origin)
    done = await until(handle, lambda p: p.state.name == "completed")
    assert [phase.id for phase in done.phases] == ["phase-1", "phase-2"] and done.forked_from == origin
    ran = [run.rpartition("/")[2].partition("-")[0] for run in rooms.runs[handle.id]]
    assert ran == ["create", "fork", "check", "preview"]


async def test_a_fork_goes_on_where_the_version_was(start: Start, rooms: Rooms) -> None:
    handle = await start(Script(phases=3, carried=1), fork=ForkOrigin(session_id="session-other", version=7))
    done = await until(handle, lambda p: p.state.name == "completed")
    assert [phase.status for phase in done.phases] == ["completed"] * 3
    assert "blueprint" not in rooms.runs[handle.id] and "phase-1/implement" not in rooms.runs[handle.id]


async def test_a_fork_from_before_the_first_phase_begins_with_it(start: Start, rooms: Rooms) -> None:
    handle = await start(Script(phases=2, carried=0), fork=ForkOrigin(session_id="session-other", version=1))
    done = await until(handle, lambda p: p.state.name == "completed")
    assert [phase.id for phase in done.phases] == ["phase-1", "phase-2"]
    assert "blueprint" not in rooms.runs[handle.id] and "template" not in rooms.runs[handle.id]
