"""Best of several: written side by side, judged, the best goes on, and another may be chosen."""

import asyncio

import pytest
from temporalio.client import WorkflowUpdateFailedError

from schemas.session import UserMessage
from tests.workflows.conftest import Start, until
from tests.workflows.stubs import Rooms, Script, refusal

WRITE = "phase-1-candidate-{}/write"


async def test_the_best_phase_goes_on_and_another_can_be_chosen(start: Start, rooms: Rooms) -> None:
    handle = await start(Script(phases=1, scores=[60, 90, 70]), phase_candidates=3)
    done = await until(handle, lambda p: p.state.name == "completed")
    assert [(c.number, c.status, c.score, c.chosen) for c in done.candidates] == [
        (1, "ready", 60, False),
        (2, "ready", 90, True),
        (3, "ready", 70, False),
    ]
    assert done.candidates[1].reason == "Number 2."
    assert "src/2.tsx" in [file.path for file in done.files], "the files of the best are the project's"
    assert "src/phase-1.tsx" not in [file.path for file in done.files], "those of candidates are not"
    lines = {given.line for given in rooms.given[handle.id] if given.line}
    assert lines == {f"{handle.id}_phase-1_{number}" for number in (1, 2, 3)}
    await handle.execute_update("choose_candidate", {"candidate_id": "phase-1-candidate-3"})
    await until(handle, lambda p: p.candidates[2].chosen and p.state.name == "completed")
    assert rooms.runs[handle.id].count("phase-1/check-0") == 2, "what was chosen is checked"


async def test_the_best_blueprint_goes_on(start: Start, rooms: Rooms) -> None:
    handle = await start(Script(phases=1, scores=[60, 90]), blueprint_candidates=2)
    done = await until(handle, lambda p: p.state.name == "completed")
    assert done.title == "App blueprint-candidate-2/write"
    assert [c.chosen for c in done.candidates] == [False, True]


async def test_errors_of_the_checks_count_against_a_candidate(start: Start) -> None:
    handle = await start(Script(phases=1, scores=[90, 80], broken_lines=frozenset({"1"})), phase_candidates=2)
    done = await until(handle, lambda p: p.state.name == "completed")
    assert [(c.errors, c.score, c.chosen) for c in done.candidates] == [(1, 75, False), (0, 80, True)]


async def test_a_candidate_that_fails_is_out_and_no_judge_is_asked_for_one(start: Start, rooms: Rooms) -> None:
    script = Script(phases=1, scores=[90, 80], fail={WRITE.format(1): [refusal("refused")]})
    handle = await start(script, phase_candidates=2)
    done = await until(handle, lambda p: p.state.name == "completed")
    assert [(c.status, c.chosen) for c in done.candidates] == [("failed", False), ("ready", True)]
    assert "phase-1/judge" not in rooms.runs[handle.id]


async def test_when_no_judgement_can_be_had_the_checks_decide(start: Start) -> None:
    script = Script(
        phases=1, scores=[1, 1], broken_lines=frozenset({"1"}), fail={"phase-1/judge": [refusal("refused")]}
    )
    handle = await start(script, phase_candidates=2)
    done = await until(handle, lambda p: p.state.name == "completed")
    assert [c.chosen for c in done.candidates] == [False, True]


async def test_when_every_candidate_fails_the_phase_is_written_as_ever(start: Start, rooms: Rooms) -> None:
    fail = {WRITE.format(number): [refusal("refused")] for number in (1, 2)}
    handle = await start(Script(phases=1, fail=fail), phase_candidates=2)
    await until(handle, lambda p: p.state.name == "completed")
    assert "phase-1/implement" in rooms.runs[handle.id]


async def test_a_stop_holds_all_candidates(start: Start, rooms: Rooms) -> None:
    gates = {WRITE.format(number): asyncio.Event() for number in (1, 2)}
    handle = await start(Script(phases=1, scores=[1, 2], hold=gates), phase_candidates=2)
    await until(handle, lambda p: len(p.operations) == 2)
    await handle.execute_update("stop")
    await until(handle, lambda p: not p.operations)
    for gate in gates.values():
        gate.set()
    await handle.execute_update("resume")
    await until(handle, lambda p: p.state.name == "completed")
    assert sorted(rooms.cancelled[handle.id]) == sorted(gates)


async def test_what_was_built_upon_cannot_be_exchanged(start: Start) -> None:
    handle = await start(Script(phases=1, scores=[60, 90]), phase_candidates=2)
    await until(handle, lambda p: p.state.name == "completed")
    await handle.signal("message", UserMessage(id="m1", text="add dark mode"))
    await until(handle, lambda p: len(p.phases) == 2 and p.state.name == "completed")
    for candidate in ("phase-1-candidate-1", "phase-9-candidate-1"):
        with pytest.raises(WorkflowUpdateFailedError):
            await handle.execute_update("choose_candidate", {"candidate_id": candidate})
