"""Steps that both builders take with the project itself: choose its template, check it, open its preview."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.checks import CheckActivities
    from activities.template_selection import TemplateSelectionActivities
    from schemas.blueprint import Complexity
    from schemas.checks import STUB, CheckReport, Severity, merged
    from schemas.events import ChecksEvent
    from schemas.operations import CheckInput, PreviewInput, TemplateSelectionInput
    from schemas.session import PhaseProgress
    from workflows.options import MODEL_STEP, SANDBOX_STEP
    from workflows.steps import Session


def template_of(session: Session) -> str:
    """The name of the session's template, once it is chosen."""
    template = session.progress.template
    assert template is not None, "the template is chosen first"
    return template


async def choose_template(session: Session, wanted: str | None, complexity: Complexity | None = None) -> None:
    """Choose the template and lay its files down, unless that is done. `complexity` is what whoever asked says of the
    application; it goes before what the model says."""
    progress = session.progress
    if progress.files:
        return
    chosen = await session.step(
        TemplateSelectionActivities.choose,
        lambda common: TemplateSelectionInput(**common, template=wanted),
        session.operation("template", "template_selection", "Choosing a template"),
        MODEL_STEP,
        state=("planning", "Choosing a template."),
    )
    progress.template, progress.title, progress.files = chosen.template, chosen.title, chosen.files
    progress.complexity = complexity or chosen.complexity
    session.show_info()


async def check(session: Session, phase: PhaseProgress, template: str, name: str | None = None) -> CheckReport:
    """Check and build the project as it stands, for `phase`; if that is clean, show it and look at it.

    `name` tells a check that a user asked for from those that follow each repair.
    """
    number = name or str(phase.fix_rounds)
    report = await run_checks(session, phase, template, number)
    if report.ok:
        report = merged(report, await show(session, phase, template, number))
    phase.checks = report
    session.emit(ChecksEvent(phase_id=phase.id, report=report))
    return report


async def run_checks(session: Session, phase: PhaseProgress, template: str, number: str) -> CheckReport:
    """Check and build the project as it stands. `number` tells this check from the phase's others."""
    phase.status = "checking"
    session.show_phase(phase)
    checked = await session.step(
        CheckActivities.check,
        lambda common: CheckInput(**common, phase_id=phase.id, template=template, build=True),
        session.operation(f"{phase.id}/check-{number}", "checks", "Checking the code", phase.id),
        SANDBOX_STEP,
        state=("reviewing", "Checking types, style and build."),
    )
    return _strict(checked.report) if phase.plan.last else checked.report


def _strict(report: CheckReport) -> CheckReport:
    """What an application is measured by that shall be complete: a stand-in is a missing feature, not a promise."""
    issues = [
        issue.model_copy(update={"severity": Severity.ERROR}) if issue.code == STUB else issue
        for issue in report.issues
    ]
    issues.sort(key=lambda issue: issue.severity is not Severity.ERROR)
    return report.model_copy(update={"issues": issues})


async def show(session: Session, phase: PhaseProgress, template: str, number: str) -> CheckReport:
    """Open the preview and look at it: what went wrong in the page. The pictures are in the phase."""
    shown = await session.step(
        CheckActivities.open_preview,
        lambda common: PreviewInput(**common, phase_id=phase.id, template=template),
        session.operation(f"{phase.id}/preview-{number}", "preview", "Looking at the application", phase.id),
        SANDBOX_STEP,
        state=("reviewing", "Looking at the application."),
    )
    phase.screenshots = shown.screenshots
    session.show_preview(shown.preview)
    return shown.report
