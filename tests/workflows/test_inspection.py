"""Cycles of checks, review and repair: what is paid for when, in which order files change, what stops and goes on."""

import asyncio

import pytest

from schemas.session import UserMessage
from tests.workflows.conftest import Start, progress_of, until
from tests.workflows.stubs import Rooms, Script, refusal


def ran(rooms: Rooms, session_id: str, *kinds: str) -> list[str]:
    """The steps of these kinds, without the phase's name."""
    runs = [run.partition("/")[2] for run in rooms.runs[session_id]]
    return [run for run in runs if run.startswith(kinds)]


async def test_a_review_leads_to_repairs_side_by_side_and_to_another_look(start: Start, rooms: Rooms) -> None:
    wanted = {"src/a.ts": [], "src/App.tsx": ["src/a.ts", "src/b.ts"], "src/b.ts": ["src/a.ts"]}
    handle = await start(Script(phases=1, reviews=[wanted, {"src/a.ts": []}]), keep_open=False)
    result = await handle.result()
    assert result.state.name == "completed" and result.phases[0].fix_rounds == 2
    assert ran(rooms, handle.id, "check", "review", "repair", "install-fix", "fix") == [
        "check-0", "review-0", "repair-1/src/a.ts", "repair-1/src/b.ts", "repair-1/src/App.tsx", "install-fix-1",
        "check-1", "review-1", "repair-2/src/a.ts", "install-fix-2", "check-2", "review-2",
    ]  # fmt: skip
    assert {"src/a.ts", "src/b.ts", "src/App.tsx"} <= set(result.phases[0].files)
    assert result.phases[0].checks is not None and result.phases[0].checks.ok


async def test_a_wide_review_stays_small_in_history(start: Start, rooms: Rooms) -> None:
    handle = await start(Script(phases=1), keep_open=False)
    await handle.result()
    plain = len((await handle.fetch_history()).events)
    wide = {f"src/{name}.ts": list[str]() for name in "abcdefghij"}
    handle = await start(Script(phases=1, reviews=[wide]), keep_open=False)
    await handle.result()
    assert len(ran(rooms, handle.id, "repair")) == 10
    assert len((await handle.fetch_history()).events) - plain < 110


async def test_only_what_is_worth_it_is_reviewed(start: Start, rooms: Rooms) -> None:
    """The last phase, and one that somebody asked for; not the phases between, nor code that fails its checks."""
    handle = await start(Script(phases=2, broken_checks=1))
    await until(handle, lambda p: p.state.name == "completed")
    reviewed = [run for run in rooms.runs[handle.id] if "/review" in run]
    assert reviewed == ["phase-2/review-0"]
    assert [run for run in rooms.runs[handle.id] if "/judge" in run] == ["phase-1/judge-1", "phase-2/judge-0"]
    await handle.signal("message", UserMessage(id="m1", text="the total is wrong"))
    await until(handle, lambda p: len(p.phases) == 3 and p.state.name == "completed")
    assert "phase-3/review-0" in rooms.runs[handle.id]


async def test_what_is_seen_to_be_wrong_is_repaired_and_looked_at_again(start: Start, rooms: Rooms) -> None:
    handle = await start(Script(phases=1, ugly=1), keep_open=False)
    result = await handle.result()
    assert result.state.name == "completed"
    assert ran(rooms, handle.id, "judge", "fix", "review") == ["judge-0", "review-0", "fix-1", "judge-1"] or ran(
        rooms, handle.id, "judge", "fix", "review"
    ) == ["review-0", "judge-0", "fix-1", "judge-1"]


@pytest.mark.parametrize(("phases", "repaired"), [(2, ["phase-2/fix-1"]), (1, ["phase-1/fix-1", "phase-1/fix-2"])])
async def test_a_stand_in_is_an_error_once_the_application_shall_be_complete(
    start: Start, rooms: Rooms, phases: int, repaired: list[str]
) -> None:
    handle = await start(Script(phases=phases, stand_ins=2), keep_open=False)
    await handle.result()
    assert [run for run in rooms.runs[handle.id] if "/fix-" in run] == repaired


async def test_without_cycles_nobody_is_asked(start: Start, rooms: Rooms) -> None:
    handle = await start(Script(phases=1, reviews=[{"src/a.ts": []}], ugly=1), keep_open=False, review_cycles=0)
    assert (await handle.result()).state.name == "completed"
    assert ran(rooms, handle.id, "judge", "review", "repair", "fix") == []


async def test_cycles_end(start: Start, rooms: Rooms) -> None:
    handle = await start(Script(phases=1, reviews=[{"src/a.ts": []}] * 9), keep_open=False, review_cycles=2)
    assert (await handle.result()).state.name == "completed"
    assert ran(rooms, handle.id, "review") == ["review-0", "review-1"]
    assert ran(rooms, handle.id, "check") == ["check-0", "check-1", "check-2"]


async def test_a_review_that_cannot_be_had_is_told_and_does_without(start: Start, rooms: Rooms) -> None:
    failing = {"phase-1/review-0": [refusal("auth_failed")], "phase-1/judge-0": [refusal("bad_request")]}
    handle = await start(Script(phases=1, fail=failing), keep_open=False)
    assert (await handle.result()).state.name == "completed"
    errors = [event for event in rooms.events[handle.id].values() if event["type"] == "error"]
    assert {(error["operation_id"], error["code"]) for error in errors} == {
        ("phase-1/review-0", "auth_failed"),
        ("phase-1/judge-0", "bad_request"),
    }


async def test_a_repair_that_fails_is_seen_while_others_go_on(start: Start, rooms: Rooms) -> None:
    wanted = {"src/a.ts": [], "src/b.ts": list[str]()}
    script = Script(phases=1, reviews=[wanted], fail={"phase-1/repair-1/src/a.ts": [refusal("auth_failed")]})
    handle = await start(script)
    failed = await until(handle, lambda p: p.state.name == "failed" and not p.operations)
    assert "src/b.ts" in failed.phases[0].files
    await handle.execute_update("resume")
    done = await until(handle, lambda p: p.state.name == "completed")
    assert "src/a.ts" in done.phases[0].files


async def test_a_stop_holds_all_repairs_and_a_resume_goes_on(start: Start, rooms: Rooms) -> None:
    gate = asyncio.Event()
    hold = {"phase-1/repair-1/src/a.ts": gate, "phase-1/repair-1/src/b.ts": gate}
    handle = await start(Script(phases=1, reviews=[{"src/a.ts": [], "src/b.ts": []}], hold=hold))
    await until(handle, lambda p: set(hold) <= set(rooms.runs[handle.id]))
    await handle.execute_update("stop")
    await until(handle, lambda p: p.state.name == "stopped" and not p.operations)
    assert sorted(rooms.cancelled[handle.id]) == sorted(hold)
    gate.set()
    await handle.execute_update("resume")
    done = await until(handle, lambda p: p.state.name == "completed")
    assert {"src/a.ts", "src/b.ts"} <= set(done.phases[0].files)


async def test_an_interrupt_ends_all_that_runs_side_by_side(start: Start, rooms: Rooms) -> None:
    hold = {"phase-1/repair-1/src/a.ts": asyncio.Event(), "phase-1/repair-1/src/b.ts": asyncio.Event()}
    handle = await start(Script(phases=1, reviews=[{"src/a.ts": [], "src/b.ts": []}], hold=hold))
    await until(handle, lambda p: set(hold) <= set(rooms.runs[handle.id]))
    await handle.signal("message", UserMessage(id="m1", text="no, a budget app", interrupt=True))
    done = await until(handle, lambda p: p.state.name == "completed")
    assert sorted(rooms.cancelled[handle.id]) == sorted(hold)
    assert done.phases[1].message_ids == ["m1"]
    assert (await progress_of(handle)).messages[0].state == "done"


async def test_a_phase_taken_up_again_has_its_cycles_anew(start: Start, rooms: Rooms) -> None:
    handle = await start(Script(phases=1, broken_checks=4), review_cycles=1)
    await until(handle, lambda p: p.state.name == "failed")
    await handle.execute_update("resume")
    await until(handle, lambda p: p.state.name == "completed")
    assert ran(rooms, handle.id, "check", "fix", "review") == [
        "check-0", "fix-1", "check-1", "check-1", "check-1", "fix-2", "check-2",
    ]  # fmt: skip
