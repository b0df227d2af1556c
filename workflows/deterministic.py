"""The builder that follows a fixed course: template, blueprint, set-up, then phase after phase."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.blueprint import BlueprintActivities
    from activities.code_fixer import CodeFixerActivities
    from activities.phase_generation import PhaseGenerationActivities
    from activities.project_setup import ProjectSetupActivities
    from schemas.checks import Issue
    from schemas.operations import (
        BlueprintInput,
        FixInput,
        PhaseGenerationInput,
        SetupInput,
    )
    from schemas.session import PhaseProgress, QueuedMessage
    from workflows.ahead import PlanAhead
    from workflows.options import MODEL_STEP, SANDBOX_STEP
    from workflows.project import check, choose_template, template_of
    from workflows.steps import Interrupted, Session
    from workflows.writing import write_phase


class DeterministicBuilder:
    """Builds the application of one session. Every method goes on from what the session's progress already shows."""

    def __init__(
        self, session: Session, *, review_cycles: int, max_phases: int, parallel_calls: int, plan_ahead: bool
    ) -> None:
        self._session = session
        self._review_cycles = review_cycles
        self._phase_budget = max_phases
        self._parallel_calls = parallel_calls
        self._ahead = PlanAhead(session, allowed=plan_ahead)

    # --- planning ---------------------------------------------------------------------------------------------------

    async def plan(self, wanted_template: str | None) -> None:
        """Choose the template, write the blueprint, install what it needs, and put the first phase on the list."""
        session, progress = self._session, self._session.progress
        await choose_template(session, wanted_template)
        if progress.blueprint is None:
            planned = await session.step(
                BlueprintActivities.write,
                lambda common: BlueprintInput(**common, template=self._template),
                session.operation("blueprint", "blueprint", "Writing the blueprint"),
                MODEL_STEP,
                state=("planning", "Writing the blueprint."),
            )
            progress.blueprint, progress.title = planned.blueprint, planned.blueprint.title
            session.show_blueprint(planned.blueprint)
            session.show_info()
        if not progress.phases:
            await self._install("setup", progress.blueprint.dependencies)
            session.add_phase(progress.blueprint.first_phase, [])

    @property
    def _template(self) -> str:
        return template_of(self._session)

    async def _install(self, operation_id: str, specs: list[str], phase: PhaseProgress | None = None) -> None:
        if not specs:
            return
        session = self._session
        phase_id = phase.id if phase else None
        done = await session.step(
            ProjectSetupActivities.install,
            lambda common: SetupInput(**common, template=self._template, phase_id=phase_id, install=specs),
            session.operation(operation_id, "project_setup", "Installing packages", phase_id),
            SANDBOX_STEP,
        )
        session.take_in(phase, done)

    # --- phases -----------------------------------------------------------------------------------------------------

    async def work(self, requests: list[QueuedMessage]) -> bool:
        """Build one phase. False when nothing is left to do."""
        phase = await self._next_phase(requests)
        if phase is None:
            return False
        await self._build_phase(phase)
        return True

    def reopen(self) -> None:
        """Give the last phase, whose problems stayed, another round of repair."""
        phase = self._session.progress.phases[-1]
        phase.status, phase.fix_rounds = "checking", 0

    async def _next_phase(self, requests: list[QueuedMessage]) -> PhaseProgress | None:
        """The phase to work on now: one under way, one planned, or a new one; None when nothing is left to do."""
        phases = self._session.progress.phases
        if open_phases := [phase for phase in phases if phase.status != "completed"]:
            return open_phases[0]
        if not requests and self._is_last(phases[-1]):
            return None
        return await self._plan_phase(requests)

    async def _plan_phase(self, requests: list[QueuedMessage]) -> PhaseProgress:
        session, progress = self._session, self._session.progress
        # What users ask for comes on top of the budget that the plan was given.
        self._phase_budget += len(progress.phases) >= self._phase_budget
        session.take_up(requests)
        phase_id = f"phase-{len(progress.phases) + 1}"
        last_checks = progress.phases[-1].checks
        planned = await session.step(
            PhaseGenerationActivities.plan,
            lambda common: PhaseGenerationInput(
                **common,
                phase_id=phase_id,
                template=self._template,
                done=[phase.plan for phase in progress.phases],
                issues=last_checks.issues if last_checks else [],
                message_ids=[message.id for message in requests],
                remaining=max(0, self._phase_budget - len(progress.phases) - 1),
            ),
            session.operation(f"{phase_id}/plan", "phase_generation", "Planning the next phase", phase_id),
            MODEL_STEP,
            state=("planning", "Planning the next phase."),
        )
        return session.add_phase(planned.plan, requests)

    async def _build_phase(self, phase: PhaseProgress) -> None:
        """Write the phase's files, check them, repair what the checks find, and show the result."""
        session = self._session
        if phase.status in ("planned", "generating"):
            await self._implement(phase)
        phases = session.progress.phases
        if phase is phases[-1] and not self._is_last(phase):
            number = len(phases) + 1
            self._ahead.begin(f"phase-{number}", self._template, max(0, self._phase_budget - number))
        await self._check_and_repair(phase)
        session.complete_phase(phase)
        if (planned := await self._ahead.take()) is not None:
            session.add_phase(planned, [])

    def _is_last(self, phase: PhaseProgress) -> bool:
        """Whether nothing is left to build after the newest phase, unless people ask for more."""
        return phase.plan.last or len(self._session.progress.phases) >= self._phase_budget

    async def _implement(self, phase: PhaseProgress) -> None:
        session, progress = self._session, self._session.progress
        number = int(phase.id.removeprefix("phase-"))
        before = progress.phases[number - 2].checks if number > 1 else None
        phase.status, phase.started_at = "generating", phase.started_at or workflow.now()
        session.show_phase(phase)
        await self._install(f"{phase.id}/install", phase.plan.install, phase)
        issues = before.issues if before else []
        asked = await write_phase(session, phase, self._template, issues, at_once=self._parallel_calls)
        await self._install(f"{phase.id}/install-asked", asked, phase)

    async def _check_and_repair(self, phase: PhaseProgress) -> None:
        session = self._session
        report = await check(session, phase, self._template)
        if not report.ok:
            await self._ahead.drop(f"the checks found {_count(report.errors)}")
        while not report.ok and phase.fix_rounds < self._review_cycles:
            phase.status, phase.fix_rounds = "fixing", phase.fix_rounds + 1
            session.show_phase(phase)
            found, fix_round = report.issues, phase.fix_rounds
            try:
                fixed = await session.step(
                    CodeFixerActivities.fix,
                    lambda common, found=found, fix_round=fix_round: FixInput(  # type: ignore[misc]
                        **common,
                        phase_id=phase.id,
                        template=self._template,
                        plan=phase.plan,
                        issues=found,
                        round=fix_round,
                    ),
                    session.operation(
                        f"{phase.id}/fix-{fix_round}", "fast_code_fixer", f"Repairing {_count(found)}", phase.id
                    ),
                    MODEL_STEP,
                    state=("reviewing", f"Repairing {_count(found)} that the checks found."),
                )
            except Interrupted:
                await session.read_back(phase, f"{phase.id}/fix-{fix_round}")
                return
            session.take_in(phase, fixed)
            await self._install(f"{phase.id}/install-fix-{fix_round}", fixed.install, phase)
            report = await check(session, phase, self._template)

    # --- the end ----------------------------------------------------------------------------------------------------

    def open_problems(self) -> int:
        """How many errors the last checks left."""
        checks = self._session.progress.phases[-1].checks
        return 0 if checks is None else len(checks.errors)


def _count(issues: list[Issue]) -> str:
    return "one problem" if len(issues) == 1 else f"{len(issues)} problems"
