"""Answer a user's message at once, beside the work, and notice when it asks for a change or a search for a fault."""

import dataclasses
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from temporalio import activity

from activities.context import Rooms
from activities.images import pictures, with_images
from activities.model_call import use_tools
from activities.once import once
from activities.step import Step, running
from activities.tools import READING_TOOLS, Bench, Result, ToolFailed
from activities.tools import Tool as ProjectTool
from activities.tools.external import ExternalTool, external_tools
from codegen.prompts import render
from inference.tools import Tool, ToolError
from sandbox import SandboxError
from schemas.events import ConversationDelta, ErrorEvent
from schemas.inference import ActionKey, TextDelta
from schemas.session import ChatMessage
from schemas.tool_turns import ConversationInput, ConversationResult
from storage.event_tail import EventTail

HISTORY = 10  # turns that the model is reminded of
DEPTH = 6  # calls of the model: answering at once goes before looking closely
ERRORS = 5  # of the newest that it knows
LOOKED_BACK = 3_000  # events among which they are sought
QUEUED = "I have put this on the list; the builders take it up in the next phase."
DEBUGGING = "I have called the debugger; it looks for the cause as soon as the current step is done."
SILENT = "I have nothing to add to this."


class QueueChange(BaseModel):
    """What a change is to be."""

    model_config = ConfigDict(extra="forbid")

    description: str = Field(min_length=1, max_length=8_000, description="What is to be different, completely.")


class AskBack(BaseModel):
    """A question to the user."""

    model_config = ConfigDict(extra="forbid")

    question: str = Field(min_length=1, max_length=2_000)
    options: list[str] = Field(min_length=2, max_length=4, description="Answers to choose from, short.")


class StartDebugger(BaseModel):
    """What is wrong with the application."""

    model_config = ConfigDict(extra="forbid")

    problem: str = Field(min_length=1, max_length=8_000, description="What happens, what should, and when.")


class Answered(BaseModel):
    """What a message was answered with, kept so that no later attempt pays for another answer."""

    text: str
    changes: list[str]
    problems: list[str]
    options: list[str]


@dataclass
class _Answer:
    """An answer while it comes about, shown as it grows."""

    step: Step
    message_id: str
    text: str = ""
    changes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    broken: bool = False

    def paragraph(self) -> None:
        """What comes next begins a paragraph."""
        self.broken = True

    def add(self, text: str, join: str = "\n\n") -> None:
        """Go on with `text`."""
        if self.text and (self.broken or join):
            text = "\n\n" + text
        self.broken = False
        self.step.emit(
            ConversationDelta(operation_id=self.step.id, message_id=self.message_id, offset=len(self.text), text=text)
        )
        self.text += text


class ConversationActivities:
    """Talks to the user."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    @activity.defn(name="answer_message")
    async def answer(self, given: ConversationInput) -> ConversationResult:
        """Stream the answer to one message and keep it in the conversation. Answering twice gives one answer."""
        async with running(self._rooms, given) as step:
            answer = await once(step, Answered, lambda: self._ask(step, given))
            await step.say(
                ChatMessage(
                    id=_answer_id(step),
                    role="assistant",
                    text=answer.text,
                    at=given.operation.since,
                    options=answer.options,
                )
            )
            if meaning := "\n".join([*answer.changes, *answer.problems]):
                await self._rooms.messages.set_meaning(given.session_id, given.message.id, meaning)
            seq, usage = await step.ended()
            return ConversationResult(
                last_seq=seq, usage=usage, wants_change=bool(answer.changes), wants_debug=bool(answer.problems)
            )

    async def _ask(self, step: Step, given: ConversationInput) -> Answered:
        rooms, message = self._rooms, given.message
        session = await rooms.sessions.get(given.session_id)
        turns = [turn.message for turn in await rooms.messages.list(given.session_id) if turn.message.id != message.id]
        messages = render(
            "conversation",
            request=session.prompt,
            situation=given.situation,
            errors=await recent_errors(rooms, given.session_id),
            history=turns[-HISTORY:],
            message=message.text,
        )
        messages = with_images(messages, await pictures(step, ActionKey.CONVERSATION, [message.id]))
        answer = _Answer(step, _answer_id(step))
        await use_tools(
            step,
            ActionKey.CONVERSATION,
            messages,
            [*_tools(given, step, answer), *await _external(given, step)],
            depth=DEPTH,
            on_delta=lambda delta: answer.add(delta.text, join="") if isinstance(delta, TextDelta) else None,
            on_result=lambda call, result: answer.paragraph(),
        )
        text = answer.text or (QUEUED if answer.changes else DEBUGGING if answer.problems else SILENT)
        return Answered(text=text, changes=answer.changes, problems=answer.problems, options=answer.options)


def _answer_id(step: Step) -> str:
    """The turn that answers: each reading of a message has one."""
    return f"{step.id.removeprefix('message-')}-answer"


def _tools(given: ConversationInput, step: Step, answer: _Answer) -> list[Tool[Any]]:
    """What the model can do while it answers. The calls that hand something on end its answer."""

    async def queue_change(change: QueueChange) -> str:
        answer.changes.append(change.description)
        return "It is on the list."

    async def ask_back(asked: AskBack) -> str:
        answer.options = asked.options
        if asked.question not in answer.text:
            answer.add(asked.question)
        return "The question is shown; the answer comes as the next message."

    async def start_debugger(problem: StartDebugger) -> str:
        answer.problems.append(problem.problem)
        return "The debugger is called."

    return [
        Tool(
            name="queue_change",
            description="Hand a change of the application to the builders, to be carried out in the next phase.",
            arguments=QueueChange,
            handler=queue_change,
            ends=True,
        ),
        Tool(
            name="ask_user",
            description="Ask the person back, with two to four answers to choose from, when it is unclear what they "
            "want. The answer comes as their next message.",
            arguments=AskBack,
            handler=ask_back,
            ends=True,
        ),
        Tool(
            name="start_debugger",
            description="Call the debugger, when something in the application does not work as it should and the cause "
            "is not plain.",
            arguments=StartDebugger,
            handler=start_debugger,
            ends=True,
        ),
        *(_for_answer(kind, step, given) for kind in READING_TOOLS.values()),
    ]


async def _external(given: ConversationInput, step: Step) -> list[Tool[Any]]:
    """The tools of other programs. Those of one program are called one after the other."""
    found = await external_tools(step.rooms.mcp)
    return [
        dataclasses.replace(_for_answer(kind, step, given), resources=partial(_program, kind))
        for kind in found.values()
    ]


def _program(kind: type[ExternalTool], _: BaseModel) -> tuple[str, ...]:
    return (f"program:{kind.server}",)


def _for_answer(kind: type[ProjectTool], step: Step, given: ConversationInput) -> Tool[Any]:
    """A tool of the builder's, for use within one answer."""

    async def handler(call: BaseModel) -> str:
        assert isinstance(call, ProjectTool)
        bench = Bench(
            step=step,
            template=given.template or step.rooms.sandbox.templates()[0].name,
            phase_id="",
            reason="",
            action=ActionKey.CONVERSATION,
            one_call=False,
        )
        try:
            result = await call.run(bench)
        except (ToolFailed, SandboxError, ValueError, LookupError) as error:
            raise ToolError(str(error)) from error
        return result.text if isinstance(result, Result) else result

    spec = kind.spec()
    return Tool(name=spec.name, description=spec.description, arguments=kind, handler=handler, effect=kind.effect)


async def recent_errors(rooms: Rooms, session_id: str) -> list[str]:
    """The newest errors of the session, oldest first, as people were told them."""
    events = await EventTail(rooms.database).latest(session_id, "error", LOOKED_BACK)
    errors = [ErrorEvent.model_validate_json(event.data) for event in events]
    return list(dict.fromkeys(f"{error.code}: {error.sentence}" for error in errors))[-ERRORS:]
