"""A history stays bounded however much people say while one phase is worked on, and nothing is lost by it."""

import asyncio
from collections import Counter

import pytest
from temporalio.client import Client, WorkflowHandle

from schemas.session import Progress, UserMessage
from tests.workflows.conftest import Start, progress_of, replay, until
from tests.workflows.stubs import Rooms, Script, refusal
from workflows.renewal import DUE, OVERDUE
from workflows.session import CodeGenSession

MAX = 50
AT_ONCE = 50

Handle = WorkflowHandle[CodeGenSession, Progress]


async def fill(handle: Handle, events: int) -> None:
    """Send one message so often that the history grows by so many events, each a signal of its own."""
    message = UserMessage(id="m1", text="hello")
    for _ in range(events // AT_ONCE):
        await asyncio.gather(*(handle.signal("message", message) for _ in range(AT_ONCE)))


async def run_of(handle: Handle) -> str:
    run_id = (await handle.describe()).run_id
    assert run_id is not None
    return run_id


async def check_whole(client: Client, handle: Handle, rooms: Rooms, runs: list[str]) -> None:
    """Every event once, every run replayable and none too long."""
    numbers = sorted(rooms.events[handle.id])
    assert numbers == list(range(1, len(numbers) + 1))
    for run_id in runs:
        run: Handle = client.get_workflow_handle(handle.id, run_id=run_id)
        assert (await run.describe()).history_length < MAX + OVERDUE + 300
        await replay(run)


async def test_a_step_that_outlasts_the_history_goes_on_in_a_new_one(
    client: Client, start: Start, rooms: Rooms
) -> None:
    gate = asyncio.Event()
    handle = await start(Script(phases=1, wants_change=False, hold={"phase-1/implement": gate}), max_history_events=MAX)
    await until(handle, lambda p: "phase-1/implement" in rooms.runs[handle.id])
    first = await run_of(handle)
    await fill(handle, MAX + OVERDUE)
    async with asyncio.timeout(60):
        while (second := await run_of(handle)) == first:  # noqa: ASYNC110 - the server's doing
            await asyncio.sleep(0.1)
    renewed = await until(handle, lambda p: rooms.runs[handle.id].count("phase-1/implement") == 2)
    assert renewed.state.name == "generating"
    assert rooms.cancelled[handle.id] == ["phase-1/implement"]
    gate.set()
    done = await until(handle, lambda p: p.state.name == "completed")
    assert [phase.status for phase in done.phases] == ["completed"]
    assert [(message.id, message.state) for message in done.messages] == [("m1", "done")]
    await check_whole(client, handle, rooms, [first, second])


@pytest.mark.parametrize("step", ["phase-1/implement", "phase-1/fix-1"])
async def test_between_two_steps_nothing_is_broken_off(client: Client, start: Start, rooms: Rooms, step: str) -> None:
    gate = asyncio.Event()
    script = Script(phases=1, wants_change=False, broken_checks=2, hold={step: gate})
    handle = await start(script, max_history_events=MAX, keep_open=False)
    await until(handle, lambda p: step in rooms.runs[handle.id])
    first = await run_of(handle)
    await fill(handle, MAX + DUE)
    gate.set()
    done = await handle.result()  # no query: it would replay all of the long history
    second = await run_of(handle)
    assert second != first
    assert rooms.cancelled[handle.id] == []
    assert [phase.status for phase in done.phases] == ["completed"]
    run = client.get_workflow_handle(handle.id, run_id=first)
    begun = [
        event.activity_task_scheduled_event_attributes.activity_type.name async for event in run.fetch_history_events()
    ]
    assert begun.count("fix_code") == (step == "phase-1/fix-1"), "the history is renewed right after this step"
    counted = Counter(rooms.runs[handle.id])
    assert counted["phase-1/implement"] == counted["phase-1/fix-1"] == 1, "what is written is not written again"
    await check_whole(client, handle, rooms, [first, second])


async def test_a_failed_step_still_waits_for_a_resume(client: Client, start: Start, rooms: Rooms) -> None:
    """A new history is no leave to pay for it again."""
    handle = await start(
        Script(phases=1, wants_change=False, fail={"phase-1/implement": [refusal("bad_request")]}),
        max_history_events=MAX,
    )
    await until(handle, lambda p: p.state.name == "failed")
    first = await run_of(handle)
    await fill(handle, MAX + OVERDUE)
    async with asyncio.timeout(60):
        while (second := await run_of(handle)) == first:  # noqa: ASYNC110 - the server's doing
            await asyncio.sleep(0.1)
    await asyncio.sleep(1)
    assert (await progress_of(handle)).state.name == "failed"
    assert rooms.runs[handle.id].count("phase-1/implement") == 1
    await handle.execute_update("resume")
    await until(handle, lambda p: p.state.name == "completed")
    await check_whole(client, handle, rooms, [first, second])
