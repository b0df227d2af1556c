"""Looking at what was built, as closely as it is worth, and repairing what is found.

A round of inspection: the checks of the sandbox; where they are clean, the preview and a judgement of its pictures,
and beside them a review of the code. Code that does not compile is not worth a reviewer's money.
"""

import asyncio
from dataclasses import dataclass, field

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.code_review import CodeReviewActivities
    from activities.file_regeneration import FileRegenerationActivities
    from activities.screenshot_analysis import ScreenshotAnalysisActivities
    from schemas.checks import CheckReport, Issue, IssueSource, merged
    from schemas.events import ChecksEvent
    from schemas.operations import FilesResult
    from schemas.review import FileRepair, LookInput, RegenerationInput, ReviewInput, ReviewResult
    from schemas.session import PhaseProgress
    from workflows.options import MODEL_STEP
    from workflows.project import run_checks, show, template_of
    from workflows.steps import Interrupted, Session

AT_ONCE = 4  # files that are repaired side by side


@dataclass
class Inspector:
    """Inspects one phase, round after round. What was found good once is not paid for again."""

    session: Session
    phase: PhaseProgress
    review_due: bool
    judgement_due: bool = True
    whole: bool = False
    _earlier: list[Issue] = field(default_factory=list)
    _review: ReviewResult | None = None
    _noted: dict[IssueSource, CheckReport] = field(default_factory=dict)

    async def look(self, *, paid: bool) -> CheckReport:
        """One round. Without `paid` no model is asked: nothing could be done about its findings any more."""
        session, phase = self.session, self.phase
        template = template_of(session)
        self._review = None
        # What was judged good stands, with its warnings; what was to be repaired is judged again, or not at all.
        self._noted = {source: report for source, report in self._noted.items() if report.ok}
        report = await run_checks(session, phase, template, str(phase.fix_rounds))
        if report.ok:
            reviewing = asyncio.create_task(self._read_code(template)) if paid and self.review_due else None
            try:
                report = merged(report, await self._see(template, paid=paid))
            finally:
                if reviewing is not None:
                    self._review = await reviewing
        for noted in self._noted.values():
            report = merged(report, noted)
        phase.checks = report
        session.emit(ChecksEvent(phase_id=phase.id, report=report))
        return report

    @property
    def repairs(self) -> list[FileRepair]:
        """The files that the review of this round wants changed, with all that was found in each."""
        if self._review is None or self.phase.checks is None:
            return []
        found = [issue for issue in self.phase.checks.issues if issue.source is not IssueSource.REVIEW]
        return [
            repair.model_copy(update={"issues": [*repair.issues, *(i for i in found if i.file == repair.path)]})
            for repair in self._review.repairs
        ]

    @property
    def install(self) -> list[str]:
        """The packages that the review of this round misses."""
        return [] if self._review is None else self._review.install

    async def _see(self, template: str, *, paid: bool) -> CheckReport:
        session, phase = self.session, self.phase
        report = await show(session, phase, template, str(phase.fix_rounds))
        if not report.ok or not phase.screenshots or not paid or not self.judgement_due:
            return report
        if session.sightless and not any(shot.blank for shot in phase.screenshots):
            return report
        judged = await session.advice(
            ScreenshotAnalysisActivities.judge,
            lambda common: LookInput(
                **common, phase_id=phase.id, template=template, plan=phase.plan, screenshots=phase.screenshots
            ),
            session.operation(
                f"{phase.id}/judge-{phase.fix_rounds}", "screenshot_analysis", "Judging what is to be seen", phase.id
            ),
            MODEL_STEP,
        )
        if judged is not None:
            self.judgement_due = not judged.report.ok
            session.sightless = not judged.judged
            self._noted[IssueSource.SCREENSHOT] = judged.report
        return report

    async def _read_code(self, template: str) -> ReviewResult | None:
        session, phase = self.session, self.phase
        review = await session.advice(
            CodeReviewActivities.review,
            lambda common: ReviewInput(
                **common,
                phase_id=phase.id,
                template=template,
                plan=phase.plan,
                files=phase.files,
                whole=self.whole,
                message_ids=phase.message_ids,
                earlier=self._earlier,
            ),
            session.operation(f"{phase.id}/review-{phase.fix_rounds}", "code_review", "Reviewing the code", phase.id),
            MODEL_STEP,
        )
        if review is not None:
            self.review_due = not review.report.ok
            self._earlier = review.report.errors
            self._noted[IssueSource.REVIEW] = review.report
        return review


async def regenerate(session: Session, phase: PhaseProgress, repairs: list[FileRepair]) -> list[str]:
    """Repair files side by side, each after those it depends on. Returns the packages that they ask for.

    Raises Interrupted, once every repair has ended.
    """
    template = template_of(session)
    slots = asyncio.Semaphore(AT_ONCE)
    changed = {repair.path: asyncio.Event() for repair in repairs}
    install: list[str] = []

    async def repair_one(repair: FileRepair) -> None:
        try:
            for path in repair.after:
                await changed[path].wait()
            async with slots:
                result = await _regenerate_one(session, phase, template, repair)
            install.extend(spec for spec in result.install if spec not in install)
        finally:
            changed[repair.path].set()

    outcomes = await asyncio.gather(*(repair_one(repair) for repair in repairs), return_exceptions=True)
    failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    for failure in sorted(failures, key=lambda failure: isinstance(failure, Interrupted)):
        raise failure
    return install


async def _regenerate_one(session: Session, phase: PhaseProgress, template: str, repair: FileRepair) -> FilesResult:
    operation_id = f"{phase.id}/repair-{phase.fix_rounds}/{repair.path}"
    try:
        result = await session.step(
            FileRegenerationActivities.regenerate,
            lambda common: RegenerationInput(
                **common, phase_id=phase.id, template=template, path=repair.path, issues=repair.issues
            ),
            session.operation(operation_id, "file_regeneration", f"Repairing {repair.path}", phase.id),
            MODEL_STEP,
            state=("reviewing", "Repairing what the review found."),
        )
    except Interrupted:
        await session.read_back(phase, operation_id)
        raise
    session.take_in(phase, result)
    return result
