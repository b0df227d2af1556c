"""The rules of the deterministic course, each on the real workflow."""

import asyncio

import pytest

from schemas.blueprint import PlannedFile
from schemas.session import UserMessage
from tests.workflows.conftest import Start, until
from tests.workflows.stubs import Rooms, Script, refusal


async def test_there_are_at_most_ten_phases(start: Start, rooms: Rooms) -> None:
    handle = await start(Script(phases=99), keep_open=False)
    assert len((await handle.result()).phases) == 10


async def test_a_simple_application_gets_one_phase(start: Start) -> None:
    handle = await start(Script(phases=3, complexity="simple"), keep_open=False)
    assert len((await handle.result()).phases) == 1


@pytest.mark.parametrize(("said", "asked", "phases"), [("simple", "complex", 3), ("complex", "simple", 1)])
async def test_whoever_asks_knows_better_how_simple_it_is(
    start: Start, rooms: Rooms, said: str, asked: str, phases: int
) -> None:
    handle = await start(Script(phases=3, complexity=said), complexity=asked, max_phases=5, keep_open=False)
    progress = await handle.result()
    assert (len(progress.phases), progress.complexity) == (phases, asked)
    (planned,) = [given for given in rooms.given[handle.id] if given.operation.id == "blueprint"]
    assert planned.max_phases == (1 if asked == "simple" else 5)


async def test_phases_are_told_apart_by_their_ids(start: Start) -> None:
    handle = await start(Script(phases=3, name="The same"), keep_open=False)
    done = await handle.result()
    assert [(phase.id, phase.plan.name, phase.status) for phase in done.phases] == [
        (f"phase-{number}", "The same", "completed") for number in (1, 2, 3)
    ]


async def test_a_phase_with_nothing_to_show_fails_visibly(start: Start, rooms: Rooms) -> None:
    handle = await start(Script(phases=1, fail={"phase-1/implement": [refusal("no_files")]}))
    failed = await until(handle, lambda p: p.state.name == "failed")
    assert failed.state.code == "no_files"
    assert failed.phases[0].status == "generating"
    assert "phase-1/check-0" not in rooms.runs[handle.id]


async def test_the_last_phase_ends_the_work_only_when_no_message_waits(start: Start, rooms: Rooms) -> None:
    gate = asyncio.Event()
    handle = await start(Script(phases=1, hold={"phase-1/readme": gate}), keep_open=False)
    await until(handle, lambda p: "phase-1/readme" in rooms.runs[handle.id])
    await handle.signal("message", UserMessage(id="m1", text="add dark mode"))
    gate.set()
    done = await handle.result()
    assert [phase.message_ids for phase in done.phases] == [[], ["m1"]]
    assert done.messages[0].state == "done"


async def test_requests_extend_the_budget_of_phases(start: Start) -> None:
    handle = await start(Script(phases=99), max_phases=2)
    await until(handle, lambda p: len(p.phases) == 2 and p.state.name == "completed")
    for number in (1, 2):
        await handle.signal("message", UserMessage(id=f"m{number}", text="one more"))
        done = await until(handle, lambda p, number=number: len(p.phases) == 2 + number and p.state.name == "completed")
    assert [phase.message_ids for phase in done.phases] == [[], [], ["m1"], ["m2"]]


async def test_the_readme_follows_every_change_and_a_failure_of_it_holds_nothing_up(start: Start, rooms: Rooms) -> None:
    handle = await start(Script(phases=1, fail={"phase-1/readme": [refusal("refused")]}))
    await until(handle, lambda p: p.state.name == "completed")
    await until(handle, lambda p: "error" in rooms.types(handle.id))
    await handle.signal("message", UserMessage(id="m1", text="add dark mode"))
    done = await until(handle, lambda p: len(p.phases) == 2 and p.state.name == "completed")
    assert [(file.path, file.phase_id) for file in done.files if file.path == "README.md"] == [("README.md", "phase-2")]


@pytest.mark.parametrize("lost", [frozenset[str](), frozenset({"charts"}), frozenset({"charts", "other-charts"})])
async def test_what_cannot_be_installed_is_asked_for_once_more_and_then_told(
    start: Start, rooms: Rooms, lost: frozenset[str]
) -> None:
    handle = await start(Script(phases=1, uninstallable=lost), keep_open=False)
    done = await handle.result()
    assert {failure.package for failure in done.missing} == lost
    runs = [run for run in rooms.runs[handle.id] if run.startswith("setup")]
    assert runs == ["setup/plan", "setup", *(["setup/plan-again", "setup/again"] if lost else [])]
    told = [e["message"]["text"] for e in rooms.events[handle.id].values() if e["type"] == "message"]
    assert len(told) == len(lost)
    (given,) = [given for given in rooms.given[handle.id] if given.operation.id == "phase-1/implement"]
    assert {failure.package for failure in given.missing} == lost


async def test_files_without_a_plan_of_uses_are_written_in_one_call(start: Start, rooms: Rooms) -> None:
    files = [PlannedFile(path=f"src/View{number}.tsx") for number in range(9)]
    handle = await start(Script(phases=1, files=files), keep_open=False)
    await handle.result()
    assert "phase-1/implement" in rooms.runs[handle.id]
