"""A conversation that every provider accepts: each tool call has exactly one result, right after it.

A run that was stopped between a call and its result, or a history that was cut, leaves calls without results and
results without calls; sent as they are, both make the whole request invalid.
"""

from collections.abc import Sequence

from schemas.inference import Dialect, Message

INTERRUPTED = "The call was interrupted before it returned; its effect is unknown."


def repaired(messages: Sequence[Message]) -> list[Message]:
    """`messages` with orphaned tool results dropped and missing ones filled in. The input is not changed."""
    fixed: list[Message] = []
    position = 0
    while position < len(messages):
        message = messages[position]
        position += 1
        if message.role == "tool":
            continue  # results are taken below, with the turn that asked for them
        fixed.append(message)
        if message.role != "assistant" or not message.tool_calls:
            continue
        results: dict[str, Message] = {}
        while position < len(messages) and messages[position].role == "tool":
            result = messages[position]
            results.setdefault(result.tool_call_id or "", result)
            position += 1
        for call in message.tool_calls:
            found = results.get(call.id)
            if found is None:
                found = Message(role="tool", tool_call_id=call.id, content=INTERRUPTED, is_error=True)
            fixed.append(found if found.name else found.model_copy(update={"name": call.name}))
    return fixed


def unthought(messages: Sequence[Message], dialect: Dialect, model: str) -> bool:
    """Whether the conversation stands in the middle of a tool loop whose last turn holds no reasoning that `model`
    could read in `dialect`: another model made it, or it was made without. Or in the middle of an answer. Claude with a
    thinking budget refuses to begin to think there."""
    if messages and messages[-1].role == "assistant":
        return True
    last = next((message for message in reversed(messages) if message.role == "assistant"), None)
    if last is None or not last.tool_calls:
        return False
    return not any(block.dialect == dialect and block.model in ("", model) for block in last.reasoning)
