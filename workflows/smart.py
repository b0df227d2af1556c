"""The builder in which a model chooses what to do next: turns of tool calls, each of them a step of its own."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.smart_builder import SmartBuilderActivities
    from schemas.blueprint import PhasePlan
    from schemas.operations import BuilderTurnInput, ToolInput, ToolRequest
    from schemas.session import PhaseProgress, QueuedMessage
    from workflows.options import MODEL_STEP, SANDBOX_STEP
    from workflows.project import check, choose_template, template_of
    from workflows.steps import Interrupted, Session

MAX_TURNS = 100


class SmartBuilder:
    """Builds the application of one session by turns. A round of turns is shown as a phase."""

    def __init__(self, session: Session, *, review_cycles: int, max_phases: int) -> None:
        self._session = session
        self._review_cycles = review_cycles
        self._turns_per_round = min(MAX_TURNS, 10 * max_phases)

    async def plan(self, wanted_template: str | None) -> None:
        """Choose the template; everything else is the model's to decide."""
        await choose_template(self._session, wanted_template)

    async def work(self, requests: list[QueuedMessage]) -> bool:
        """Run one round: turns until the model declares the work done and the checks agree, or a limit is met."""
        session, phases = self._session, self._session.progress.phases
        if phases and phases[-1].status != "completed":
            phase = phases[-1]
        elif requests or not phases:
            name = "Building with tools" if not requests else f"Changing: {requests[0].text[:60]}"
            phase = session.add_phase(PhasePlan(name=name, last=True), requests)
        else:
            return False
        await self._round(phase)
        return True

    async def _round(self, phase: PhaseProgress) -> None:
        session = self._session
        phase.started_at = phase.started_at or workflow.now()
        for attempt in range(self._review_cycles + 1):
            phase.status, phase.fix_rounds = "generating", attempt
            session.show_phase(phase)
            try:
                await self._turns(phase)
            except Interrupted:
                break
            report = await check(session, phase, template_of(session))
            if report.ok:
                break
        if phase.checks is None:
            await check(session, phase, template_of(session))
        session.complete_phase(phase)

    async def _turns(self, phase: PhaseProgress) -> None:
        session = self._session
        for turn in range(1, self._turns_per_round + 1):
            turn_id = f"{phase.id}/round-{phase.fix_rounds}/turn-{turn}"
            asked = await session.step(
                SmartBuilderActivities.turn,
                lambda common, turn=turn: BuilderTurnInput(  # type: ignore[misc]
                    **common,
                    template=template_of(session),
                    phase_id=phase.id,
                    turn=turn,
                    message_ids=phase.message_ids,
                    issues=phase.checks.issues if phase.checks and turn == 1 else [],
                    remaining_turns=self._turns_per_round - turn,
                ),
                session.operation(turn_id, "smart_builder", "Deciding what to do next", phase.id),
                MODEL_STEP,
                state=("generating", "The builder decides what to do next."),
            )
            completed = False
            for call in asked.calls:
                completed |= await self._use_tool(phase, turn_id, call)
            if completed or not asked.calls:
                return

    async def _use_tool(self, phase: PhaseProgress, turn_id: str, call: ToolRequest) -> bool:
        session = self._session
        used = await session.step(
            SmartBuilderActivities.use_tool,
            lambda common: ToolInput(**common, template=template_of(session), phase_id=phase.id, call=call),
            session.operation(f"{turn_id}/{call.id}", "tool", call.summary, phase.id),
            SANDBOX_STEP,
            state=("generating", call.summary),
        )
        session.take_in(phase, used)
        session.show_phase(phase)
        return used.outcome == "completed"

    def reopen(self) -> None:
        """Give the last round, whose problems stayed, more turns."""
        self._session.progress.phases[-1].status = "generating"

    def open_problems(self) -> int:
        """How many errors the last checks left."""
        checks = self._session.progress.phases[-1].checks
        return 0 if checks is None else len(checks.errors)
