"""Steps that run at the same time: the calls that write a phase, and the next plan beside the checks."""

import asyncio
from decimal import Decimal

import pytest
from temporalio.client import WorkflowFailureError

from schemas.blueprint import PlannedFile
from schemas.session import UserMessage
from tests.workflows.conftest import Start, until
from tests.workflows.stubs import Rooms, Script, refusal

FILES = [
    PlannedFile(path="src/store.ts"),
    *(PlannedFile(path=f"src/View{number}.tsx", uses=["src/store.ts"]) for number in range(6)),
    PlannedFile(path="src/App.tsx", uses=[f"src/View{number}.tsx" for number in range(6)]),
]
CALLS = [f"phase-1/implement-{number}" for number in range(1, 6)]


def written(rooms: Rooms, session_id: str) -> list[str]:
    return [run for run in rooms.runs[session_id] if "/implement" in run]


async def test_files_that_do_not_need_each_other_are_written_at_once(start: Start, rooms: Rooms) -> None:
    gates = {call: asyncio.Event() for call in CALLS[1:4]}
    handle = await start(Script(phases=1, files=FILES, hold=gates), keep_open=False)
    running = await until(handle, lambda p: len(p.operations) == 3)
    assert [operation.id for operation in running.operations] == CALLS[1:4]
    assert written(rooms, handle.id)[0] == CALLS[0], "what all use is written first"
    for gate in gates.values():
        gate.set()
    result = await handle.result()
    assert written(rooms, handle.id)[-1] == CALLS[4], "what uses all is written last"
    assert {file.path for file in FILES} <= {file.path for file in result.files}
    assert len((await handle.fetch_history()).events) < 130


async def test_one_call_writes_all_when_asked_to(start: Start, rooms: Rooms) -> None:
    handle = await start(Script(phases=1, files=FILES), keep_open=False, parallel_calls=1)
    await handle.result()
    assert written(rooms, handle.id) == ["phase-1/implement"]


async def test_a_failed_call_is_resumed_alone(start: Start, rooms: Rooms) -> None:
    handle = await start(Script(phases=1, files=FILES, fail={CALLS[2]: [refusal("auth_failed")]}))
    await until(handle, lambda p: p.state.name == "failed" and not p.operations)
    assert sorted(written(rooms, handle.id)) == CALLS[:4]
    await handle.execute_update("resume")
    await until(handle, lambda p: p.state.name == "completed")
    assert sorted(written(rooms, handle.id)) == sorted([*CALLS, CALLS[2]])


async def test_a_stop_ends_all_calls_and_a_resume_goes_on_with_those(start: Start, rooms: Rooms) -> None:
    gates = {call: asyncio.Event() for call in CALLS[2:4]}
    handle = await start(Script(phases=1, files=FILES, hold=gates))
    await until(handle, lambda p: [o.id for o in p.operations] == CALLS[2:4])
    await handle.execute_update("stop")
    await until(handle, lambda p: not p.operations)
    assert sorted(rooms.cancelled[handle.id]) == CALLS[2:4]
    for gate in gates.values():
        gate.set()
    await handle.execute_update("resume")
    await until(handle, lambda p: p.state.name == "completed")
    assert sorted(written(rooms, handle.id)) == sorted([*CALLS, *CALLS[2:4]])


async def test_an_interruption_ends_all_calls_and_those_that_would_follow(start: Start, rooms: Rooms) -> None:
    gates = {call: asyncio.Event() for call in CALLS[1:4]}
    handle = await start(Script(phases=1, files=FILES, hold=gates))
    await until(handle, lambda p: len(p.operations) == 3)
    await handle.signal("message", UserMessage(id="m1", text="no, something else", interrupt=True))
    done = await until(handle, lambda p: p.state.name == "completed")
    assert sorted(rooms.cancelled[handle.id]) == CALLS[1:4]
    assert CALLS[4] not in written(rooms, handle.id)
    assert done.phases[1].message_ids == ["m1"]


async def test_a_call_that_fails_for_good_ends_a_session_that_does_not_stay(start: Start) -> None:
    script = Script(phases=1, files=FILES, fail={CALLS[2]: [refusal("auth_failed")]})
    handle = await start(script, keep_open=False)
    with pytest.raises(WorkflowFailureError):
        await handle.result()


async def test_the_next_phase_is_planned_while_the_checks_run(start: Start, rooms: Rooms) -> None:
    gate = asyncio.Event()
    handle = await start(Script(phases=2, hold={"phase-1/check-0": gate}), keep_open=False)
    await until(handle, lambda p: "phase-2/plan-ahead" in rooms.runs[handle.id])
    assert "phase-1/check-0" in rooms.runs[handle.id]
    gate.set()
    await handle.result()
    assert "phase-2/plan" not in rooms.runs[handle.id]


async def test_a_plan_made_ahead_is_dropped_when_checks_fail_and_its_cost_is_told(start: Start, rooms: Rooms) -> None:
    gate = asyncio.Event()
    script = Script(phases=2, broken_checks=1, cost=Decimal("0.0123"), hold={"phase-1/check-0": gate})
    handle = await start(script, keep_open=False)
    await until(handle, lambda p: "phase-2/plan-ahead" in rooms.runs[handle.id] and len(p.operations) == 1)
    gate.set()
    await handle.result()
    assert rooms.runs[handle.id].count("phase-2/plan") == 1
    told = [e["message"]["text"] for e in rooms.events[handle.id].values() if e["type"] == "message"]
    assert told == ["The plan made ahead was dropped: the checks found one problem. It had cost $0.01."]


async def test_a_plan_under_way_is_stopped_when_checks_fail(start: Start, rooms: Rooms) -> None:
    gate = asyncio.Event()
    handle = await start(Script(phases=2, broken_checks=1, hold={"phase-2/plan-ahead": gate}), keep_open=False)
    await handle.result()
    assert rooms.cancelled[handle.id] == ["phase-2/plan-ahead"]
    assert rooms.runs[handle.id].count("phase-2/plan") == 1


async def test_a_message_overtakes_a_plan_made_ahead(start: Start, rooms: Rooms) -> None:
    gate = asyncio.Event()
    handle = await start(Script(phases=2, hold={"phase-1/check-0": gate}))
    await until(handle, lambda p: "phase-2/plan-ahead" in rooms.runs[handle.id])
    await handle.signal("message", UserMessage(id="m1", text="add dark mode"))
    await until(handle, lambda p: p.messages[0].answered)
    gate.set()
    done = await until(handle, lambda p: p.state.name == "completed")
    assert done.phases[1].message_ids == ["m1"]
    assert "phase-2/plan" in rooms.runs[handle.id]


@pytest.mark.parametrize("settings", [{"plan_ahead": False}, {"max_phases": 1}])
async def test_nothing_is_planned_ahead_where_it_is_not_wanted(
    start: Start, rooms: Rooms, settings: dict[str, object]
) -> None:
    handle = await start(Script(phases=2), keep_open=False, **settings)
    await handle.result()
    assert "phase-2/plan-ahead" not in rooms.runs[handle.id]
