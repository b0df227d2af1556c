"""Answer a user's message at once, beside the work, and notice when it asks for a change."""

import json

from temporalio import activity

from activities.context import Rooms
from activities.images import pictures, with_images
from activities.model_call import stream_model
from activities.step import Step, running
from codegen.prompts import render
from schemas.events import ConversationDelta
from schemas.inference import ActionKey, TextDelta, ToolCallDone, ToolSpec
from schemas.operations import ConversationInput, ConversationResult
from schemas.session import ChatMessage

HISTORY = 10  # turns that the model is reminded of
QUEUE_CHANGE = ToolSpec(
    name="queue_change",
    description="Hand a change of the application to the builders, to be carried out in the next phase.",
    parameters={
        "type": "object",
        "properties": {"description": {"type": "string", "description": "What is to be different, completely."}},
        "required": ["description"],
        "additionalProperties": False,
    },
)
QUEUED = "I have put this on the list; the builders take it up in the next phase."


class ConversationActivities:
    """Talks to the user."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    @activity.defn(name="answer_message")
    async def answer(self, given: ConversationInput) -> ConversationResult:
        """Stream the answer to one message and keep it in the conversation. Answering twice gives one answer."""
        async with running(self._rooms, given) as step:
            text, wants_change = await self._ask(step, given)
            reply = ChatMessage(id=f"{given.message.id}-answer", role="assistant", text=text, at=given.operation.since)
            await step.say(reply)
            seq, usage = await step.ended()
            return ConversationResult(last_seq=seq, usage=usage, wants_change=wants_change)

    async def _ask(self, step: Step, given: ConversationInput) -> tuple[str, bool]:
        rooms, message = self._rooms, given.message
        session = await rooms.sessions.get(given.session_id)
        turns = [turn.message for turn in await rooms.messages.list(given.session_id) if turn.message.id != message.id]
        messages = render(
            "conversation",
            request=session.prompt,
            situation=given.situation,
            history=turns[-HISTORY:],
            message=message.text,
        )
        messages = with_images(messages, await pictures(step, ActionKey.CONVERSATION, [message.id]))
        text, changes = "", []
        async for delta in stream_model(step, ActionKey.CONVERSATION, messages, tools=(QUEUE_CHANGE,)):
            if isinstance(delta, TextDelta):
                step.emit(
                    ConversationDelta(
                        operation_id=step.id, message_id=f"{message.id}-answer", offset=len(text), text=delta.text
                    )
                )
                text += delta.text
            elif isinstance(delta, ToolCallDone) and delta.call.name == QUEUE_CHANGE.name:
                changes.append(_description(delta.call.arguments))
        return text or QUEUED, bool(changes)


def _description(arguments: str) -> str:
    try:
        value = json.loads(arguments)
    except ValueError:
        return ""
    return str(value.get("description", "")) if isinstance(value, dict) else ""
