"""Best of several: candidates of the blueprint or of a phase, written side by side, judged, and all of them kept.

Each candidate of a phase has a line of file versions of its own, begun from the project as it stood, and a workspace of
its own. The best one's files become the project's; a person may choose another one later.
"""

from collections.abc import Coroutine
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.blueprint import BlueprintActivities
    from activities.checks import CheckActivities
    from activities.judgement import JudgementActivities
    from activities.phase_implementation import PhaseImplementationActivities
    from schemas.blueprint import Blueprint, PhasePlan
    from schemas.candidates import Candidate
    from schemas.checks import CheckReport, Issue
    from schemas.failures import Failure
    from schemas.operations import (
        AdoptInput,
        BlueprintInput,
        CheckInput,
        JudgedCandidate,
        JudgementInput,
        PhaseImplementationInput,
    )
    from schemas.session import PhaseProgress
    from workflows.options import MODEL_STEP, SANDBOX_STEP, SESSION_STEP
    from workflows.packages import install
    from workflows.steps import Session, together

BLUEPRINT = "blueprint"
PER_ERROR = 15  # points that each error of the checks takes from a candidate's score


class Candidates:
    """The candidates of one session; `progress.candidates` holds them, in the order in which they were begun."""

    def __init__(self, session: Session, template: str, max_phases: int) -> None:
        self._session = session
        self._template = template
        self._max_phases = max_phases

    # --- the blueprint ----------------------------------------------------------------------------------------------

    async def blueprint(self, count: int) -> Blueprint:
        """The best of `count` blueprints."""
        candidates = [self._begin(BLUEPRINT, number) for number in range(1, count + 1)]
        await together([self._write_blueprint(candidate) for candidate in candidates])
        ready = [candidate for candidate in candidates if candidate.status == "ready"]
        judged = [JudgedCandidate(number=each.number, operation_id=_operation(each)) for each in ready]
        best = await self._judge(BLUEPRINT, None, ready, judged)
        return await self.take_blueprint(best)

    async def take_blueprint(self, candidate: Candidate | None, *, chosen: bool = False) -> Blueprint:
        """Make a candidate the session's blueprint; without one, write it as ever. `chosen`: a person says so."""
        session = self._session
        take = _operation(candidate) if candidate else None
        name = BLUEPRINT
        if candidate is not None:
            name = _chosen(candidate, session.executions) if chosen else f"blueprint/take-{candidate.number}"
        planned = await session.step(
            BlueprintActivities.write,
            lambda common: BlueprintInput(**common, template=self._template, max_phases=self._max_phases, take=take),
            session.operation(name, "blueprint", "Writing the blueprint"),
            MODEL_STEP,
            state=("planning", "Writing the blueprint."),
        )
        self._choose(candidate)
        return planned.blueprint

    async def _write_blueprint(self, candidate: Candidate) -> None:
        session, operation_id = self._session, _operation(candidate)
        written = await session.try_step(
            BlueprintActivities.write,
            lambda common: BlueprintInput(
                **common, template=self._template, max_phases=self._max_phases, candidate=candidate.number
            ),
            session.operation(operation_id, "blueprint", f"Writing blueprint {candidate.number}"),
            MODEL_STEP,
            state=("planning", "Writing several blueprints to choose from."),
        )
        if isinstance(written, Failure):
            self._failed(candidate, written)
            return
        candidate.status, candidate.title = "ready", written.blueprint.title
        self._session.show_candidate(candidate)

    # --- a phase ----------------------------------------------------------------------------------------------------

    async def phase(self, phase: PhaseProgress, issues: list[Issue], count: int) -> bool:
        """Write the phase `count` times and make the best the project's. False when none could be written.

        Raises Interrupted.
        """
        candidates = [self._begin(phase.id, number) for number in range(1, count + 1)]
        reports: dict[str, CheckReport] = {}
        work: list[Coroutine[Any, Any, None]] = [
            self._write_phase(phase, each, issues, reports, count) for each in candidates
        ]
        await together(work)
        ready = [candidate for candidate in candidates if candidate.status == "ready"]
        judged = [
            JudgedCandidate(
                number=each.number, line=self._line(each), operation_id=_operation(each), report=reports.get(each.id)
            )
            for each in ready
        ]
        best = await self._judge(phase.id, phase.plan, ready, judged)
        if best is not None:
            await self.adopt(best, phase)
        return best is not None

    async def adopt(self, candidate: Candidate, phase: PhaseProgress, *, chosen: bool = False) -> None:
        """Make the project what a candidate's files are. `chosen`: a person says so."""
        session = self._session
        name = _chosen(candidate, session.executions) if chosen else f"{candidate.id}/adopt-{session.executions}"
        reason = f"{'Chosen' if chosen else 'The best of several'}: candidate {candidate.number} of “{phase.plan.name}”"
        adopted = await session.step(
            JudgementActivities.adopt,
            lambda common: AdoptInput(
                **common,
                template=self._template,
                phase_id=phase.id,
                candidate_line=self._line(candidate),
                reason=reason,
            ),
            session.operation(name, "adopt", reason, phase.id),
            SESSION_STEP,
        )
        session.take_in(phase, adopted)
        self._choose(candidate)

    async def _write_phase(
        self,
        phase: PhaseProgress,
        candidate: Candidate,
        issues: list[Issue],
        reports: dict[str, CheckReport],
        count: int,
    ) -> None:
        session, operation_id, line = self._session, _operation(candidate), self._line(candidate)
        title = f"Writing “{phase.plan.name}”, candidate {candidate.number} of {count}"
        written = await session.try_step(
            PhaseImplementationActivities.implement,
            lambda common: PhaseImplementationInput(
                **{**common, "line": line},
                phase_id=phase.id,
                template=self._template,
                plan=phase.plan,
                number=session.number_of(phase),
                candidate=candidate.number,
                missing=session.progress.missing,
                issues=issues,
                message_ids=phase.message_ids,
            ),
            session.operation(operation_id, "phase_implementation", title, phase.id),
            MODEL_STEP,
            state=("generating", f"Writing “{phase.plan.name}” {count} times to choose from."),
        )
        if isinstance(written, Failure):
            self._failed(candidate, written)
            return
        candidate.status, candidate.files = "checking", len(written.files)
        session.show_candidate(candidate)
        await install(session, self._template, f"{candidate.id}/install", written.install, phase, line)
        checked = await session.try_step(
            CheckActivities.check,
            lambda common: CheckInput(
                **{**common, "line": line}, phase_id=phase.id, template=self._template, build=True
            ),
            session.operation(f"{candidate.id}/check", "checks", f"Checking candidate {candidate.number}", phase.id),
            SANDBOX_STEP,
            state=("reviewing", "Checking the candidates."),
        )
        if isinstance(checked, Failure):
            self._failed(candidate, checked)
            return
        reports[candidate.id] = checked.report
        candidate.status, candidate.errors = "ready", len(checked.report.errors)
        session.show_candidate(candidate)

    # --- judging ----------------------------------------------------------------------------------------------------

    async def _judge(
        self, subject: str, plan: PhasePlan | None, ready: list[Candidate], judged: list[JudgedCandidate]
    ) -> Candidate | None:
        """The best candidate by review and checks; when no review can be had, by the checks alone."""
        if len(ready) < 2:
            return ready[0] if ready else None
        session = self._session
        found = await session.try_step(
            JudgementActivities.judge,
            lambda common: JudgementInput(**common, template=self._template, plan=plan, candidates=judged),
            session.operation(f"{subject}/judge", "code_review", f"Comparing {len(ready)} candidates"),
            MODEL_STEP,
            state=("reviewing", f"Comparing {len(ready)} candidates."),
        )
        verdicts = {} if isinstance(found, Failure) else {each.candidate: each for each in found.verdicts}
        for candidate in ready:
            verdict = verdicts.get(candidate.number)
            errors = candidate.errors or 0
            candidate.score = max(0, (verdict.score if verdict else 50) - PER_ERROR * errors)
            said = verdict.reason if verdict else "No review could be had; the checks decide."
            candidate.reason = f"{said} The checks found {errors} errors." if errors else said
            session.show_candidate(candidate)
        return max(ready, key=lambda candidate: (candidate.score or 0, -candidate.number))

    # --- what is kept -------------------------------------------------------------------------------------------------

    def choosable(self, candidate_id: str) -> Candidate:
        """The candidate of this id, if it may be chosen now. Raises ApplicationError that says why not."""
        progress = self._session.progress
        found = next((each for each in progress.candidates if each.id == candidate_id), None)
        if found is None:
            raise ApplicationError("The session has no such candidate.", type="no_candidate")
        if found.status != "ready":
            raise ApplicationError("This candidate was not finished.", type="candidate_not_ready")
        newest = progress.phases[-1] if progress.phases else None
        if found.subject != BLUEPRINT and (newest is None or found.subject != newest.id):
            raise ApplicationError("Later phases were built since on the one that was chosen.", type="built_upon")
        if progress.state.name not in ("completed", "failed", "idle") or self._session.held:
            raise ApplicationError("Wait until the session rests, then choose.", type="at_work")
        return found

    def _begin(self, subject: str, number: int) -> Candidate:
        candidate_id = f"{subject}-candidate-{number}"
        known = next((each for each in self._session.progress.candidates if each.id == candidate_id), None)
        candidate = known or Candidate(id=candidate_id, subject=subject, number=number)
        candidate.status = "writing"
        if known is None:
            self._session.progress.candidates.append(candidate)
        self._session.show_candidate(candidate)
        return candidate

    def _failed(self, candidate: Candidate, failure: Failure) -> None:
        candidate.status, candidate.reason = "failed", failure.explanation
        self._session.settle(_operation(candidate))
        self._session.show_candidate(candidate)

    def _choose(self, candidate: Candidate | None) -> None:
        for each in self._session.progress.candidates:
            if candidate is not None and each.subject == candidate.subject and each.chosen != (each is candidate):
                each.chosen = each is candidate
                self._session.show_candidate(each)

    def _line(self, candidate: Candidate) -> str:
        """The candidate's files: an underscore is in no session's id."""
        return f"{self._session.progress.session_id}_{candidate.subject}_{candidate.number}"


def _chosen(candidate: Candidate, number: int) -> str:
    """The step that follows a person's choice."""
    return f"{candidate.id}/chosen-{number}"


def _operation(candidate: Candidate) -> str:
    """The step that writes a candidate."""
    return f"{candidate.id}/write"
