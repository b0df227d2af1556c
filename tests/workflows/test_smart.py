"""Smart mode against a real Temporal server, with scripted rooms: turns, limits, questions, messages, renewal."""

import asyncio
from decimal import Decimal

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowUpdateFailedError

from schemas.session import UserMessage
from tests.workflows.conftest import Start, progress_of, until
from tests.workflows.stubs import Rooms, Script, refusal


def notices(rooms: Rooms, session_id: str) -> list[str]:
    return [
        event["message"]["text"]
        for event in rooms.events[session_id].values()
        if event["type"] == "message" and event["message"]["role"] == "notice"
    ]


async def test_turns_run_until_complete(start: Start, rooms: Rooms) -> None:
    script = Script(turns=[["write_blueprint"], ["write_file", "run_checks"], ["complete"]])
    handle = await start(script, mode="smart", keep_open=False)
    result = await handle.result()
    assert (result.state.name, result.title) == ("completed", "Planned")
    assert {"src/App.tsx", "README.md"} <= {file.path for file in result.files}
    assert (result.phases[0].status, result.phases[0].turns) == ("completed", 3)
    assert rooms.runs[handle.id][-1] == "phase-1/readme"
    assert "blueprint" in rooms.types(handle.id)


async def test_the_turns_of_a_round_are_limited_and_a_resume_gives_more(start: Start, rooms: Rooms) -> None:
    script = Script(turns=[["list_files"]] * 12 + [["complete"]])
    handle = await start(script, mode="smart", max_phases=1)
    paused = await until(handle, lambda p: p.state.code == "turn_limit")
    assert (paused.state.name, paused.state.can) == ("idle", ["message", "resume"])
    assert paused.phases[0].turns == 10
    assert any("Only 5 turns are left" in note for turn in rooms.turns[handle.id] for note in turn.notes)
    (notice,) = notices(rooms, handle.id)
    assert "10 turns are used up" in notice and "Done:" in notice and "Left:" in notice
    await handle.execute_update("resume")
    done = await until(handle, lambda p: p.state.name == "completed")
    assert done.phases[0].turns == 13


async def test_a_limit_ends_a_session_that_does_not_stay(start: Start) -> None:
    handle = await start(Script(turns=[["list_files"]] * 12), mode="smart", max_phases=1, keep_open=False)
    with pytest.raises(WorkflowFailureError) as caught:
        await handle.result()
    assert caught.value.cause is not None
    assert getattr(caught.value.cause, "type", "") == "turn_limit"


async def test_spending_is_limited_per_allowance(start: Start, rooms: Rooms) -> None:
    script = Script(turns=[["list_files"]] * 5 + [["complete"]], turn_cost=Decimal("0.10"))
    handle = await start(script, mode="smart", max_cost_usd="0.25")
    paused = await until(handle, lambda p: p.state.code == "spend_limit")
    assert paused.phases[0].turns == 3
    await handle.execute_update("resume")
    done = await until(handle, lambda p: p.state.name == "completed")
    assert done.phases[0].turns == 6
    assert "0.30 US dollars" in notices(rooms, handle.id)[0]


@pytest.mark.parametrize(
    "turns",
    [[["same"]] * 6, [["same-a"], ["same-b"]] * 6, [["same-a", "same-b"]] * 6],
    ids=["alike", "alternating", "pairs in one turn"],
)
async def test_going_round_in_circles_is_told_once_then_stopped(
    start: Start, rooms: Rooms, turns: list[list[str]]
) -> None:
    handle = await start(Script(turns=[*turns]), mode="smart")
    paused = await until(handle, lambda p: p.state.code == "repetition")
    assert paused.state.can == ["message", "resume"]
    told = [turn.turn for turn in rooms.turns[handle.id] if any("again and again" in note for note in turn.notes)]
    assert len(told) == 1
    await handle.signal("message", UserMessage(id="m1", text="try it like this"))
    rooms.scripts[handle.id].turns = [["complete"]]
    await until(handle, lambda p: p.state.name == "completed")
    assert rooms.turns[handle.id][-1].message_ids == ["m1"]


async def test_a_silent_turn_is_nudged_and_a_second_one_ends_the_round(start: Start, rooms: Rooms) -> None:
    handle = await start(Script(turns=[[], ["list_files"], [], []]), mode="smart", keep_open=False)
    result = await handle.result()
    assert (result.state.name, result.phases[0].turns) == ("completed", 4)
    assert [bool(turn.notes) for turn in rooms.turns[handle.id]] == [False, True, False, True]


async def test_a_question_waits_for_its_answer(start: Start, rooms: Rooms) -> None:
    handle = await start(Script(turns=[["ask_user", "write_file"], ["complete"]]), mode="smart")
    asked = await until(handle, lambda p: p.state.name == "idle")
    assert asked.question is not None and asked.question.options == ["red", "blue"]
    assert (asked.state.reason, asked.state.code, asked.state.can) == (
        "Which colour?", "question", ["message", "stop"],
    )  # fmt: skip
    with pytest.raises(WorkflowUpdateFailedError):
        await handle.execute_update("resume")  # it helps nothing: an answer is needed
    await handle.execute_update("stop")
    await until(handle, lambda p: p.state.name == "stopped")
    await handle.execute_update("resume")
    await until(handle, lambda p: p.state.name == "idle")
    await handle.signal("message", UserMessage(id="m1", text="blue"))
    done = await until(handle, lambda p: p.state.name == "completed")
    assert done.question is None
    assert rooms.turns[handle.id][-1].message_ids == ["m1"]
    assert "message-m1" not in rooms.runs[handle.id], "the answer goes to the builder, not to the conversation"
    assert done.messages[0].state == "done"


async def test_a_message_enters_before_the_next_turn(start: Start, rooms: Rooms) -> None:
    gate = asyncio.Event()
    script = Script(turns=[["list_files"], ["complete"]], hold={"phase-1/turn-1/tool-0": gate})
    handle = await start(script, mode="smart")
    await until(handle, lambda p: "phase-1/turn-1/tool-0" in rooms.runs[handle.id])
    await handle.signal("message", UserMessage(id="m1", text="make it blue"))
    await until(handle, lambda p: bool(p.messages) and p.messages[0].answered)
    gate.set()
    done = await until(handle, lambda p: p.state.name == "completed" and not p.operations)
    assert [turn.message_ids for turn in rooms.turns[handle.id]] == [[], ["m1"]]
    assert len(done.phases) == 1


async def test_what_only_reads_runs_side_by_side_before_what_changes(start: Start, rooms: Rooms) -> None:
    gates = {f"phase-1/turn-1/tool-{index}": asyncio.Event() for index in range(3)}
    script = Script(turns=[["read_a", "read_b", "write_file", "read_c"], ["complete"]], hold=gates)
    handle = await start(script, mode="smart")
    await until(handle, lambda p: {"phase-1/turn-1/tool-0", "phase-1/turn-1/tool-1"} <= set(rooms.runs[handle.id]))
    gates["phase-1/turn-1/tool-1"].set()
    await until(handle, lambda p: len(p.operations) == 1)
    assert "phase-1/turn-1/tool-2" not in rooms.runs[handle.id]
    gates["phase-1/turn-1/tool-0"].set()
    await until(handle, lambda p: "phase-1/turn-1/tool-2" in rooms.runs[handle.id])
    assert "phase-1/turn-1/tool-3" not in rooms.runs[handle.id]
    gates["phase-1/turn-1/tool-2"].set()
    await until(handle, lambda p: p.state.name == "completed")


async def test_an_interrupting_message_cancels_the_running_tool(start: Start, rooms: Rooms) -> None:
    gate = asyncio.Event()
    script = Script(turns=[["list_files", "write_file"], ["complete"]], hold={"phase-1/turn-1/tool-0": gate})
    handle = await start(script, mode="smart")
    await until(handle, lambda p: "phase-1/turn-1/tool-0" in rooms.runs[handle.id])
    await handle.signal("message", UserMessage(id="m1", text="stop that, make it blue", interrupt=True))
    await until(handle, lambda p: p.state.name == "completed")
    assert rooms.cancelled[handle.id] == ["phase-1/turn-1/tool-0"]
    assert "phase-1/turn-1/tool-1" not in rooms.runs[handle.id]
    assert [turn.message_ids for turn in rooms.turns[handle.id]] == [[], ["m1"]]


async def test_problems_go_back_to_the_model_then_to_the_debugger_once(start: Start, rooms: Rooms) -> None:
    script = Script(turns=[["complete"]] * 9, broken_checks=3, debugger_mends=9)
    handle = await start(script, mode="smart", review_cycles=1)
    done = await until(handle, lambda p: p.state.name == "completed")
    assert [bool(turn.issues) for turn in rooms.turns[handle.id]] == [False, True]
    assert done.debugged == ["request"]
    assert "src/mended.tsx" in [file.path for file in done.files]


async def test_the_debugger_looks_into_a_request_once(start: Start, rooms: Rooms) -> None:
    script = Script(turns=[["complete"]] * 9, broken_checks=99)
    handle = await start(script, mode="smart", review_cycles=0)
    await until(handle, lambda p: p.state.name == "failed")
    await handle.execute_update("resume")
    await until(handle, lambda p: p.state.name == "failed" and len(rooms.turns[handle.id]) == 2)
    assert rooms.runs[handle.id].count("phase-1/debug/request") == 1
    script.broken_checks = 1
    await handle.signal("message", UserMessage(id="m1", text="please repair it"))
    await until(handle, lambda p: "phase-2/debug/m1" in rooms.runs[handle.id])


@pytest.mark.parametrize("mode", ["smart", "deterministic"])
async def test_a_user_can_ask_for_the_debugger(start: Start, rooms: Rooms, mode: str) -> None:
    script = Script(phases=1, turns=[["complete"]], wants_change=False, wants_debug=True)
    handle = await start(script, mode=mode)
    await until(handle, lambda p: p.state.name == "completed")
    await handle.signal("message", UserMessage(id="m1", text="the button does nothing"))
    done = await until(handle, lambda p: p.state.name == "completed" and len(p.phases) == 2)
    assert "phase-2/debug/m1" in rooms.runs[handle.id]
    assert (done.phases[1].status, done.messages[0].state) == ("completed", "done")
    assert done.phases[1].files == ["src/mended.tsx"]


async def test_a_long_round_renews_its_history_between_turns(client: Client, start: Start, rooms: Rooms) -> None:
    script = Script(turns=[["list_files"]] * 40 + [["same"]] * 2 + [["complete"]], turn_cost=Decimal("0.01"))
    handle = await start(script, mode="smart", max_history_events=150)
    await until(handle, lambda p: p.phases != [] and p.phases[0].turns > 5)
    await handle.signal("message", UserMessage(id="m1", text="make it blue"))
    done = await until(handle, lambda p: p.state.name == "completed", 110)
    runs = await client.count_workflows(f"WorkflowId = '{handle.id}'")
    assert runs.count > 2
    assert [turn.turn for turn in rooms.turns[handle.id]] == list(range(1, 44))
    assert done.phases[0].turns == 43 and len(done.phases) == 1
    assert rooms.turns[handle.id][-1].message_ids == ["m1"]


async def test_limits_count_over_a_renewal_and_a_pause_survives_it(start: Start, rooms: Rooms) -> None:
    script = Script(turns=[["list_files"]] * 20 + [["complete"]], wants_change=False)
    handle = await start(script, mode="smart", max_phases=2, max_history_events=60)
    paused = await until(handle, lambda p: p.state.code == "turn_limit")
    assert paused.phases[0].turns == 20
    for number in range(6):  # talk makes the history of the paused session grow
        await handle.signal("message", UserMessage(id=f"m{number}", text="how far are you?"))
        await until(handle, lambda p, n=number: len(p.messages) > n and p.messages[n].answered)  # type: ignore[misc]
    still = await until(handle, lambda p: p.state.code == "turn_limit" and not p.operations)
    assert still.state.can == ["message", "resume"]
    await handle.execute_update("resume")
    await until(handle, lambda p: p.state.name == "completed")
    assert len(notices(rooms, handle.id)) == 1


async def test_a_question_survives_a_renewal(client: Client, start: Start, rooms: Rooms) -> None:
    script = Script(turns=[["list_files"]] * 6 + [["ask_user"], ["complete"]])
    handle = await start(script, mode="smart", max_history_events=50)
    await until(handle, lambda p: p.question is not None and p.state.name == "idle")
    for _ in range(8):
        await handle.execute_update("stop")
        await until(handle, lambda p: p.state.name == "stopped")
        await handle.execute_update("resume")
        await until(handle, lambda p: p.state.name == "idle")
    runs = await client.count_workflows(f"WorkflowId = '{handle.id}'")
    assert runs.count > 1
    await handle.signal("message", UserMessage(id="m1", text="red"))
    await until(handle, lambda p: p.state.name == "completed")
    assert (await progress_of(handle)).question is None


async def test_a_failed_tool_step_waits_for_a_resume(start: Start, rooms: Rooms) -> None:
    script = Script(turns=[["run_checks"], ["complete"]], fail={"phase-1/turn-1/tool-0": [refusal("sandbox_gone")]})
    handle = await start(script, mode="smart")
    await until(handle, lambda p: p.state.name == "failed")
    await handle.execute_update("resume")
    done = await until(handle, lambda p: p.state.name == "completed")
    assert done.phases[0].turns == 2
