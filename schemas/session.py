"""A session: what starts it, what is said to it, and what it answers when asked how far it is."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, StringConstraints, model_validator

from schemas.blueprint import Blueprint, Complexity, PhasePlan
from schemas.candidates import MAX_CANDIDATES, Candidate
from schemas.checks import CheckReport
from schemas.deployments import Deployment
from schemas.rounds import RoundState
from schemas.secrets import mask

MAX_PROMPT = 20_000
MAX_PARALLEL_CALLS = 4
PARALLEL_CALLS = 3
"""How many calls write a phase side by side by default. With the demo model at a model's pace, a phase of nine files of
which four do not need each other took 88 s in one call, and 62 s with two, three or four at once."""
MAX_IMAGES = 2  # of one message

Mode = Literal["deterministic", "smart"]
Jurisdiction = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,15}$")]
"""Where a session's data may be: a short name such as `eu`, which operators give."""
Urgency = Literal["interactive", "batch"]
"""Whether somebody waits for the session: what is `batch` comes after everything interactive."""
State = Literal[
    "starting",
    "planning",
    "generating",
    "reviewing",
    "idle",
    "stopped",
    "waiting_for_capacity",
    "waiting_for_budget",
    "completed",
    "failed",
]
Ability = Literal["message", "stop", "resume"]
Prompt = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_PROMPT), AfterValidator(mask)
]
"""What people write. A key that was pasted into it is taken out before anything else sees it."""
MessageId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]

WORKING_STATES: frozenset[State] = frozenset({"starting", "planning", "generating", "reviewing"})
RESTING_STATES: frozenset[State] = frozenset({"completed", "failed", "stopped", "idle"})
"""Where a session stays until somebody does something."""
REST_OR_WAIT: frozenset[State] = RESTING_STATES | {"waiting_for_capacity", "waiting_for_budget"}
"""Where a session calls no models, but for answers to messages."""


class StateInfo(BaseModel):
    """Where a session is, since when, why in plain words, and what the user can do next."""

    name: State
    since: datetime
    reason: str
    can: list[Ability] = Field(default_factory=list)
    until: datetime | None = None
    code: str | None = None


class ImageRef(BaseModel):
    """A picture that a user sent along: size in bytes, width and height in pixels."""

    id: Annotated[str, StringConstraints(pattern=r"^img-[a-z0-9]{20,40}$")]
    media_type: Literal["image/png", "image/jpeg", "image/webp"]
    width: int
    height: int
    size: int


Images = Annotated[list[ImageRef], Field(max_length=MAX_IMAGES)]


class UserMessage(BaseModel):
    """Something a person says to a running session. The id makes sending it twice harmless."""

    model_config = ConfigDict(extra="forbid")

    id: MessageId
    text: Prompt
    interrupt: bool = False
    author: str = "local"
    author_name: str | None = None
    images: Images = Field(default_factory=list)


class MessageEdit(BaseModel):
    """Another text, and other pictures, for a message that nobody has taken up yet."""

    model_config = ConfigDict(extra="forbid")

    id: MessageId
    text: Prompt
    images: Images = Field(default_factory=list)


MessageState = Literal["queued", "being_read", "planned", "done", "withdrawn"]


class ChatMessage(BaseModel):
    """One turn of the conversation beside the work. `options` are answers to choose from, where it asks something;
    `phase_id` names the phase that carries out what it asked for."""

    id: str
    role: Literal["user", "assistant", "notice"]
    text: str
    at: datetime
    author: str | None = None
    author_name: str | None = None
    state: MessageState = "done"
    options: list[str] = Field(default_factory=list)
    phase_id: str | None = None
    images: list[ImageRef] = Field(default_factory=list)


class QueuedMessage(BaseModel):
    """A user's message and what became of it. `phase_id` names the phase that carries out the change it asked for;
    with `wants_debug` it asked to find out what is wrong.

    `taken_up` says that a plan is made of it: from then on it can no longer be edited or withdrawn. `edits` counts how
    often its text was changed after it had been read.
    """

    id: MessageId
    text: str
    author: str
    author_name: str | None = None
    at: datetime
    state: MessageState = "queued"
    answered: bool = False
    wants_change: bool = False
    wants_debug: bool = False
    taken_up: bool = False
    edits: int = 0
    phase_id: str | None = None
    images: Images = Field(default_factory=list)

    @property
    def turn(self) -> ChatMessage:
        """The message as a turn of the conversation."""
        shared = ChatMessage.model_fields.keys() & QueuedMessage.model_fields.keys()
        return ChatMessage(role="user", **{name: getattr(self, name) for name in shared})


class Question(BaseModel):
    """What the builder wants to know before it goes on: the next message answers it."""

    id: str
    text: str
    options: list[str] = Field(default_factory=list)
    phase_id: str | None = None
    at: datetime


class FileRef(BaseModel):
    """A file of the project as it stands: content by its SHA-256, size in bytes, version in the session."""

    path: str
    sha256: str
    size: int
    version: int
    phase_id: str | None = None
    author: str = "model"


PhaseStatus = Literal["planned", "generating", "checking", "fixing", "completed", "failed"]


class ScreenshotRef(BaseModel):
    """A picture of the application: the image by its SHA-256, the window it was seen through, in CSS pixels."""

    sha256: str
    name: str
    width: int
    height: int
    blank: bool = False


class PhaseProgress(BaseModel):
    """A phase and how far it is. `files` lists the paths written so far; `turns` counts those of a model with tools.

    `asked_for` are the packages that the model asked for while it wrote them.
    `fix_rounds` counts its repairs; `rounds_before` are those before it was taken up again, which no limit counts.
    `discarded_at` is the last version that it stands in, once a retry took it back: it belongs to the plan no more.
    The id is made of its place in the plan and how many retries there were before: `phase-2`, `phase-2r1`.
    """

    id: str
    plan: PhasePlan
    status: PhaseStatus = "planned"
    files: list[str] = Field(default_factory=list)
    checks: CheckReport | None = None
    screenshots: list[ScreenshotRef] = Field(default_factory=list)
    fix_rounds: int = 0
    asked_for: list[str] = Field(default_factory=list)
    turns: int = 0
    rounds_before: int = 0
    message_ids: list[str] = Field(default_factory=list)
    started_at: datetime | None = None
    finished_at: datetime | None = None
    discarded_at: int | None = None

    @property
    def age(self) -> tuple[int, int]:
        """Later phases of a session have a greater one: how many retries there were before it, and its place."""
        place, _, retries = self.id.rpartition("-")[2].partition("r")
        return int(retries or 0), int(place)


class UsageTotals(BaseModel):
    """Tokens and money spent by a session so far, from the providers' own counts. `cost_usd` is None while unknown."""

    calls: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: Decimal = Decimal(0)


class Operation(BaseModel):
    """A step in progress: which, for which phase, in plain words, since when."""

    id: str
    action: str
    title: str
    phase_id: str | None = None
    since: datetime


PreviewStatus = Literal["none", "starting", "ready", "stopped", "failed"]


class Preview(BaseModel):
    """Where the built application can be looked at."""

    status: PreviewStatus = "none"
    url: str | None = None
    detail: str = ""


class ForkOrigin(BaseModel):
    """Where a session begins that goes on from another one's version."""

    model_config = ConfigDict(extra="forbid")

    session_id: str
    version: int = Field(ge=1, le=2**31 - 1)


class FailedPackage(BaseModel):
    """A package that could not be installed, and why."""

    package: str
    reason: str


class Progress(BaseModel):
    """The answer to the workflow query `progress`: the whole picture that a watcher starts from.

    Every event up to and including `last_seq` is reflected here. Later events may be reflected in part; applying them
    again changes nothing. `debugged` names the requests that the deep debugger has looked into; `retries` counts
    how often a phase was begun anew.
    """

    session_id: str
    title: str
    prompt: str
    mode: Mode
    template: str | None = None
    model: str | None = None
    demo: bool = False
    state: StateInfo
    blueprint: Blueprint | None = None
    phases: list[PhaseProgress] = Field(default_factory=list)
    retries: int = 0
    files: list[FileRef] = Field(default_factory=list)
    missing: list[FailedPackage] = Field(default_factory=list)
    candidates: list[Candidate] = Field(default_factory=list)
    complexity: Complexity = "moderate"
    messages: list[QueuedMessage] = Field(default_factory=list)
    operations: list[Operation] = Field(default_factory=list)
    usage: UsageTotals = Field(default_factory=UsageTotals)
    preview: Preview = Field(default_factory=Preview)
    question: Question | None = None
    debugged: list[str] = Field(default_factory=list)
    deployments: list[Deployment] = Field(default_factory=list)
    host: str | None = None
    images: list[ImageRef] = Field(default_factory=list)
    forked_from: ForkOrigin | None = None
    created_at: datetime
    last_seq: int = 0


class CarriedState(BaseModel):
    """What a session takes along when its history is renewed (continue as new), beside its `Progress`."""

    progress: Progress
    outbox_next: int
    executions: int
    round: RoundState | None = None


class SessionRequest(BaseModel):
    """What starts a session, as JSON argument of the workflow `CodeGenSession`. The workflow id is the session id.

    With a `jurisdiction` it runs on workers, database and providers of that one, or not at all. `images` belong to the
    prompt. With `fork` the session goes on from a version of another one, `prompt` being that one's. `keep_open` False
    ends the workflow with the session's result instead of waiting for further messages. `parallel_calls` is how many
    calls may write files of a phase side by side; `plan_ahead` says whether the next phase is planned while the checks
    of the last run. Of more than one candidate the best goes on, and all are kept. A `simple` application gets one
    phase, however many `max_phases` allows; without `complexity` the model that chooses the template says what it is.
    `max_cost_usd` is the session's budget; in the smart mode what a round may spend before it asks whether to go on.
    With `bulk` its calls go by the providers' batch endpoints where they can: at half the price, within hours.
    """

    model_config = ConfigDict(extra="forbid")

    prompt: Prompt
    mode: Mode = "deterministic"
    urgency: Urgency = "interactive"
    bulk: bool = False
    jurisdiction: Jurisdiction | None = None
    template: str | None = None
    user_id: str = "local"
    review_cycles: int = Field(default=3, ge=0, le=10)
    max_phases: int = Field(default=10, ge=1, le=10)
    complexity: Complexity | None = None
    parallel_calls: int = Field(default=PARALLEL_CALLS, ge=1, le=MAX_PARALLEL_CALLS)
    plan_ahead: bool = True
    blueprint_candidates: int = Field(default=1, ge=1, le=MAX_CANDIDATES)
    phase_candidates: int = Field(default=1, ge=1, le=MAX_CANDIDATES)
    max_cost_usd: Decimal | None = Field(default=None, gt=0)
    images: Images = Field(default_factory=list)
    fork: ForkOrigin | None = None
    keep_open: bool = True
    max_history_events: int = Field(default=1_000, ge=50)
    carried: CarriedState | None = None

    @model_validator(mode="after")
    def _one_thing_at_a_time(self) -> Self:
        """What waits for hours gains nothing by calls side by side, and a batch holds one call."""
        if self.bulk:
            self.parallel_calls, self.plan_ahead = 1, False
        return self

    @property
    def told_beside_progress(self) -> dict[str, JsonValue]:
        """The fields that are not at their defaults, without those that a `Progress` or every step has."""
        own = {"prompt", "user_id", "carried"}
        found: dict[str, JsonValue] = self.model_dump(mode="json", exclude=own, exclude_defaults=True)
        return found
