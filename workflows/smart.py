"""The builder in which a model chooses what to do next: turns of tool calls, each of them a step of its own.

`work` takes one turn, so that messages are taken in and the history is renewed between any two of them.
"""

from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.smart_builder import SmartBuilderActivities
    from schemas.blueprint import PhasePlan
    from schemas.events import ChecksEvent
    from schemas.rounds import Limit, RoundState
    from schemas.session import PhaseProgress, QueuedMessage
    from schemas.tool_turns import BuilderTurnInput, ToolInput, ToolRequest, ToolResult
    from workflows.debugging import debug
    from workflows.finishing import Readme
    from workflows.inspection import Inspector
    from workflows.options import MODEL_STEP, SANDBOX_STEP
    from workflows.project import check, choose_template, template_of
    from workflows.repetition import repeats
    from workflows.steps import Interrupted, Session, together

MAX_TURNS = 100
FEW_TURNS = 5
SILENT = "You called no tool. Call complete when the work is done, or go on with it."
REPEATED = (
    "You have made the same calls again and again, with the same results. Doing so once more ends your work: "
    "try another way, ask the person, or complete and say what is left."
)
LAST_TURNS = "Only {left} turns are left. Bring what there is into a state that works, check it, and complete."
REASONS: dict[Limit, str] = {
    "turn_limit": "its {turns} turns are used up",
    "spend_limit": "it has spent what it may, {cost} US dollars",
    "repetition": "it went round in circles",
}


class SmartBuilder:
    """Builds the application of one session by turns. A round of turns is shown as a phase."""

    def __init__(
        self, session: Session, *, review_cycles: int, max_phases: int, max_cost_usd: Decimal | None = None
    ) -> None:
        self._session = session
        self._review_cycles = review_cycles
        self._turns = min(MAX_TURNS, 10 * max_phases)
        self._max_cost = max_cost_usd
        self._inspector: Inspector | None = None
        self._readme = Readme(session)

    async def plan(self, wanted_template: str | None) -> None:
        """Choose the template; everything else is the model's to decide."""
        await choose_template(self._session, wanted_template)

    async def work(self, requests: list[QueuedMessage]) -> bool:
        """Go one turn further; when the model declares the work done, check it. False when nothing is to be done.

        Messages that come in the middle of a round belong to it from its next turn on.
        """
        session, phases = self._session, self._session.progress.phases
        phase = next((phase for phase in phases if phase.status != "completed"), None)
        if phase is None:
            if phases and not requests:
                await self._readme.finish()
                return False
            name = "Building with tools" if not requests else f"Changing: {requests[0].text[:60]}"
            phase = session.add_phase(PhasePlan(name=name, last=True), requests)
            phase.status, phase.started_at = "generating", workflow.now()
            session.show_phase(phase)
        elif requests:
            session.join_phase(phase, requests)
        with suppress(Interrupted):  # by a message, which is read before the next turn
            await self._go_on(phase, self._round(phase, renewed=bool(requests)))
        return True

    def _round(self, phase: PhaseProgress, *, renewed: bool) -> RoundState:
        """The round of this phase. A message, or a resume after a limit, renews its allowance."""
        session, known = self._session, self._session.round
        if known is None or known.phase_id != phase.id:
            known = session.round = RoundState(phase_id=phase.id)
            renewed = True
        if renewed or known.limit is not None:
            known.first_turn, known.cost_before = phase.turns, session.progress.usage.cost_usd
            known.recent, known.warned, known.silent, known.limit = [], False, False, None
            session.progress.question = None
        return known

    async def _go_on(self, phase: PhaseProgress, allowance: RoundState) -> None:
        if phase.status in ("planned", "generating"):
            if limit := self._limit(phase, allowance):
                await self._pause(phase, allowance, limit)
                return
            if not await self._turn(phase, allowance):
                return
        await self._judge(phase, allowance)

    # --- turns ------------------------------------------------------------------------------------------------------

    async def _turn(self, phase: PhaseProgress, allowance: RoundState) -> bool:
        """Let the model speak, and carry out what it asks for. True when it has declared the work done."""
        session = self._session
        notes = allowance.notes
        issues = phase.checks.issues if phase.checks and allowance.judged else []
        left = self._turns - (phase.turns - allowance.first_turn)
        if left == FEW_TURNS:
            notes = [*notes, LAST_TURNS.format(left=left)]
        phase.turns += 1
        turn_id = f"{phase.id}/turn-{phase.turns}"
        asked = await session.step(
            SmartBuilderActivities.turn,
            lambda common: BuilderTurnInput(
                **common,
                template=template_of(session),
                phase_id=phase.id,
                turn=phase.turns,
                message_ids=phase.message_ids,
                issues=issues,
                notes=notes,
            ),
            session.operation(turn_id, "smart_builder", "Deciding what to do next", phase.id),
            MODEL_STEP,
            state=("generating", "The builder decides what to do next."),
        )
        allowance.judged, allowance.notes = False, []
        if asked.calls:
            allowance.silent = False
            return await self._use_tools(phase, allowance, turn_id, asked.calls)
        if allowance.silent:
            return True
        if not asked.cut:
            allowance.silent, allowance.notes = True, [SILENT]
        return False

    async def _use_tools(
        self, phase: PhaseProgress, allowance: RoundState, turn_id: str, calls: list[ToolRequest]
    ) -> bool:
        """Carry out the calls of a turn, in order; those that only read, side by side. True when one of them declared
        the work done."""
        completed = False
        for group in side_by_side(calls):
            for used in await together([self._use_tool(phase, turn_id, call) for call in group]):
                completed |= used.outcome == "completed"
                if repeats(allowance, used):
                    if allowance.warned:
                        await self._pause(phase, allowance, "repetition")
                        return False
                    allowance.warned, allowance.recent, allowance.notes = True, [], [REPEATED]
                if used.question is not None:
                    self._session.progress.question = used.question
                    return False
        return completed

    async def _use_tool(self, phase: PhaseProgress, turn_id: str, call: ToolRequest) -> ToolResult:
        session = self._session
        operation = session.operation(f"{turn_id}/tool-{call.index}", "tool", call.summary, phase.id)
        try:
            used = await session.step(
                SmartBuilderActivities.use_tool,
                lambda common: ToolInput(
                    **common, template=template_of(session), phase_id=phase.id, turn_id=turn_id, call=call
                ),
                operation,
                SANDBOX_STEP if call.queue == "sandbox" else MODEL_STEP,
                state=("generating", call.summary),
            )
        except Interrupted:
            await session.read_back(phase, operation.id)
            raise
        session.take_in(phase, used)
        self._show(phase, used)
        return used

    def _show(self, phase: PhaseProgress, used: ToolResult) -> None:
        """Bring the picture up to date with what a tool made new beside files."""
        session = self._session
        phase.screenshots = used.screenshots or phase.screenshots
        if used.blueprint is not None:
            session.progress.blueprint, session.progress.title = used.blueprint, used.blueprint.title
            session.show_blueprint(used.blueprint)
            session.show_info()
        if used.report is not None:
            phase.checks = used.report
            session.emit(ChecksEvent(phase_id=phase.id, report=used.report))
        if used.preview is not None:
            session.show_preview(used.preview)
        session.show_phase(phase)

    # --- the end of a round -----------------------------------------------------------------------------------------

    async def _judge(self, phase: PhaseProgress, allowance: RoundState) -> None:
        """Check what was declared done. Problems go back to the model, at last to the debugger."""
        session = self._session
        if self._inspector is None or self._inspector.phase is not phase:
            self._inspector = Inspector(session, phase, review_due=True, whole=True)
        left = phase.fix_rounds - phase.rounds_before < self._review_cycles
        report = await self._inspector.look(paid=left)
        if not report.ok and left:
            phase.fix_rounds += 1
            phase.status, allowance.judged = "generating", True
            session.show_phase(phase)
            return
        if not report.ok and await debug(session, phase, template_of(session)):
            await check(session, phase, template_of(session))
        session.complete_phase(phase)

    @property
    def restartable(self) -> bool:
        """Whether a turn can be broken off for a new history. It cannot: between turns it is renewed anyway."""
        return False

    def reopen(self) -> None:
        """Give the last round, whose problems stayed, more turns."""
        phase = self._session.progress.phases[-1]
        phase.status, phase.rounds_before = "generating", phase.fix_rounds
        spent = self._session.progress.usage.cost_usd
        self._session.round = RoundState(phase_id=phase.id, first_turn=phase.turns, cost_before=spent, judged=True)

    def open_problems(self) -> int:
        """How many errors the last checks left."""
        checks = self._session.progress.phases[-1].checks
        return 0 if checks is None else len(checks.errors)

    # --- limits -----------------------------------------------------------------------------------------------------

    def _limit(self, phase: PhaseProgress, allowance: RoundState) -> Limit | None:
        if phase.turns - allowance.first_turn >= self._turns:
            return "turn_limit"
        spent = self._session.progress.usage.cost_usd - allowance.cost_before
        return "spend_limit" if self._max_cost is not None and spent >= self._max_cost else None

    async def _pause(self, phase: PhaseProgress, allowance: RoundState, limit: Limit) -> None:
        """Look at how things stand, say it, and wait for a word to go on."""
        session = self._session
        await check(session, phase, template_of(session))
        phase.status = "generating"
        session.show_phase(phase)
        spent = session.progress.usage.cost_usd - allowance.cost_before
        reason = REASONS[limit].format(turns=self._turns, cost=f"{spent:.2f}")
        allowance.judged = True
        session.notice(f"{phase.id}/limit-{phase.turns}", f"The builder has paused: {reason}. {self._standing(phase)}")
        session.pause(limit, f"The builder has paused: {reason}.")

    def _standing(self, phase: PhaseProgress) -> str:
        """What is done and what is left, as far as it can be seen."""
        progress = self._session.progress
        files = f": {_listed(phase.files)}" if phase.files else ""
        planned = [file.path for file in progress.blueprint.first_phase.files] if progress.blueprint else []
        have = {file.path for file in progress.files}
        missing = [path for path in planned if path not in have]
        left = [f"{_listed(missing)} to be written"] if missing else []
        if errors := phase.checks.errors if phase.checks else []:
            left.append(f"{_count(len(errors), 'error')} that the checks find, the first: {errors[0].message[:200]}")
        if not left:
            left.append("the builder's own word that it is done; the checks find nothing wrong")
        done = f"{_count(len(phase.files), 'file')} written or changed{files}"
        return f"Done: {done}. Left: {'; '.join(left)}. Resume gives it more; a message changes its course."


def side_by_side(calls: Sequence[ToolRequest]) -> list[list[ToolRequest]]:
    """The calls in groups, one after the other: what changes anything is a group of its own."""
    groups: list[list[ToolRequest]] = []
    joins = False
    for call in calls:
        reads = call.effect in ("none", "reads")
        if reads and joins:
            groups[-1].append(call)
        else:
            groups.append([call])
        joins = reads
    return groups


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _listed(names: Sequence[str], most: int = 8) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
