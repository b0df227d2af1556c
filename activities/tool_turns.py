"""A model with tools, turn by turn: what it reads, what it says, what its calls come to. All of it is kept in a
transcript, so that a repeated attempt goes on where the one before it ended and pays for nothing twice.
"""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Final

from pydantic import JsonValue

from activities.images import with_images
from activities.model_call import stream_model
from activities.pictures import with_pictures
from activities.step import Step
from activities.tool_permissions import permit
from activities.tools import Bench, Result, ToolFailed, Tools, parse
from codegen.prompts import fenced
from inference import tokens
from inference.compaction import shorten
from inference.tools import RESULT_LIMIT, bounded
from sandbox import SandboxError
from schemas.events import ConversationDelta
from schemas.inference import (
    ActionKey,
    Answer,
    ContentPart,
    Finish,
    ImagePart,
    Message,
    TextDelta,
    TextPart,
    ToolCall,
    ToolCallDone,
)

LONG: Final = 100_000
"""Tokens of a thread from which on its older part is shortened."""

KEEP: Final = 30
"""Messages at the end that stay as they are. What is before is cut in steps of as many: the prefix that providers cache
changes only then."""

OLD_RESULT, OLD_ARGUMENT = 300, 200
"""Tokens that are left of an old result, and of an old argument."""

CUT = (
    "Your answer was cut off by the output limit, and none of its calls was carried out. Go on in smaller pieces: "
    "one file at a time, or generate_files."
)


class Conversation:
    """The thread of one model with its tools in a session."""

    def __init__(self, step: Step, action: ActionKey, thread: str, tools: Tools) -> None:
        self._step = step
        self._action = action
        self._thread = thread
        self._tools = tools
        self._transcripts = step.rooms.transcripts

    async def said(self, operation_id: str) -> Message | None:
        """What was said under this id, if anything."""
        return await self._transcripts.said(self._step.session_id, self._thread, operation_id)

    async def tell(self, operation_id: str, text: str) -> None:
        """Add a user's turn, once."""
        await self._add(operation_id, Message(role="user", content=text))

    async def turn(
        self, turn_id: str, system: Message, *, images: Sequence[ImagePart] = (), call_number: int = 0
    ) -> tuple[Message, bool]:
        """What the model says next, and whether it was cut off. A turn that was taken already is not paid for again.

        `images` belong to the opening of the thread. The model's words are shown as the message `turn_id` while it
        writes them.
        """
        cut_id = f"{turn_id}/cut"
        if (said := await self.said(turn_id)) is not None:
            return said, await self.said(cut_id) is not None
        thread = await self._transcripts.messages(self._step.session_id, self._thread)
        shown = await with_pictures(
            self._step.rooms, shortened(thread), sees=await self._step.reads_images(self._action)
        )
        opening = with_images(shown[:1], images)
        answer = await self._ask(turn_id, (system, *opening, *shown[1:]), call_number)
        cut = answer.finish is not None and answer.finish.reason == "length"
        if cut:
            answer.tool_calls.clear()  # the last may be half of one
        said = answer.message()
        if not said.tool_calls and not said.text.strip():
            said = said.model_copy(update={"content": "(nothing)"})  # no provider accepts an empty turn
        await self._add(turn_id, said)
        if cut:
            await self.tell(cut_id, CUT)
        return said, cut

    async def _ask(self, turn_id: str, messages: tuple[Message, ...], call_number: int) -> Answer:
        answer = Answer()
        specs = tuple(tool.spec() for tool in self._tools.values())
        deltas = stream_model(
            self._step,
            self._action,
            messages,
            tools=specs,
            call_number=call_number,
            cacheable_prefix=len(messages) - 1,
        )
        async for delta in deltas:
            if isinstance(delta, TextDelta):
                self._step.emit(
                    ConversationDelta(
                        operation_id=self._step.id, message_id=turn_id, offset=len(answer.text), text=delta.text
                    )
                )
                answer.text += delta.text
            elif isinstance(delta, ToolCallDone):
                answer.tool_calls.append(delta.call)
            elif isinstance(delta, Finish):
                answer.finish = delta
        return answer

    async def use(self, operation_id: str, bench: Bench, call: ToolCall) -> tuple[Result, bool]:
        """Carry out a call whose result is not known yet, and add the result. Whatever goes wrong with it is a result
        too; the second value says so."""
        failed = False
        try:
            tool = parse(call, self._tools)
            permit(tool, await self._transcripts.messages(self._step.session_id, self._thread))
            outcome = await tool.run(bench)
            result = Result(outcome) if isinstance(outcome, str) else outcome
        except (ToolFailed, SandboxError, ValueError, LookupError) as error:
            result, failed = Result(fenced(str(error), "output")), True  # it may repeat what a program printed
        result.text = bounded(result.text, RESULT_LIMIT) or "(empty)"
        content: str | tuple[ContentPart, ...] = result.text
        if result.images:
            content = (TextPart(text=result.text), *result.images)
        await self._add(
            operation_id,
            Message(role="tool", content=content, tool_call_id=call.id, name=call.name, is_error=failed),
        )
        return result, failed

    async def _add(self, operation_id: str, message: Message) -> None:
        await self._transcripts.append(self._step.session_id, self._thread, operation_id, message)


def digest(call: ToolCall, result: str) -> str:
    """The same for the same call with the same result."""
    return sha256(f"{call.name}\0{_canonical(call.arguments)}\0{result}".encode()).hexdigest()[:16]


def _canonical(arguments: str) -> str:
    try:
        return json.dumps(json.loads(arguments or "{}"), sort_keys=True)
    except ValueError:
        return arguments


def shortened(thread: Sequence[Message]) -> list[Message]:
    """The thread, its older results and arguments cut where it is long. The opening stays whole."""
    if sum(map(tokens.of_message, thread)) <= LONG:
        return list(thread)
    boundary = (len(thread) - KEEP) // KEEP * KEEP
    return [_cut(message) if 0 < place < boundary else message for place, message in enumerate(thread)]


def _cut(message: Message) -> Message:
    if message.role == "tool":
        return message.model_copy(update={"content": shorten(message.text, OLD_RESULT)})
    if message.tool_calls:
        calls = tuple(call.model_copy(update={"arguments": _less(call.arguments)}) for call in message.tool_calls)
        return message.model_copy(update={"tool_calls": calls})
    return message


def _less(arguments: str) -> str:
    """Arguments whose long texts are cut; still JSON, where they were."""
    try:
        value = json.loads(arguments)
    except ValueError:
        return "{}"
    return json.dumps(_shallow(value)) if isinstance(value, dict) else arguments


def _shallow(value: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    return {name: shorten(part, OLD_ARGUMENT) if isinstance(part, str) else part for name, part in value.items()}
