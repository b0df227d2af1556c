"""Installing what a project needs, and keeping in mind what cannot be had."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.project_setup import ProjectSetupActivities
    from schemas.operations import SetupInput, SetupPlanInput
    from schemas.session import FailedPackage, PhaseProgress
    from workflows.options import MODEL_STEP, SANDBOX_STEP
    from workflows.steps import Session


async def set_up(session: Session, template: str) -> None:
    """Choose packages from the blueprint and install them. For those that are not to be had, ask once for others."""
    blueprint = session.progress.blueprint
    if blueprint is None or not blueprint.dependencies:
        return
    failed = await install(session, template, "setup", await _proposed(session, template, "setup/plan", []))
    if failed:
        others = await _proposed(session, template, "setup/plan-again", failed)
        await install(session, template, "setup/again", others)


async def _proposed(session: Session, template: str, operation_id: str, failed: list[FailedPackage]) -> list[str]:
    planned = await session.step(
        ProjectSetupActivities.plan,
        lambda common: SetupPlanInput(**common, template=template, failed=failed),
        session.operation(operation_id, "project_setup", "Choosing packages"),
        MODEL_STEP,
        state=("planning", "Choosing the packages that the application needs."),
    )
    return planned.install


async def install(
    session: Session,
    template: str,
    operation_id: str,
    specs: list[str],
    phase: PhaseProgress | None = None,
    line: str | None = None,
) -> list[FailedPackage]:
    """Install packages, for the session or a candidate's `line`. Returns those that failed; what failed before is not
    tried again. The user is told, and every later plan and phase."""
    known = {failure.package for failure in session.progress.missing}
    specs = [spec for spec in specs if spec not in known]
    if not specs:
        return []
    phase_id = phase.id if phase else None
    done = await session.step(
        ProjectSetupActivities.install,
        lambda common: SetupInput(**{**common, "line": line}, template=template, phase_id=phase_id, install=specs),
        session.operation(operation_id, "project_setup", "Installing packages", phase_id),
        SANDBOX_STEP,
    )
    if line is None:
        session.take_in(phase, done)
    failed = [failure for failure in done.failed if failure.package not in known]
    if failed:
        session.progress.missing += failed
        names = ", ".join(failure.package for failure in failed)
        session.notice(
            f"{operation_id}-missing", f"Could not be installed: {names}. The work goes on without. {failed[0].reason}"
        )
    return failed
