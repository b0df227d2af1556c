"""Arguments and results of the steps in which a model talks, or works with tools."""

from typing import Literal

from pydantic import BaseModel, Field

from schemas.blueprint import Blueprint
from schemas.checks import CheckReport, Issue
from schemas.inference import SideEffect
from schemas.operations import FilesResult, OperationInput, OperationResult
from schemas.session import Preview, Question, QueuedMessage, ScreenshotRef


class ConversationInput(OperationInput):
    """Answer one message of a user. `situation` says in plain words where the session is."""

    message: QueuedMessage
    situation: str
    template: str | None = None


class ConversationResult(OperationResult):
    """Whether the message asks for a change of the application, to be planned, or to find out what is wrong with it."""

    wants_change: bool
    wants_debug: bool = False


class BuilderTurnInput(OperationInput):
    """One turn of the model that drives a session in smart mode; `turn` counts from 1 in each phase.

    What is new since the turn before is told first: messages, the issues of failed checks, `notes` of the session.
    """

    template: str
    phase_id: str
    turn: int
    message_ids: list[str] = Field(default_factory=list)
    issues: list[Issue] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)


class ToolRequest(BaseModel):
    """A tool call by its place in the turn; the arguments are in the stored transcript. `queue` says where it runs,
    `effect` what may run beside it."""

    id: str
    name: str
    summary: str
    index: int = 0
    queue: Literal["inference", "sandbox"] = "inference"
    effect: SideEffect = "exclusive"


class BuilderTurnResult(OperationResult):
    """The tools that the model wants to use now; none when it only spoke, or was cut off."""

    calls: list[ToolRequest]
    cut: bool = False


class ToolInput(OperationInput):
    """Carry out one tool call of the turn with the step id `turn_id`."""

    template: str
    phase_id: str
    turn_id: str
    call: ToolRequest


class ToolResult(FilesResult):
    """What a tool changed. `outcome` is 'completed' when the model declared the work done.

    `digest` is the same for the same call with the same result. The other fields are what became new by the call.
    """

    outcome: Literal["ok", "error", "completed"]
    digest: str = ""
    question: Question | None = None
    blueprint: Blueprint | None = None
    preview: Preview | None = None
    report: CheckReport | None = None
    screenshots: list[ScreenshotRef] = Field(default_factory=list)


class DebugInput(OperationInput):
    """Find out what is wrong and mend it: what the checks found, and what a user said, if anybody."""

    template: str
    phase_id: str
    issues: list[Issue] = Field(default_factory=list)
    message_ids: list[str] = Field(default_factory=list)


class DebugResult(FilesResult):
    """What was wrong, in plain words; `solved` as the debugger judges it."""

    diagnosis: str
    solved: bool
