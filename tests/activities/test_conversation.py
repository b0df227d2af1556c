"""Answers to users: at once, with what the session knows, and handing on what they ask for."""

from typing import Any

from activities.conversation import DEBUGGING, QUEUED, ConversationActivities
from schemas.events import ErrorEvent
from schemas.session import ChatMessage, QueuedMessage
from schemas.tool_turns import ConversationInput, ConversationResult
from tests.activities.conftest import ModelRooms
from tests.fault_server import Calls

AT = "2026-01-01T00:00:00Z"
SITUATION = "State: generating. Spent: 0.42 US dollars in 7 model calls."


async def answer(model_rooms: ModelRooms, text: str = "how is it going?", number: int = 1) -> ConversationResult:
    chat = ChatMessage(id=f"m{number}", role="user", text=text, at=AT)
    await model_rooms.rooms.messages.put("s1", chat)
    given = ConversationInput(
        **model_rooms.common(f"message-m{number}", "conversation"),
        message=QueuedMessage(id=chat.id, text=text, author="local", at=AT),
        situation=SITUATION,
        template="react-vite",
    )
    return await model_rooms.run(ConversationActivities(model_rooms.rooms).answer, given)


async def spoken(model_rooms: ModelRooms) -> list[dict[str, Any]]:
    return [event["message"] for event in await model_rooms.events("message")]


async def fail(model_rooms: ModelRooms, *sentences: str) -> None:
    errors = [ErrorEvent(operation_id=None, code="boom", sentence=text, next_action="wait") for text in sentences]
    await model_rooms.rooms.events.append_outbox("s1", 1, errors)


async def test_it_streams_an_answer_that_knows_state_cost_and_errors(model_rooms: ModelRooms) -> None:
    await fail(model_rooms, *[f"Error number {number}." for number in range(8)])
    model_rooms.says("Well so far: 42 cents.")
    result = await answer(model_rooms)
    assert (result.wants_change, result.wants_debug) == (False, False)
    prompt = model_rooms.prompts[0]
    assert "0.42 US dollars in 7 model calls" in prompt and "State: generating" in prompt
    assert "Error number 7." in prompt and "Error number 1." not in prompt, "the newest ones"
    (shown,) = await spoken(model_rooms)
    assert (shown["id"], shown["text"]) == ("m1-answer", "Well so far: 42 cents.")


async def test_a_change_is_handed_on_with_what_it_means(model_rooms: ModelRooms) -> None:
    model_rooms.says(Calls("Gladly.", (("queue_change", {"description": "A dark theme with a switch."}),)))
    result = await answer(model_rooms, "make it dark")
    assert (result.wants_change, result.usage.calls) == (True, 1)
    (record,) = [turn for turn in await model_rooms.rooms.messages.list("s1") if turn.message.id == "m1"]
    assert record.meaning == "A dark theme with a switch."
    assert (await spoken(model_rooms))[0]["text"] == "Gladly."
    model_rooms.says(Calls("", (("queue_change", {"description": "Blue."}),)))
    await answer(model_rooms, "blue", 2)
    assert (await spoken(model_rooms))[1]["text"] == QUEUED


async def test_an_answer_is_paid_for_once(model_rooms: ModelRooms) -> None:
    """A worker that dies right after the answer came leaves it to the next attempt."""
    model_rooms.says(Calls("Gladly.", (("queue_change", {"description": "Blue."}),)))
    first = await answer(model_rooms, "make it blue")
    again = await answer(model_rooms, "make it blue")
    assert len(model_rooms.prompts) == 1
    assert (again.wants_change, again.usage) == (first.wants_change, first.usage)
    (turn,) = [turn.message for turn in await model_rooms.rooms.messages.list("s1") if turn.message.role == "assistant"]
    assert turn.text == "Gladly."


async def test_it_asks_back_with_options_and_goes_on_with_the_answer(model_rooms: ModelRooms) -> None:
    question = {"question": "Which one?", "options": ["the header", "the list"]}
    model_rooms.says(Calls("", (("ask_user", question),)))
    result = await answer(model_rooms, "make it bigger")
    assert not result.wants_change
    (shown,) = await spoken(model_rooms)
    assert (shown["text"], shown["options"]) == ("Which one?", ["the header", "the list"])
    model_rooms.says(Calls("So be it.", (("queue_change", {"description": "A bigger header."}),)))
    second = await answer(model_rooms, "the header", 2)
    assert second.wants_change
    assert "Which one?" in model_rooms.prompts[-1] and "make it bigger" in model_rooms.prompts[-1]


async def test_it_calls_the_debugger(model_rooms: ModelRooms) -> None:
    model_rooms.says(Calls("", (("start_debugger", {"problem": "The button does nothing."}),)))
    result = await answer(model_rooms, "the button does nothing")
    assert (result.wants_change, result.wants_debug) == (False, True)
    assert (await spoken(model_rooms))[0]["text"] == DEBUGGING


async def test_it_looks_at_files_and_versions_before_it_answers(model_rooms: ModelRooms) -> None:
    await model_rooms.put(App="const colour = 'teal'\n")
    model_rooms.says(
        Calls("I look.", (("read_file", {"path": "src/App.tsx"}), ("list_versions", {}))),
        Calls("", (("read_file", {"path": "nowhere"}),)),
        "It is teal.",
    )
    result = await answer(model_rooms, "which colour is it?")
    assert result.usage.calls == 3
    assert "teal" in model_rooms.prompts[1] and "src/App.tsx" in model_rooms.prompts[1]
    assert "There is no file" in model_rooms.prompts[2]
    assert (await spoken(model_rooms))[0]["text"] == "I look.\n\nIt is teal."


async def test_it_cannot_change_the_project(model_rooms: ModelRooms) -> None:
    model_rooms.says(Calls("", (("write_file", {"path": "src/x.ts", "content": "x"}),)), "I cannot.")
    await answer(model_rooms)
    assert "There is no tool" in model_rooms.prompts[1]
    assert await model_rooms.rooms.files.contents("s1") == {}
