"""Activities that play a session's rooms in memory, by script: what the workflow does with them is what is tested."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError

from schemas.blueprint import Blueprint, PhasePlan, PlannedFile
from schemas.candidates import Verdict
from schemas.checks import STUB, CheckReport, Issue, IssueSource, Severity
from schemas.events import Outbox
from schemas.operations import (
    AdoptInput,
    BlueprintInput,
    BlueprintResult,
    CheckInput,
    CheckResult,
    CreateSessionInput,
    DiscardInput,
    DiscardResult,
    EditsInput,
    EditsResult,
    FilesResult,
    FixInput,
    ForkInput,
    ForkResult,
    JudgementInput,
    JudgementResult,
    OperationInput,
    OperationResult,
    PhaseGenerationInput,
    PhaseGenerationResult,
    PhaseImplementationInput,
    PreviewControlInput,
    PreviewControlResult,
    PreviewInput,
    PreviewResult,
    PublishInput,
    PublishResult,
    QueuePosition,
    QueuePositionInput,
    ReadBackInput,
    ReadmeInput,
    RecordEventsInput,
    RestoreInput,
    RestoreResult,
    SessionCreatedResult,
    SetupInput,
    SetupPlanInput,
    SetupPlanResult,
    SetupResult,
    TemplateSelectionInput,
    TemplateSelectionResult,
)
from schemas.review import FileRepair, LookInput, LookResult, RegenerationInput, ReviewInput, ReviewResult
from schemas.session import (
    FailedPackage,
    FileRef,
    PhaseProgress,
    Preview,
    Question,
    ScreenshotRef,
    StateInfo,
    UsageTotals,
)
from schemas.tool_turns import (
    BuilderTurnInput,
    BuilderTurnResult,
    ConversationInput,
    ConversationResult,
    DebugInput,
    DebugResult,
    ToolInput,
    ToolRequest,
    ToolResult,
)
from workflows.names import SANDBOX_QUEUE

ERROR = Issue(
    file="src/App.tsx", line=1, code="TS2322", severity=Severity.ERROR, source=IssueSource.TYPECHECK, message="no"
)

STAND_IN = ERROR.model_copy(update={"code": STUB, "severity": Severity.WARNING, "message": "It stands in."})
UGLY = ERROR.model_copy(update={"code": "looks-wrong", "source": IssueSource.SCREENSHOT, "message": "It overlaps."})
SHOT = ScreenshotRef(sha256="0" * 64, name="desktop", width=1280, height=800)


def found(path: str) -> Issue:
    """What a review says of a file."""
    return Issue(
        file=path, code="review", severity=Severity.ERROR, source=IssueSource.REVIEW, message=f"{path} is wrong."
    )


def ref(path: str, version: int = 1) -> FileRef:
    return FileRef(path=path, sha256="0" * 64, size=1, version=version)


@dataclass
class Script:
    """What the rooms do for one session. `fail` maps an operation id to exceptions raised one after another.

    `reviews` are the repairs that each review asks for, as path -> paths that go before; `ugly` counts the judgements
    that find an error, `stand_ins` the checks that find a module which nobody has written. Every step takes `seconds`.
    """

    phases: int = 2
    broken_checks: int = 0
    stand_ins: int = 0
    wants_change: bool = True
    fail: dict[str, list[Exception]] = field(default_factory=dict)
    hold: dict[str, asyncio.Event] = field(default_factory=dict)
    turns: list[list[str]] = field(default_factory=list)
    files: list[PlannedFile] = field(default_factory=list)
    wants_debug: bool = False
    cost: Decimal = Decimal(0)
    host: str | None = None
    places: list[int] = field(default_factory=list)
    edited: list[FileRef] = field(default_factory=list)
    deleted: dict[str, int] = field(default_factory=dict)
    carried: int = 0
    complexity: str = "moderate"
    uninstallable: frozenset[str] = frozenset()
    scores: list[int] = field(default_factory=list)
    broken_lines: frozenset[str] = frozenset()
    name: str = ""
    turn_cost: Decimal = Decimal(0)
    spent: Decimal = Decimal(0)
    debugger_mends: int = 0
    reviews: list[dict[str, list[str]]] = field(default_factory=list)
    ugly: int = 0
    seconds: float = 0.0


class Rooms:
    """The scripts of all sessions, and what was seen of them."""

    def __init__(self) -> None:
        self.scripts: dict[str, Script] = {}
        self.events: dict[str, dict[int, dict[str, Any]]] = defaultdict(dict)
        self.runs: dict[str, list[str]] = defaultdict(list)
        self.cancelled: dict[str, list[str]] = defaultdict(list)
        self.queues: dict[str, list[tuple[str, str]]] = defaultdict(list)
        self.seq: Counter[str] = Counter()
        self.given: dict[str, list[Any]] = defaultdict(list)
        self.turns: dict[str, list[BuilderTurnInput]] = defaultdict(list)

    def write(self, session_id: str, outbox: Outbox) -> int:
        known = self.events[session_id]
        assert outbox.first <= len(known) + 1, f"gap: {len(known)} known, {outbox.first} comes"
        for number, event in enumerate(outbox.events, outbox.first):
            shown = event.model_dump(mode="json")
            assert known.setdefault(number, shown) == shown, f"event {number} changed"
        self.seq[session_id] += 1
        return self.seq[session_id]

    def types(self, session_id: str) -> list[str]:
        return [event["type"] for _, event in sorted(self.events[session_id].items())]

    def states(self, session_id: str) -> list[str]:
        found = [e["state"]["name"] for _, e in sorted(self.events[session_id].items()) if e["type"] == "session_state"]
        return [name for index, name in enumerate(found) if index == 0 or found[index - 1] != name]

    def told(self, session_id: str, state: StateInfo) -> bool:
        """Whether the log has an event of this state."""
        shown = state.model_dump(mode="json")
        states = [event["state"] for event in self.events[session_id].values() if event["type"] == "session_state"]
        return any((told["name"], told["since"]) == (shown["name"], shown["since"]) for told in states)

    async def begin(self, given: OperationInput) -> dict[str, Any]:
        self.write(given.session_id, given.outbox)
        operation_id = given.operation.id
        script = self.scripts[given.session_id]
        self.runs[given.session_id].append(operation_id)
        self.given[given.session_id].append(given)
        if hold := script.hold.get(operation_id):
            try:
                while not hold.is_set():
                    activity.heartbeat()
                    await asyncio.sleep(0.02)
            except asyncio.CancelledError:
                self.cancelled[given.session_id].append(operation_id)
                raise
        await asyncio.sleep(script.seconds)
        if script.fail.get(operation_id):
            raise script.fail[operation_id].pop(0)
        self.seq[given.session_id] += 1
        queue = activity.info().task_queue
        if queue.startswith(SANDBOX_QUEUE):
            self.queues[given.session_id].append((operation_id, queue))
        host = script.host if queue.startswith(SANDBOX_QUEUE) else None
        usage = UsageTotals(cost_usd=script.spent)
        return {"last_seq": self.seq[given.session_id], "host": host, "usage": usage}

    def activities(self) -> dict[str, list[Callable[..., Any]]]:  # noqa: C901 - one function per activity
        """By kind of queue: session, inference, sandbox."""

        @activity.defn(name="create_session")
        async def create(given: CreateSessionInput) -> SessionCreatedResult:
            return SessionCreatedResult(**await self.begin(given), model="demo/demo", demo=True)

        @activity.defn(name="record_events")
        async def record(given: RecordEventsInput) -> OperationResult:
            return OperationResult(last_seq=self.write(given.session_id, given.outbox))

        @activity.defn(name="read_back")
        async def read_back(given: ReadBackInput) -> FilesResult:
            return FilesResult(**await self.begin(given), files=[ref("src/half.tsx")])

        @activity.defn(name="choose_template")
        async def choose(given: TemplateSelectionInput) -> TemplateSelectionResult:
            common = await self.begin(given)
            complexity = self.scripts[given.session_id].complexity
            return TemplateSelectionResult(
                **common, template="react-vite", title="T", files=[ref("index.html")], complexity=complexity
            )

        @activity.defn(name="write_blueprint")
        async def blueprint(given: BlueprintInput) -> BlueprintResult:
            script = self.scripts[given.session_id]
            first = plan(1, last=script.phases == 1, name=script.name)
            first.files = script.files or first.files
            written = Blueprint(
                title=f"App {given.take or given.candidate or ''}".strip(),
                description="an app",
                first_phase=first,
                dependencies=["zustand"],
            )
            return BlueprintResult(**await self.begin(given), blueprint=written)

        @activity.defn(name="plan_phase")
        async def plan_phase(given: PhaseGenerationInput) -> PhaseGenerationResult:
            number = len(given.done) + 1
            last = number >= self.scripts[given.session_id].phases
            script = self.scripts[given.session_id]
            return PhaseGenerationResult(
                **await self.begin(given), plan=plan(number, last=last, name=script.name), cost_usd=script.cost
            )

        @activity.defn(name="implement_phase")
        async def implement(given: PhaseImplementationInput) -> FilesResult:
            paths = given.paths or [f"src/{given.phase_id}.tsx"]
            return FilesResult(**await self.begin(given), files=[ref(path) for path in paths])

        @activity.defn(name="fix_code")
        async def fix(given: FixInput) -> FilesResult:
            return FilesResult(**await self.begin(given), files=[ref("src/App.tsx", given.round)])

        @activity.defn(name="review_code")
        async def review(given: ReviewInput) -> ReviewResult:
            common, script = await self.begin(given), self.scripts[given.session_id]
            wanted = script.reviews.pop(0) if script.reviews else {}
            repairs = [FileRepair(path=path, issues=[found(path)], after=after) for path, after in wanted.items()]
            report = CheckReport(issues=[found(path) for path in wanted])
            return ReviewResult(**common, report=report, repairs=repairs, install=["zod"] if wanted else [])

        @activity.defn(name="regenerate_file")
        async def regenerate(given: RegenerationInput) -> FilesResult:
            return FilesResult(**await self.begin(given), files=[ref(given.path, 9)])

        @activity.defn(name="judge_screenshots")
        async def look(given: LookInput) -> LookResult:
            common, script = await self.begin(given), self.scripts[given.session_id]
            script.ugly -= (ugly := script.ugly > 0)
            return LookResult(**common, judged=True, report=CheckReport(issues=[UGLY] if ugly else []))

        @activity.defn(name="answer_message")
        async def answer(given: ConversationInput) -> ConversationResult:
            script, common = self.scripts[given.session_id], await self.begin(given)
            return ConversationResult(**common, wants_change=script.wants_change, wants_debug=script.wants_debug)

        @activity.defn(name="install_packages")
        async def install(given: SetupInput) -> SetupResult:
            unknown = self.scripts[given.session_id].uninstallable & set(given.install)
            failed = [FailedPackage(package=name, reason="It is not there.") for name in sorted(unknown)]
            return SetupResult(**await self.begin(given), files=[ref("package.json")], failed=failed)

        @activity.defn(name="plan_setup")
        async def plan_setup(given: SetupPlanInput) -> SetupPlanResult:
            install = [f"other-{failure.package}" for failure in given.failed] or ["zustand", "charts"]
            return SetupPlanResult(**await self.begin(given), install=install)

        @activity.defn(name="write_readme")
        async def readme(given: ReadmeInput) -> FilesResult:
            file = ref("README.md", len(given.phases))
            file.phase_id = given.phase_id
            return FilesResult(**await self.begin(given), files=[file])

        @activity.defn(name="judge_candidates")
        async def judge(given: JudgementInput) -> JudgementResult:
            scores = self.scripts[given.session_id].scores
            verdicts = [
                Verdict(candidate=each.number, score=scores[each.number - 1], reason=f"Number {each.number}.")
                for each in given.candidates
            ]
            return JudgementResult(**await self.begin(given), verdicts=verdicts)

        @activity.defn(name="adopt_candidate")
        async def adopt(given: AdoptInput) -> FilesResult:
            return FilesResult(**await self.begin(given), files=[ref(f"src/{given.candidate_line[-1]}.tsx")])

        @activity.defn(name="check_project")
        async def check(given: CheckInput) -> CheckResult:
            script, common = self.scripts[given.session_id], await self.begin(given)
            broken = given.line is not None and given.line[-1] in script.broken_lines
            if given.line is None and script.broken_checks > 0:
                broken, script.broken_checks = True, script.broken_checks - 1
            stands_in = given.line is None and script.stand_ins > 0
            script.stand_ins -= stands_in
            issues = [ERROR] if broken else [STAND_IN] if stands_in else []
            return CheckResult(**common, report=CheckReport(issues=issues))

        @activity.defn(name="open_preview")
        async def preview(given: PreviewInput) -> PreviewResult:
            return PreviewResult(
                **await self.begin(given), preview=Preview(status="ready", url="http://x"), screenshots=[SHOT]
            )

        @activity.defn(name="builder_turn")
        async def turn(given: BuilderTurnInput) -> BuilderTurnResult:
            common = await self.begin(given)
            script = self.scripts[given.session_id]
            self.turns[given.session_id].append(given)
            names = script.turns.pop(0)
            calls = [
                ToolRequest(
                    id=f"{name}-{given.turn}",
                    name=name,
                    summary=name,
                    index=index,
                    queue="sandbox" if name == "run_checks" else "inference",
                    effect="reads" if name.startswith("read_") else "exclusive",
                )
                for index, name in enumerate(names)
            ]
            script.spent += script.turn_cost
            common["usage"] = UsageTotals(cost_usd=script.spent)
            return BuilderTurnResult(**common, calls=calls)

        @activity.defn(name="use_tool")
        async def use_tool(given: ToolInput) -> ToolResult:
            common = await self.begin(given)
            name = given.call.name
            question = Question(
                id=given.operation.id, text="Which colour?", options=["red", "blue"], at=given.operation.since
            )
            return ToolResult(
                **common,
                outcome="completed" if name == "complete" else "ok",
                digest=name if name.startswith("same") else given.operation.id,
                files=[ref("src/App.tsx")] if name == "write_file" else [],
                question=question if name == "ask_user" else None,
                blueprint=written_blueprint() if name == "write_blueprint" else None,
            )

        @activity.defn(name="debug_deeply")
        async def debug(given: DebugInput) -> DebugResult:
            script, common = self.scripts[given.session_id], await self.begin(given)
            script.broken_checks -= min(script.broken_checks, script.debugger_mends)
            return DebugResult(**common, diagnosis="It was this.", solved=True, files=[ref("src/mended.tsx")])

        @activity.defn(name="sandbox_position")
        async def position(given: QueuePositionInput) -> QueuePosition:
            places = self.scripts[given.session_id].places
            return QueuePosition(before=places.pop(0) if places else None)

        @activity.defn(name="control_preview")
        async def control_preview(given: PreviewControlInput) -> PreviewControlResult:
            status = "stopped" if given.action == "stop" else "ready"
            return PreviewControlResult(**await self.begin(given), preview=Preview(status=status, url="http://x"))

        @activity.defn(name="publish")
        async def publish(given: PublishInput) -> PublishResult:
            live = {"status": "live", "url": f"http://{given.deployment.target}", "digest": "d", "files": 3, "size": 9}
            return PublishResult(**await self.begin(given), deployment=given.deployment.model_copy(update=live))

        @activity.defn(name="withdraw")
        async def withdraw(given: PublishInput) -> PublishResult:
            gone = {"status": "withdrawn", "url": None}
            return PublishResult(**await self.begin(given), deployment=given.deployment.model_copy(update=gone))

        @activity.defn(name="show_edits")
        async def show_edits(given: EditsInput) -> EditsResult:
            common, script = await self.begin(given), self.scripts[given.session_id]
            edited = [file for file in script.edited if file.version >= given.since]
            gone = {path: version for path, version in script.deleted.items() if version >= given.since}
            return EditsResult(**common, files=edited, deleted=gone)

        @activity.defn(name="restore_project")
        async def restore(given: RestoreInput) -> RestoreResult:
            common, version = await self.begin(given), given.wanted.version
            files = [ref("index.html", 100 + version)]
            return RestoreResult(**common, files=files, changed=["index.html"], version=100 + version)

        @activity.defn(name="discard_phases")
        async def discard(given: DiscardInput) -> DiscardResult:
            common = await self.begin(given)
            return DiscardResult(**common, files=[ref("index.html", 200)], stood=150, went_back_to=7, version=200)

        @activity.defn(name="fork_session")
        async def fork(given: ForkInput) -> ForkResult:
            common, script = await self.begin(given), self.scripts[given.session_id]
            written = Blueprint(title="App", description="an app", first_phase=plan(1, last=False))
            done = [
                PhaseProgress(id=f"phase-{n}", plan=plan(n, last=n == script.phases), status="completed")
                for n in range(1, script.carried + 1)
            ]
            return ForkResult(
                **common, title="T", template="react-vite", blueprint=written, phases=done, files=[ref("index.html")]
            )

        looking = [review, regenerate, look]
        return {
            "session": [adopt, create, record, read_back, position, restore, fork, discard],
            "inference": [
                plan_setup, readme, judge, choose, blueprint, plan_phase, implement, fix, answer, turn, use_tool, debug,
                *looking,
            ],
            "sandbox": [install, check, preview, use_tool, control_preview, publish, withdraw, show_edits],
        }  # fmt: skip


def written_blueprint() -> Blueprint:
    return Blueprint(title="Planned", description="an app", first_phase=plan(9, last=True))


def plan(number: int, *, last: bool, name: str = "") -> PhasePlan:
    return PhasePlan(name=name or f"Step {number}", files=[PlannedFile(path=f"src/phase-{number}.tsx")], last=last)


def refusal(code: str, retry_after: float | None = None) -> ApplicationError:
    details = {"code": code, "sentence": f"It said {code}.", "next_action": "wait", "retry_after": retry_after}
    return ApplicationError(code, details, type=code, non_retryable=True)
