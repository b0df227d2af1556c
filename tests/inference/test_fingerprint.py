"""The same question has the same fingerprint wherever it is asked, and another one has another."""

from codegen.prompts import fence_code, fenced, set_fence
from inference.fingerprint import fingerprint
from schemas.inference import ActionKey, ImagePart, Message, ModelCall, TextPart, ToolCall, ToolSpec


def call(text: str, session_id: str = "session-a", **more: object) -> ModelCall:
    messages = (Message(role="system", content="You write code."), Message(role="user", content=text))
    return ModelCall.model_validate(
        {"action": ActionKey.BLUEPRINT, "messages": messages, "session_id": session_id} | more
    )


def test_what_differs_between_two_homes_does_not_count() -> None:
    before = fence_code()
    try:
        prints = []
        for code, session, port, took in (
            ("aaaa1111", "session-a", 8081, "1.25 s"),
            ("bbbb2222", "session-b", 9191, "3ms"),
        ):
            set_fence(code)
            told = f"built in {took}; see http://localhost:{port}/s/{session}. Spent: 0.0{port} US dollars. {code}"
            prints.append(fingerprint(call(fenced(told, "output"), session)))
        assert prints[0] == prints[1]
    finally:
        set_fence(before)


def test_what_is_asked_counts() -> None:
    picture = ImagePart(data="AAAA")
    asked = [
        call("Add a board"),
        call("Add a board."),
        call("Add a board", action=ActionKey.CODE_REVIEW),
        call("Add a board", tools=(ToolSpec(name="read", description="", parameters={}),)),
        call("Add a board", messages=(Message(role="user", content=(TextPart(text="Add a board"), picture)),)),
        call("", messages=(Message(role="assistant", tool_calls=(ToolCall(id="1", name="read", arguments="{}"),)),)),
        call("", messages=(Message(role="assistant", tool_calls=(ToolCall(id="2", name="read", arguments="[]"),)),)),
    ]
    assert len({fingerprint(each) for each in asked}) == len(asked)
