"""Arguments and results of the session's activities. Texts, files and transcripts stay in Postgres."""

from decimal import Decimal

from pydantic import BaseModel, Field, JsonValue

from schemas.blueprint import Blueprint, Complexity, PhasePlan
from schemas.candidates import Verdict
from schemas.checks import CheckReport, Issue
from schemas.deployments import Deployment
from schemas.events import Outbox
from schemas.previews import PreviewAction
from schemas.session import (
    FailedPackage,
    FileRef,
    ForkOrigin,
    Mode,
    Operation,
    PhaseProgress,
    Preview,
    Progress,
    ScreenshotRef,
    UsageTotals,
)
from schemas.versions import RestoreProject


class OperationInput(BaseModel):
    """What every step knows. `execution` grows with each time the workflow starts a step: a later one replaces it.
    `line` names the files of a candidate, where the step works on those instead of the session's own.
    """

    session_id: str
    user_id: str
    operation: Operation
    execution: int
    outbox: Outbox
    line: str | None = None


class OperationResult(BaseModel):
    """`last_seq` is the last event the step wrote; `usage` the session's spending so far, failed attempts included.

    `host` is the one that has the session's workspace now, where the step knows.
    """

    last_seq: int
    usage: UsageTotals = Field(default_factory=UsageTotals)
    host: str | None = None


class FilesResult(OperationResult):
    """A step that wrote files: what is new or changed, what is gone, and the install commands it asked for."""

    files: list[FileRef] = Field(default_factory=list)
    deleted: list[str] = Field(default_factory=list)
    install: list[str] = Field(default_factory=list)


class EditsInput(OperationInput):
    """Users changed files: what stands since version `since` is to be shown. `template` is None while there is none."""

    since: int
    template: str | None


class EditsResult(OperationResult):
    """The files that changed since, as they stand, and those that are gone, with the version in which they went."""

    files: list[FileRef] = Field(default_factory=list)
    deleted: dict[str, int] = Field(default_factory=dict)


class RestoreInput(OperationInput):
    """Make the project, or the file at `path`, what it was at a version."""

    wanted: RestoreProject


class RestoreResult(OperationResult):
    """The whole project after a restore, and what the restore changed. `version` is None when nothing was different."""

    files: list[FileRef]
    changed: list[str]
    version: int | None


class DiscardInput(OperationInput):
    """Take back what phases, and whoever came after the first of them, did to the project."""

    phase_ids: list[str]
    wanted_by: str


class DiscardResult(OperationResult):
    """The whole project as it was before the phases. `stood` is the last version that they stand in, `went_back_to` the
    one before them and `version` the new one: both None where nothing was different."""

    files: list[FileRef]
    stood: int
    went_back_to: int | None = None
    version: int | None = None


class ForkInput(OperationInput):
    """Begin a session with what another one had at a version."""

    origin: ForkOrigin
    mode: Mode


class ForkResult(OperationResult):
    """What the session begins with."""

    title: str
    template: str | None
    blueprint: Blueprint | None
    phases: list[PhaseProgress]
    files: list[FileRef]


class ReadBackInput(OperationInput):
    """What step `of` had finished when it was interrupted."""

    of: str


class RecordEventsInput(BaseModel):
    """Events of the workflow to be written down without a step.

    `progress` comes along when the session comes to rest, to be shown when no worker can be asked.
    """

    session_id: str
    outbox: Outbox
    progress: Progress | None = None


class CreateSessionInput(OperationInput):
    """What the session's rows start with, and the budget it starts with. `asked` are the fields of the request that are
    neither in `progress` nor left at their defaults."""

    progress: Progress
    max_cost_usd: Decimal | None = None
    asked: dict[str, JsonValue] = Field(default_factory=dict)


class SessionCreatedResult(OperationResult):
    """Which model will answer first, and whether it is the demo model."""

    model: str | None
    demo: bool


class TemplateSelectionInput(OperationInput):
    """`template` is the one the user named, if any: then no model is asked."""

    template: str | None


class TemplateSelectionResult(OperationResult):
    """The chosen template and a title for the session."""

    template: str
    title: str
    files: list[FileRef]
    complexity: Complexity = "moderate"


class BlueprintInput(OperationInput):
    """Plan the application for the chosen template. `candidate` is its number where several are written to choose from;
    `take` names the step of the one that was chosen. It may have as many phases as `max_phases`."""

    template: str
    max_phases: int = 10
    candidate: int | None = None
    take: str | None = None


class BlueprintResult(OperationResult):
    """The plan. Later steps find it under this step's id."""

    blueprint: Blueprint


class SetupPlanInput(OperationInput):
    """Choose the packages that the blueprint needs; `failed` are those that turned out not to be there."""

    template: str
    failed: list[FailedPackage] = Field(default_factory=list)


class SetupPlanResult(OperationResult):
    """Plain package specs."""

    install: list[str]


class SetupInput(OperationInput):
    """Install packages (plain specs) beside those that the project has."""

    template: str
    phase_id: str | None
    install: list[str]


class SetupResult(FilesResult):
    """What the install changed, and the packages that are missing after it."""

    failed: list[FailedPackage] = Field(default_factory=list)


class PhaseGenerationInput(OperationInput):
    """Plan the next phase from what is done, what is broken and what users asked for."""

    phase_id: str
    template: str
    done: list[PhasePlan]
    issues: list[Issue] = Field(default_factory=list)
    message_ids: list[str] = Field(default_factory=list)
    missing: list[FailedPackage] = Field(default_factory=list)
    remaining: int


class PhaseGenerationResult(OperationResult):
    """The next phase, and what planning it cost in US dollars."""

    plan: PhasePlan
    cost_usd: Decimal = Decimal(0)


class PhaseImplementationInput(OperationInput):
    """Write the files of a phase; with `paths`, those only, while other calls write the rest."""

    phase_id: str
    template: str
    plan: PhasePlan
    number: int
    paths: list[str] | None = None
    candidate: int | None = None
    missing: list[FailedPackage] = Field(default_factory=list)
    issues: list[Issue] = Field(default_factory=list)
    message_ids: list[str] = Field(default_factory=list)


class ReadmeInput(OperationInput):
    """Write the README of the application as it stands after `phases`, the last of which is `phase_id`."""

    template: str
    phase_id: str
    phases: list[PhasePlan]


class JudgedCandidate(BaseModel):
    """A candidate to be judged: a phase by its files and what the checks found, or a blueprint by its step."""

    number: int
    line: str | None = None
    operation_id: str
    report: CheckReport | None = None


class JudgementInput(OperationInput):
    """Compare candidates of a phase, or of the blueprint where `plan` is None."""

    template: str
    plan: PhasePlan | None
    candidates: list[JudgedCandidate]


class JudgementResult(OperationResult):
    """What the review thinks of each candidate."""

    verdicts: list[Verdict]


class AdoptInput(OperationInput):
    """Make the project what a candidate's files are."""

    template: str
    phase_id: str
    candidate_line: str
    reason: str


class FixInput(OperationInput):
    """Repair the files named by issues."""

    phase_id: str
    template: str
    plan: PhasePlan
    issues: list[Issue]
    round: int


class CheckInput(OperationInput):
    """Check the project as it stands; `build` also builds it."""

    phase_id: str
    template: str
    build: bool


class CheckResult(OperationResult):
    """What the checks found."""

    report: CheckReport


class PreviewInput(OperationInput):
    """Open the preview of the project as it stands, and look at it."""

    phase_id: str
    template: str


class PreviewResult(OperationResult):
    """Where the preview is, what it looks like, and what went wrong in the page."""

    preview: Preview
    report: CheckReport = Field(default_factory=CheckReport)
    screenshots: list[ScreenshotRef] = Field(default_factory=list)


class QueuePositionInput(BaseModel):
    """Ask for a sandbox step's place in the line: another one than `known`, not before `pause` seconds.

    Steps of a lower `priority` number go first.
    """

    session_id: str
    operation_id: str
    queue: str
    common_queue: str
    known: int | None
    pause: float
    priority: int = 2


class QueuePosition(BaseModel):
    """How many wait before the step, None once it runs."""

    before: int | None


class PublishInput(OperationInput):
    """Bring a deployment to its target, or take it from there."""

    template: str
    deployment: Deployment


class PublishResult(OperationResult):
    """What became of it."""

    deployment: Deployment


class PreviewControlInput(OperationInput):
    """Start, restart or stop the preview's server."""

    template: str
    action: PreviewAction


class PreviewControlResult(OperationResult):
    """How the preview is then."""

    preview: Preview
