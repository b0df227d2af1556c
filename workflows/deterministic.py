"""The builder that follows a fixed course: template, blueprint, set-up, then phase after phase."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.code_fixer import CodeFixerActivities
    from activities.phase_generation import PhaseGenerationActivities
    from schemas.blueprint import Blueprint
    from schemas.candidates import Candidate
    from schemas.checks import Issue, IssueSource, Severity
    from schemas.operations import (
        FixInput,
        PhaseGenerationInput,
    )
    from schemas.session import PhaseProgress, QueuedMessage, SessionRequest
    from workflows.ahead import PlanAhead
    from workflows.candidates import BLUEPRINT, Candidates
    from workflows.debugging import debug
    from workflows.finishing import Readme
    from workflows.inspection import Inspector, regenerate
    from workflows.options import MODEL_STEP
    from workflows.packages import install, set_up
    from workflows.project import check, choose_template, template_of
    from workflows.steps import Interrupted, Session
    from workflows.writing import write_phase


class DeterministicBuilder:
    """Builds the application of one session. Every method goes on from what the session's progress already shows."""

    def __init__(self, session: Session, settings: SessionRequest) -> None:
        self._session = session
        self._settings = settings
        self._review_cycles = settings.review_cycles
        self._extra_phases = 0
        self._ahead = PlanAhead(session, allowed=settings.plan_ahead)
        self._readme = Readme(session)
        self._chosen: Candidate | None = None

    # --- planning ---------------------------------------------------------------------------------------------------

    async def plan(self, wanted_template: str | None) -> None:
        """Choose the template, write the blueprint, install what it needs, and put the first phase on the list."""
        session, progress = self._session, self._session.progress
        await choose_template(session, wanted_template, self._settings.complexity)
        if progress.blueprint is None:
            count, candidates = self._settings.blueprint_candidates, self._candidates
            self._take_over(await (candidates.blueprint(count) if count > 1 else candidates.take_blueprint(None)))
        if not progress.phases and progress.blueprint is not None:
            await set_up(session, self._template)
            session.add_phase(progress.blueprint.first_phase, [])

    def _take_over(self, blueprint: Blueprint) -> None:
        progress = self._session.progress
        progress.blueprint, progress.title = blueprint, blueprint.title
        self._session.show_blueprint(blueprint)
        self._session.show_info()

    @property
    def _template(self) -> str:
        return template_of(self._session)

    async def _install(self, operation_id: str, specs: list[str], phase: PhaseProgress) -> None:
        await install(self._session, self._template, operation_id, specs, phase)

    @property
    def _candidates(self) -> Candidates:
        return Candidates(self._session, self._template, self._phase_budget)

    # --- phases -----------------------------------------------------------------------------------------------------

    async def work(self, requests: list[QueuedMessage]) -> bool:
        """Build one phase. False when nothing is left to do."""
        phase = await self._next_phase(requests)
        if phase is None:
            await self._readme.finish()
            return False
        await self._build_phase(phase)
        return True

    @property
    def restartable(self) -> bool:
        """Whether what is under way can be gone on with from the progress alone, without paying for much again.

        A phase that is written goes on with the files that are not closed; one that is checked is checked again. A step
        of a repair has to end first.
        """
        phase = next((phase for phase in self._session.progress.phases if phase.status != "completed"), None)
        return (
            phase is not None
            and (
                phase.status in ("generating", "checking") or (phase.status == "fixing" and not self._session.building)
            )
            and phase.finished_at is None
            and self._chosen is None
            and self._settings.phase_candidates == 1
        )

    def reopen(self) -> None:
        """Give the last phase, whose problems stayed, another round of repair."""
        phase = self._session.progress.phases[-1]
        phase.status, phase.rounds_before = "checking", phase.fix_rounds

    @property
    def _phase_budget(self) -> int:
        """How many phases there may be: one for a simple application, unless people ask for more."""
        simple = self._session.progress.complexity == "simple"
        return (1 if simple else self._settings.max_phases) + self._extra_phases

    async def _next_phase(self, requests: list[QueuedMessage]) -> PhaseProgress | None:
        """The phase to work on now: one under way, one planned, or a new one; None when nothing is left to do."""
        phases = self._session.progress.phases
        if self._chosen is not None:
            await self._follow_choice(self._chosen)
        if open_phases := [phase for phase in phases if phase.status != "completed"]:
            return open_phases[0]
        if not requests and self._is_last(phases[-1]):
            return None
        return await self._plan_phase(requests)

    async def _plan_phase(self, requests: list[QueuedMessage]) -> PhaseProgress:
        session, progress = self._session, self._session.progress
        # What users ask for comes on top of the budget that the plan was given.
        self._extra_phases += len(progress.phases) >= self._phase_budget
        session.take_up(requests)
        phase_id = session.next_phase_id
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
                missing=progress.missing,
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
            phase.status = "checking"
        await self._install(f"{phase.id}/install-asked", phase.asked_for, phase)
        phase.asked_for = []
        phases = session.progress.phases
        if phase is phases[-1] and not self._is_last(phase):
            left = max(0, self._phase_budget - len(phases) - 1)
            self._ahead.begin(session.next_phase_id, self._template, left)
        elif phase is phases[-1] and not session.messages_wait:
            self._readme.begin()
        await self._check_and_repair(phase)
        await self._readme.settle()
        session.complete_phase(phase)
        if (planned := await self._ahead.take()) is not None:
            session.add_phase(planned, [])

    def _is_last(self, phase: PhaseProgress) -> bool:
        """Whether nothing is left to build after the newest phase, unless people ask for more."""
        return phase.plan.last or len(self._session.progress.phases) >= self._phase_budget

    async def _implement(self, phase: PhaseProgress) -> None:
        session, progress = self._session, self._session.progress
        number = session.number_of(phase)
        before = progress.phases[number - 2].checks if number > 1 else None
        phase.status, phase.started_at = "generating", phase.started_at or workflow.now()
        session.show_phase(phase)
        await self._install(f"{phase.id}/install", phase.plan.install, phase)
        issues = before.issues if before else []
        if self._settings.phase_candidates > 1 and await self._best_of_several(phase, issues):
            return
        await write_phase(session, phase, self._template, issues, at_once=self._settings.parallel_calls)

    async def _best_of_several(self, phase: PhaseProgress, issues: list[Issue]) -> bool:
        """Write the phase several times and go on with the best. False when none could be written."""
        try:
            return await self._candidates.phase(phase, issues, self._settings.phase_candidates)
        except Interrupted:
            return True

    async def _check_and_repair(self, phase: PhaseProgress) -> None:
        """Check and repair; where repairs do not help, the debugger looks for the cause, once for a request."""
        if await self._cycles(phase) is False and await debug(self._session, phase, self._template):
            await check(self._session, phase, self._template)

    async def _cycles(self, phase: PhaseProgress) -> bool | None:
        """Cycles of checks, review and repair, until nothing is found or they are used up. Whether the end is clean;
        None when a message interrupted them."""
        session = self._session
        inspector = Inspector(
            session, phase, review_due=self._is_last(phase) or bool(phase.message_ids), whole=self._is_last(phase)
        )
        while True:
            left = phase.fix_rounds - phase.rounds_before < self._review_cycles
            report = await inspector.look(paid=left)
            if not report.ok:
                await self._ahead.drop(f"the checks found {_count(report.errors)}")
            if report.ok or not left:
                return report.ok
            phase.status, phase.fix_rounds = "fixing", phase.fix_rounds + 1
            session.show_phase(phase)
            try:
                await self._repair(phase, report.issues, inspector)
            except Interrupted:
                return None

    async def _repair(self, phase: PhaseProgress, found: list[Issue], inspector: Inspector) -> None:
        """What a review found is repaired file by file, side by side; the rest by the fixer in one call.

        Raises Interrupted.
        """
        session, fix_round, repairs = self._session, phase.fix_rounds, inspector.repairs
        install = [*inspector.install]
        if repairs:
            install += await regenerate(session, phase, repairs)
            repaired = {repair.path for repair in repairs}
            found = [issue for issue in found if issue.file not in repaired and issue.source is not IssueSource.REVIEW]
        if any(issue.severity is Severity.ERROR for issue in found):
            try:
                fixed = await session.step(
                    CodeFixerActivities.fix,
                    lambda common: FixInput(
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
                raise
            session.take_in(phase, fixed)
            install += fixed.install
        await self._install(f"{phase.id}/install-fix-{fix_round}", list(dict.fromkeys(install)), phase)

    # --- candidates -------------------------------------------------------------------------------------------------

    def check_choice(self, candidate_id: str) -> Candidate:
        """The candidate of this id, if it may be chosen now. Raises ApplicationError that says why not."""
        return self._candidates.choosable(candidate_id)

    def choose(self, candidate_id: str) -> Candidate:
        """Go on with another candidate."""
        self._chosen = self.check_choice(candidate_id)
        return self._chosen

    @property
    def has_choice(self) -> bool:
        """Whether a candidate was chosen and is not followed yet."""
        return self._chosen is not None

    async def _follow_choice(self, candidate: Candidate) -> None:
        """A chosen phase becomes the project and is checked; by a chosen blueprint the next phase is planned."""
        phase = self._session.progress.phases[-1]
        if candidate.subject == BLUEPRINT:
            self._take_over(await self._candidates.take_blueprint(candidate, chosen=True))
            phase.plan.last = False
            self._extra_phases += len(self._session.progress.phases) >= self._phase_budget
        elif candidate.subject == phase.id:
            await self._candidates.adopt(candidate, phase, chosen=True)
            self._readme.forget()
            phase.status, phase.rounds_before = "checking", phase.fix_rounds
        self._chosen = None

    # --- the end ----------------------------------------------------------------------------------------------------

    def open_problems(self) -> int:
        """How many errors the last checks left."""
        checks = self._session.progress.phases[-1].checks
        return 0 if checks is None else len(checks.errors)


def _count(issues: list[Issue]) -> str:
    return "one problem" if len(issues) == 1 else f"{len(issues)} problems"
