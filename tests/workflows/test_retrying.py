"""A phase that begins anew: what is taken back, what goes on, and when it is refused."""

import asyncio

import pytest
from temporalio.client import WorkflowHandle

from schemas.session import ForkOrigin, Progress, StateInfo, UserMessage
from schemas.versions import PhaseRetried, RetryPhase
from tests.workflows.conftest import Start, progress_of, until
from tests.workflows.stubs import Rooms, Script, refusal
from tests.workflows.test_changes import refused
from workflows.session import CodeGenSession

Handle = WorkflowHandle[CodeGenSession, Progress]


async def retry(handle: Handle, phase_id: str) -> PhaseRetried:
    return await handle.execute_update("retry_phase", RetryPhase(phase_id=phase_id), result_type=PhaseRetried)


async def completed(handle: Handle, *phases: str) -> Progress:
    return await until(handle, lambda p: p.state.name == "completed" and [x.id for x in p.phases] == [*phases])


async def test_it_goes_back_and_builds_from_there(start: Start, rooms: Rooms) -> None:
    script = Script(phases=3)
    handle = await start(script, plan_ahead=False)
    await completed(handle, "phase-1", "phase-2", "phase-3")
    before = len(rooms.runs[handle.id])
    done = await retry(handle, "phase-2")
    assert done == PhaseRetried(discarded=["phase-2", "phase-3"], version=7, phase_id="phase-2r1")
    finished = await completed(handle, "phase-1", "phase-2r1", "phase-3r1")
    assert [phase.plan.name for phase in finished.phases] == ["Step 1", "Step 2", "Step 3"]
    ran = [run for run in rooms.runs[handle.id][before:] if "install" not in run]
    assert ran[:3] == [ran[0], "phase-2r1/implement", "phase-2r1/check-0"] and ran[0].startswith("retry-")
    assert "phase-2r1/plan" not in ran and "phase-3r1/plan" in ran  # its own plan stands, the later ones are made anew
    asked = next(given for given in rooms.given[handle.id] if given.operation.id == ran[0])
    assert asked.phase_ids == ["phase-2", "phase-3"]
    written = next(given for given in rooms.given[handle.id] if given.operation.id == "phase-2r1/implement")
    assert written.number == 2
    told = [e["phase"] for _, e in sorted(rooms.events[handle.id].items()) if e["type"] == "phase"]
    gone = [(phase["id"], phase["discarded_at"]) for phase in told if phase["discarded_at"] is not None]
    assert gone == [("phase-2", 150), ("phase-3", 150)]
    assert "index.html" in [file.path for file in finished.files]
    assert "src/phase-2.tsx" not in [file.path for file in finished.files]


async def test_messages_of_later_phases_are_queued_again(start: Start, rooms: Rooms) -> None:
    handle = await start(Script(phases=1))
    await completed(handle, "phase-1")
    await handle.signal("message", UserMessage(id="m1", text="another colour"))
    await completed(handle, "phase-1", "phase-2")
    await handle.signal("message", UserMessage(id="m2", text="another font"))
    await completed(handle, "phase-1", "phase-2", "phase-3")
    await retry(handle, "phase-2")
    done = await completed(handle, "phase-1", "phase-2r1", "phase-3r1")
    assert [phase.message_ids for phase in done.phases] == [[], ["m1"], ["m2"]]
    assert [(m.id, m.state, m.phase_id) for m in done.messages] == [
        ("m1", "done", "phase-2r1"),
        ("m2", "done", "phase-3r1"),
    ]


async def test_a_phase_that_was_stopped_or_failed_lets_go(start: Start, rooms: Rooms) -> None:
    gate = asyncio.Event()
    script = Script(phases=1, hold={"phase-1/implement": gate})
    handle = await start(script)
    await until(handle, lambda p: "phase-1/implement" in rooms.runs[handle.id])
    assert await refused(retry(handle, "phase-1")) == "busy"
    await handle.execute_update("stop", result_type=StateInfo)
    script.fail["phase-1r1/implement"] = [refusal("bad_request")]
    assert (await retry(handle, "phase-1")).phase_id == "phase-1r1"
    failed = await until(handle, lambda p: p.state.name == "failed")
    assert [phase.id for phase in failed.phases] == ["phase-1r1"]
    assert (await retry(handle, "phase-1r1")).phase_id == "phase-1r2"
    done = await completed(handle, "phase-1r2")
    assert done.operations == [] and rooms.runs[handle.id].count("phase-1/implement") == 1


async def test_calls_side_by_side_all_let_go(start: Start, rooms: Rooms) -> None:
    """One of them failed for good and the others are still at work: those are cancelled."""
    gate = asyncio.Event()
    script = Script(phases=1, reviews=[{"src/a.tsx": [], "src/b.tsx": []}])
    script.hold["phase-1/repair-1/src/a.tsx"] = gate
    script.fail["phase-1/repair-1/src/b.tsx"] = [refusal("bad_request")]
    handle = await start(script)
    await until(handle, lambda p: p.state.name == "failed" and len(p.operations) == 1)
    await retry(handle, "phase-1")
    assert rooms.cancelled[handle.id] == ["phase-1/repair-1/src/a.tsx"]
    await completed(handle, "phase-1r1")


async def test_a_question_waits_no_more(start: Start, rooms: Rooms) -> None:
    script = Script(turns=[["write_file", "ask_user"], ["complete"]])
    handle = await start(script, mode="smart")
    await until(handle, lambda p: p.question is not None and p.state.name == "idle")
    await retry(handle, "phase-1")
    done = await completed(handle, "phase-1r1")
    assert done.question is None and [turn.turn for turn in rooms.turns[handle.id]] == [1, 1]


async def test_the_debugger_may_look_again(start: Start, rooms: Rooms) -> None:
    script = Script(phases=1, wants_change=False, wants_debug=True)
    handle = await start(script)
    await completed(handle, "phase-1")
    await handle.signal("message", UserMessage(id="m1", text="the button does nothing"))
    await completed(handle, "phase-1", "phase-2")
    assert (await retry(handle, "phase-2")).phase_id is None
    done = await completed(handle, "phase-1", "phase-2r1")
    assert "phase-2r1/debug/m1" in rooms.runs[handle.id] and done.messages[0].phase_id == "phase-2r1"


async def test_what_cannot_be_taken_back_leaves_all_as_it_was(start: Start, rooms: Rooms) -> None:
    script = Script(phases=2)
    handle = await start(script)
    before = await completed(handle, "phase-1", "phase-2")
    script.fail[f"retry-{len(rooms.runs[handle.id]) + 1}"] = [refusal("version_not_found")]
    assert await refused(retry(handle, "phase-1")) == "version_not_found"
    stopped = await progress_of(handle)
    assert stopped.state.name == "stopped"
    assert [(phase.id, phase.status) for phase in stopped.phases] == [
        ("phase-1", "completed"),
        ("phase-2", "completed"),
    ]
    assert stopped.files == before.files
    await handle.execute_update("resume", result_type=StateInfo)
    await completed(handle, "phase-1", "phase-2")


async def test_what_is_refused(start: Start) -> None:
    handle = await start(Script(phases=2, carried=2), fork=ForkOrigin(session_id="session-other", version=7))
    await completed(handle, "phase-1", "phase-2")
    assert await refused(retry(handle, "phase-9")) == "unknown_phase"


@pytest.mark.parametrize("renewed", [False, True])
async def test_ids_are_never_given_twice(start: Start, renewed: bool) -> None:
    handle = await start(Script(phases=1), max_history_events=50 if renewed else 1_000)
    await completed(handle, "phase-1")
    for before, after in (("phase-1", "phase-1r1"), ("phase-1r1", "phase-1r2")):
        await retry(handle, before)
        await completed(handle, after)
