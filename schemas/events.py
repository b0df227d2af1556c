"""The events of a session, as they are stored and sent to watchers.

Each has a `type` and fields. Applying an event twice, or one that a snapshot already reflects, changes nothing: events
carry whole objects by id, or text by its offset. The envelope (`seq`, `at`) is added by the log.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from schemas.blueprint import Blueprint
from schemas.budgets import BudgetNotice
from schemas.candidates import Candidate
from schemas.checks import CheckReport
from schemas.deployments import Deployment
from schemas.secrets import MaskedSecret
from schemas.session import ChatMessage, FileRef, Operation, PhaseProgress, Preview, StateInfo, UsageTotals
from schemas.versions import FileConflict


class SessionStateEvent(BaseModel):
    """The session entered a state."""

    type: Literal["session_state"] = "session_state"
    state: StateInfo


class SessionInfoEvent(BaseModel):
    """Title, template and model of the session, once known. `demo` says that the demo model answers."""

    type: Literal["session_info"] = "session_info"
    title: str
    template: str | None
    model: str | None
    demo: bool


class OperationStarted(BaseModel):
    """A step began."""

    type: Literal["operation_started"] = "operation_started"
    operation: Operation


class OperationFinished(BaseModel):
    """A step ended."""

    type: Literal["operation_finished"] = "operation_finished"
    operation_id: str
    outcome: Literal["done", "failed", "stopped"]


class OperationReset(BaseModel):
    """An attempt at a step was thrown away: forget its text that is not in a closed file."""

    type: Literal["operation_reset"] = "operation_reset"
    operation_id: str
    attempt: int
    reason: str


class BlueprintChunk(BaseModel):
    """A piece of the blueprint while the model writes it."""

    type: Literal["blueprint_chunk"] = "blueprint_chunk"
    operation_id: str
    offset: int
    text: str


class BlueprintReady(BaseModel):
    """The finished blueprint."""

    type: Literal["blueprint"] = "blueprint"
    blueprint: Blueprint


class PhaseEvent(BaseModel):
    """A phase is new or changed: the whole of it."""

    type: Literal["phase"] = "phase"
    phase: PhaseProgress


class FileGenerating(BaseModel):
    """A file is being written from here on."""

    type: Literal["file_generating"] = "file_generating"
    operation_id: str
    path: str
    purpose: str
    format: Literal["full_content", "unified_diff"]
    phase_id: str | None


class FileChunk(BaseModel):
    """A piece of the file being written; `offset` counts characters from the start of what is streamed for it."""

    type: Literal["file_chunk"] = "file_chunk"
    operation_id: str
    path: str
    offset: int
    text: str
    format: Literal["full_content", "unified_diff"]


class FileGenerated(BaseModel):
    """A file is complete and stored."""

    type: Literal["file_generated"] = "file_generated"
    operation_id: str
    file: FileRef


class FileDeleted(BaseModel):
    """A file left the project."""

    type: Literal["file_deleted"] = "file_deleted"
    operation_id: str
    path: str


class FileConflictEvent(BaseModel):
    """A user's edit and the session's change of a file could not be merged, or the user has chosen between them."""

    type: Literal["file_conflict"] = "file_conflict"
    conflict: FileConflict


class FileReset(BaseModel):
    """What streamed for this file is discarded; its last stored version, if any, stands."""

    type: Literal["file_reset"] = "file_reset"
    operation_id: str
    path: str
    reason: str


class FileFix(BaseModel):
    """A complete file was faulty by itself: it is being repaired, was repaired, or is kept as it was written."""

    type: Literal["file_fix"] = "file_fix"
    operation_id: str
    path: str
    status: Literal["fixing", "fixed", "kept"]
    by: Literal["rule", "model"]
    problems: list[str]


class CandidateEvent(BaseModel):
    """A candidate is new or changed: the whole of it."""

    type: Literal["candidate"] = "candidate"
    candidate: Candidate


class ChecksEvent(BaseModel):
    """Checks of a phase ran."""

    type: Literal["checks"] = "checks"
    phase_id: str
    report: CheckReport


class CommandEvent(BaseModel):
    """A command in the sandbox: started, or ended with the tail of its output."""

    type: Literal["command"] = "command"
    operation_id: str
    command: str
    status: Literal["running", "done", "failed", "refused"]
    output: str = ""


class PreviewEvent(BaseModel):
    """The preview changed."""

    type: Literal["preview"] = "preview"
    preview: Preview


class DeploymentEvent(BaseModel):
    """A deployment is new or changed: the whole of it."""

    type: Literal["deployment"] = "deployment"
    deployment: Deployment


class MessageEvent(BaseModel):
    """A turn of the conversation is new or changed."""

    type: Literal["message"] = "message"
    message: ChatMessage


class ConversationDelta(BaseModel):
    """A piece of an answer while the model writes it."""

    type: Literal["conversation_delta"] = "conversation_delta"
    operation_id: str
    message_id: str
    offset: int
    text: str


class UsageEvent(BaseModel):
    """Tokens and money of the session after a model call."""

    type: Literal["usage"] = "usage"
    operation_id: str
    action: str
    model: str
    usage: UsageTotals


class BudgetEvent(BaseModel):
    """Part of a budget that bounds the session is used up."""

    type: Literal["budget"] = "budget"
    notice: BudgetNotice


class WaitingEvent(BaseModel):
    """A model call waits before its next attempt, and where that attempt will go."""

    type: Literal["waiting"] = "waiting"
    operation_id: str
    code: str
    reason: str
    until: datetime | None = None


class ErrorEvent(BaseModel):
    """Something failed: code, plain sentence, what to do next. `secrets` are the keys that it is about, masked; the
    vault is offered for one of a model provider."""

    type: Literal["error"] = "error"
    operation_id: str | None
    code: str
    sentence: str
    next_action: str
    secrets: list[MaskedSecret] = Field(default_factory=list)


Event = Annotated[
    SessionStateEvent
    | SessionInfoEvent
    | OperationStarted
    | OperationFinished
    | OperationReset
    | BlueprintChunk
    | BlueprintReady
    | PhaseEvent
    | FileGenerating
    | FileChunk
    | FileGenerated
    | FileDeleted
    | FileConflictEvent
    | FileReset
    | FileFix
    | CandidateEvent
    | ChecksEvent
    | CommandEvent
    | PreviewEvent
    | DeploymentEvent
    | MessageEvent
    | ConversationDelta
    | UsageEvent
    | BudgetEvent
    | WaitingEvent
    | ErrorEvent,
    Field(discriminator="type"),
]


class Staleness(BaseModel):
    """Why a snapshot is not fresh, and its age in seconds."""

    age: float
    reason: str


class Outbox(BaseModel):
    """Events of the workflow that the next activity writes down first. `first` is the number of the first one."""

    first: int
    events: list[Event]
