"""The session workflow against a real Temporal server, with scripted rooms."""

import asyncio
import uuid

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError

from activities import bulk
from schemas.session import StateInfo, UserMessage
from tests.workflows.conftest import Start, progress_of, until
from tests.workflows.stubs import Rooms, Script, refusal
from workflows.names import SESSION_WORKFLOW, WORKFLOW_QUEUE


async def test_it_builds_phase_after_phase_and_returns_the_result(start: Start, rooms: Rooms) -> None:
    handle = await start(Script(phases=3), keep_open=False)
    result = await handle.result()
    assert result.state.name == "completed"
    assert [phase.status for phase in result.phases] == ["completed"] * 3
    assert [file.path for file in result.files] == [
        "README.md", "index.html", "package.json", "src/phase-1.tsx", "src/phase-2.tsx", "src/phase-3.tsx",
    ]  # fmt: skip
    assert rooms.states(handle.id) == [
        "starting", "planning", "generating", "reviewing", "generating", "reviewing", "generating", "reviewing",
        "completed",
    ]  # fmt: skip
    assert rooms.types(handle.id)[-1] == "session_state"
    assert result.preview.status == "ready"


async def test_history_stays_small(start: Start) -> None:
    handle = await start(Script(phases=10), keep_open=False)
    await handle.result()
    history = await handle.fetch_history()
    assert len(history.events) < 10 * 45
    assert sum(event.ByteSize() for event in history.events) < 2_000_000


async def test_problems_are_repaired_and_checked_again(start: Start, rooms: Rooms) -> None:
    handle = await start(Script(phases=1, broken_checks=2), keep_open=False)
    result = await handle.result()
    assert result.state.name == "completed"
    assert result.phases[0].fix_rounds == 2
    assert [run for run in rooms.runs[handle.id] if "fix" in run] == ["phase-1/fix-1", "phase-1/fix-2"]


async def test_open_problems_are_a_failure_that_can_be_resumed(start: Start, rooms: Rooms) -> None:
    handle = await start(Script(phases=1, broken_checks=3), review_cycles=1)
    failed = await until(handle, lambda p: p.state.name == "failed")
    assert failed.state.code == "checks_failed"
    assert failed.phases[0].status == "completed"
    await handle.execute_update("resume")
    await until(handle, lambda p: p.state.name == "completed")


async def test_open_problems_fail_a_session_that_does_not_stay(start: Start, rooms: Rooms) -> None:
    handle = await start(Script(phases=1, broken_checks=9), review_cycles=1, keep_open=False)
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    assert rooms.states(handle.id)[-1] == "failed", "whoever watches learns of it"


async def test_a_failed_step_waits_for_a_resume(start: Start, rooms: Rooms) -> None:
    handle = await start(Script(phases=1, fail={"blueprint": [refusal("auth_failed")]}))
    failed = await until(handle, lambda p: p.state.name == "failed")
    assert failed.state.reason == "It said auth_failed."
    assert failed.state.can == ["message", "resume"]
    await until(handle, lambda p: "error" in rooms.types(handle.id))
    await handle.execute_update("resume")
    await until(handle, lambda p: p.state.name == "completed")
    assert rooms.runs[handle.id].count("blueprint") == 2


async def test_a_named_wait_is_shown_and_waited_out(start: Start, rooms: Rooms) -> None:
    handle = await start(Script(phases=1, fail={"blueprint": [refusal("rate_limited", retry_after=1.5)]}))
    waiting = await until(handle, lambda p: p.state.name == "waiting_for_capacity")
    assert waiting.state.until is not None
    await until(handle, lambda p: p.state.name == "completed")
    assert "waiting_for_capacity" in rooms.states(handle.id)


async def test_a_step_waits_for_its_batch_time_and_again(start: Start, rooms: Rooms) -> None:
    pending = [bulk.pending(None), bulk.pending(None), bulk.pending(None)]
    handle = await start(Script(phases=1, fail={"blueprint": pending}))
    waiting = await until(handle, lambda p: p.state.code == "batch_pending")
    assert waiting.state.name == "waiting_for_capacity" and "half the price" in waiting.state.reason
    assert waiting.state.can == ["message", "stop", "resume"]
    assert (await handle.execute_update("stop"))["name"] == "stopped"
    await handle.execute_update("resume")
    await until(handle, lambda p: p.state.name == "completed")
    assert rooms.runs[handle.id].count("blueprint") == 4, "three looks, and the one that found it"


async def test_a_session_waits_for_its_budget_and_goes_on_when_it_is_raised(start: Start, rooms: Rooms) -> None:
    handle = await start(Script(phases=1, fail={"blueprint": [refusal("over_budget")]}))
    waiting = await until(handle, lambda p: p.state.name == "waiting_for_budget")
    assert (waiting.state.code, waiting.state.until) == ("over_budget", None)
    assert waiting.state.reason == "It said over_budget. wait"
    assert waiting.state.can == ["message", "stop", "resume"]
    await handle.signal("budget_changed")
    await until(handle, lambda p: p.state.name == "completed")


async def test_a_session_waits_until_its_budget_turns(start: Start, rooms: Rooms) -> None:
    handle = await start(Script(phases=1, fail={"phase-1/implement": [refusal("over_budget", retry_after=1.2)]}))
    waiting = await until(handle, lambda p: p.state.name == "waiting_for_budget")
    assert waiting.state.until is not None
    await until(handle, lambda p: p.state.name == "completed")
    assert rooms.states(handle.id).count("waiting_for_budget") == 1


async def test_stop_cancels_and_resume_goes_on(start: Start, rooms: Rooms) -> None:
    gate = asyncio.Event()
    handle = await start(Script(phases=2, hold={"phase-1/implement": gate}))
    await until(handle, lambda p: "phase-1/implement" in rooms.runs[handle.id])
    await handle.signal("stop")
    await until(handle, lambda p: p.state.name == "stopped" and not p.operations)
    assert rooms.cancelled[handle.id] == ["phase-1/implement"]
    assert (await handle.execute_update("stop"))["name"] == "stopped"
    gate.set()
    await asyncio.sleep(0.3)
    assert rooms.runs[handle.id][-1] == "phase-1/implement"
    await handle.execute_update("resume")
    await until(handle, lambda p: p.state.name == "completed")


async def test_stop_and_resume_may_be_repeated(start: Start) -> None:
    """Who got no answer asks again: nothing happens twice, and the answer is the present state."""
    gate = asyncio.Event()
    handle = await start(Script(phases=1, hold={"blueprint": gate}))
    running = await until(handle, lambda p: any(o.action == "blueprint" for o in p.operations))
    assert await handle.execute_update("resume", result_type=StateInfo) == running.state
    stopped = [await handle.execute_update("stop", result_type=StateInfo) for _ in range(2)]
    assert stopped[0] == stopped[1]
    gate.set()
    resumed = [await handle.execute_update("resume", result_type=StateInfo) for _ in range(2)]
    assert {state.name for state in resumed} <= {"starting", "planning"}
    await until(handle, lambda p: p.state.name == "completed")
    # Not compared with what the query said: that may be of a task that the server had done once more.
    ended = [await handle.execute_update(update, result_type=StateInfo) for update in ("stop", "resume")]
    assert ended[0] == ended[1]
    assert ended[0].name == "completed"


async def test_a_message_after_completion_becomes_a_phase(start: Start, rooms: Rooms) -> None:
    handle = await start(Script(phases=1))
    await until(handle, lambda p: p.state.name == "completed")
    message = UserMessage(id="m1", text="add dark mode")
    await handle.signal("message", message)
    await handle.signal("message", message)
    done = await until(handle, lambda p: p.state.name == "completed" and len(p.phases) == 2)
    assert done.phases[1].message_ids == ["m1"]
    assert [(m.id, m.state, m.phase_id) for m in done.messages] == [("m1", "done", "phase-2")]


async def test_a_question_changes_nothing(start: Start) -> None:
    handle = await start(Script(phases=1, wants_change=False))
    await until(handle, lambda p: p.state.name == "completed")
    await handle.signal("message", UserMessage(id="m1", text="what is this?"))
    done = await until(handle, lambda p: bool(p.messages) and p.messages[0].state == "done")
    assert len(done.phases) == 1
    assert done.state.name == "completed"


async def test_messages_during_the_work_are_answered_at_once_and_planned_next(start: Start, rooms: Rooms) -> None:
    gate = asyncio.Event()
    handle = await start(Script(phases=1, hold={"phase-1/implement": gate}))
    await until(handle, lambda p: "phase-1/implement" in rooms.runs[handle.id])
    for number in range(5):
        await handle.signal("message", UserMessage(id=f"m{number}", text=f"change {number}"))
    await until(handle, lambda p: all(m.answered for m in p.messages) and len(p.messages) == 5)
    gate.set()
    done = await until(handle, lambda p: p.state.name == "completed")
    assert done.phases[1].message_ids == ["m0", "m1", "m2", "m3", "m4"]
    assert {m.state for m in done.messages} == {"done"}


async def test_a_message_that_cannot_be_answered_is_kept_as_a_request(start: Start, rooms: Rooms) -> None:
    handle = await start(Script(phases=1, fail={"message-m1": [refusal("auth_failed")]}))
    await until(handle, lambda p: p.state.name == "completed")
    await handle.signal("message", UserMessage(id="m1", text="add dark mode"))
    done = await until(handle, lambda p: len(p.phases) == 2 and p.state.name == "completed")
    assert done.phases[1].message_ids == ["m1"]


async def test_an_interrupt_ends_the_step_and_keeps_what_it_finished(start: Start, rooms: Rooms) -> None:
    gate = asyncio.Event()
    handle = await start(Script(phases=1, hold={"phase-1/implement": gate}))
    await until(handle, lambda p: "phase-1/implement" in rooms.runs[handle.id])
    await handle.signal("message", UserMessage(id="m1", text="no, a budget app", interrupt=True))
    done = await until(handle, lambda p: p.state.name == "completed")
    assert rooms.cancelled[handle.id] == ["phase-1/implement"]
    assert "src/half.tsx" in [file.path for file in done.files]
    assert done.phases[1].message_ids == ["m1"]


async def test_it_continues_as_new_and_loses_nothing(start: Start, rooms: Rooms) -> None:
    handle = await start(Script(phases=6), max_history_events=50)
    first_run = (await handle.describe()).run_id
    await until(handle, lambda p: len(p.phases) >= 2)
    for number in range(3):
        await handle.signal("message", UserMessage(id=f"m{number}", text="more"))
    done = await until(
        handle, lambda p: p.state.name == "completed" and all(m.state == "done" for m in p.messages), seconds=90
    )
    assert len(done.messages) == 3
    latest = rooms.scripts[handle.id]
    assert latest.phases == 6 and len(done.phases) >= 6
    assert (await handle.describe()).run_id != first_run
    implemented = [run for run in rooms.runs[handle.id] if run.endswith("/implement")]
    assert len(implemented) == len(set(implemented)) == len(done.phases)
    numbers = sorted(rooms.events[handle.id])
    assert numbers == list(range(1, len(numbers) + 1))


async def test_smart_mode_runs_turns_until_complete(start: Start, rooms: Rooms) -> None:
    script = Script(turns=[["list_files"], ["write_file", "run_checks"], ["complete"]])
    handle = await start(script, mode="smart", keep_open=False)
    result = await handle.result()
    assert result.state.name == "completed"
    assert "src/App.tsx" in [file.path for file in result.files]
    assert result.phases[0].status == "completed"


async def test_last_seq_never_covers_a_running_step(start: Start, rooms: Rooms) -> None:
    gate = asyncio.Event()
    handle = await start(Script(phases=1, hold={"phase-1/implement": gate}))
    await until(handle, lambda p: "phase-1/implement" in rooms.runs[handle.id])
    before = (await progress_of(handle)).last_seq
    await handle.signal("message", UserMessage(id="m1", text="hello"))
    after = await until(handle, lambda p: bool(p.messages) and p.messages[0].answered)
    assert rooms.seq[handle.id] > before
    assert after.last_seq == before
    gate.set()
    done = await until(handle, lambda p: p.state.name == "completed")
    assert done.last_seq > before


@pytest.mark.parametrize(
    ("argument", "word"), [({"prompt": ""}, "prompt"), ({"prompt": "x", "mode": "magic"}, "mode"), ("text", "argument")]
)
async def test_a_bad_request_ends_the_workflow_with_a_sentence(
    client: Client, rooms: Rooms, argument: object, word: str
) -> None:
    name = f"session-{uuid.uuid4().hex[:12]}"
    handle = await client.start_workflow(SESSION_WORKFLOW, argument, id=name, task_queue=WORKFLOW_QUEUE)
    with pytest.raises(WorkflowFailureError) as caught:
        await asyncio.wait_for(handle.result(), 20)
    cause = caught.value.cause
    assert isinstance(cause, ApplicationError)
    assert (cause.type, cause.non_retryable) == ("invalid_request", True)
    assert word in cause.message


async def test_an_id_that_cannot_name_a_session_ends_the_workflow(client: Client, rooms: Rooms) -> None:
    odd = f"Odd id/{uuid.uuid4().hex[:6]}"
    handle = await client.start_workflow(SESSION_WORKFLOW, {"prompt": "x"}, id=odd, task_queue=WORKFLOW_QUEUE)
    with pytest.raises(WorkflowFailureError) as caught:
        await asyncio.wait_for(handle.result(), 20)
    assert isinstance(caught.value.cause, ApplicationError)
    assert caught.value.cause.type == "invalid_session_id"
