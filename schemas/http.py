"""Bodies of the HTTP interface, and the problem every error is answered with (RFC 9457)."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from schemas.blueprint import Complexity
from schemas.candidates import MAX_CANDIDATES
from schemas.deployments import Deployment, DeploymentId, Target
from schemas.events import Staleness
from schemas.secrets import MaskedSecret
from schemas.session import (
    MAX_IMAGES,
    MAX_PARALLEL_CALLS,
    PARALLEL_CALLS,
    ChatMessage,
    Jurisdiction,
    MessageId,
    Mode,
    Progress,
    Prompt,
    State,
    Urgency,
)
from schemas.versions import FileConflict, VersionNumber

ImageId = Annotated[str, StringConstraints(pattern=r"^img-[a-z0-9]{20,40}$")]


class CreateSession(BaseModel):
    """Body of `POST /api/sessions`. `image_ids` are pictures that were uploaded before."""

    model_config = ConfigDict(extra="forbid")

    prompt: Prompt
    mode: Mode = "deterministic"
    urgency: Urgency = "interactive"
    bulk: bool = False
    jurisdiction: Jurisdiction | None = None
    template: str | None = None
    review_cycles: int = Field(default=3, ge=0, le=10)
    max_phases: int = Field(default=10, ge=1, le=10)
    complexity: Complexity | None = None
    parallel_calls: int = Field(default=PARALLEL_CALLS, ge=1, le=MAX_PARALLEL_CALLS)
    plan_ahead: bool = True
    blueprint_candidates: int = Field(default=1, ge=1, le=MAX_CANDIDATES)
    phase_candidates: int = Field(default=1, ge=1, le=MAX_CANDIDATES)
    max_cost_usd: Decimal | None = Field(default=None, gt=0)
    image_ids: list[ImageId] = Field(default_factory=list, max_length=MAX_IMAGES)

    @model_validator(mode="after")
    def _candidates_are_of_a_course(self) -> Self:
        if self.mode == "smart" and max(self.blueprint_candidates, self.phase_candidates) > 1:
            raise ValueError("candidates are written in the mode “deterministic” only")
        return self


class SessionCreated(BaseModel):
    """Answer of `POST /api/sessions`. `masked` are the keys taken out of the prompt, for the vault to offer."""

    id: str
    url: str
    masked: list[MaskedSecret] = Field(default_factory=list)


class PostMessage(BaseModel):
    """Body of `POST /api/sessions/{id}/messages`. Without an id the service makes one."""

    model_config = ConfigDict(extra="forbid")

    text: Prompt
    id: MessageId | None = None
    interrupt: bool = False
    image_ids: list[ImageId] = Field(default_factory=list, max_length=MAX_IMAGES)


class EditMessage(BaseModel):
    """Body of `PUT /api/sessions/{id}/messages/{message_id}`: what the message is to say instead."""

    model_config = ConfigDict(extra="forbid")

    text: Prompt
    image_ids: list[ImageId] = Field(default_factory=list, max_length=MAX_IMAGES)


class ForkSession(BaseModel):
    """Body of `POST /api/sessions/{id}/forks`: the version that the new session goes on from."""

    model_config = ConfigDict(extra="forbid")

    version: VersionNumber


class MessageAccepted(BaseModel):
    """Answer of `POST /api/sessions/{id}/messages`. `masked` are the keys that were taken out of the text."""

    id: str
    masked: list[MaskedSecret] = Field(default_factory=list)


class SessionSummary(BaseModel):
    """A line in the list of sessions. `screenshot` is the SHA-256 of its newest picture as a desktop shows it."""

    id: str
    title: str
    prompt: str
    mode: Mode
    template: str | None
    state: State
    demo: bool
    cost_usd: Decimal
    screenshot: str | None = None
    created_at: datetime
    updated_at: datetime


class SessionList(BaseModel):
    """Answer of `GET /api/sessions`; `next` is the value of `before` for the following page."""

    sessions: list[SessionSummary]
    next: str | None = None


class SessionSnapshot(BaseModel):
    """Answer of `GET /api/sessions/{id}` and data of the SSE event `snapshot`."""

    progress: Progress
    conversation: list[ChatMessage]
    conflicts: list[FileConflict] = Field(default_factory=list)
    stale: Staleness | None = None


class FileList(BaseModel):
    """Answer of `GET /api/sessions/{id}/files`."""

    files: list["FileInfo"]


class FileInfo(BaseModel):
    """A file of a session; size in bytes."""

    path: str
    sha256: str
    size: int
    version: int
    author: str = "model"


class CreateDeployment(BaseModel):
    """Body of `POST /api/sessions/{id}/deployments`. Without an id the service makes one.

    `version` is a version of the project's files, as in their history; without it, the newest.
    """

    model_config = ConfigDict(extra="forbid")

    target: Target = "local"
    version: int | None = Field(default=None, ge=1)
    id: DeploymentId | None = None


class DeploymentList(BaseModel):
    """Answer of `GET /api/sessions/{id}/deployments`, newest first."""

    deployments: list[Deployment]


class TemplateSummary(BaseModel):
    """A project template that a session can start from. Files that match `protected_files` cannot be edited."""

    name: str
    title: str
    description: str
    protected_files: list[str] = Field(default_factory=list)


class About(BaseModel):
    """Answer of `GET /api/about`: what the page needs to know before a session exists."""

    version: str
    demo: bool
    models: list[str]
    templates: list[TemplateSummary]
    examples: list[str]
    temporal_ui: str | None = None


class Problem(BaseModel):
    """An error: `code` for programs, `detail` a plain sentence, `next_action` what to do, `request_id` for the logs."""

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str
    next_action: str
    request_id: str
