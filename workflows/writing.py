"""Writing the files of a phase: in one call, or in waves of calls that run side by side."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.phase_implementation import PhaseImplementationActivities
    from codegen.grouping import waves
    from schemas.checks import Issue
    from schemas.operations import PhaseImplementationInput
    from schemas.session import PhaseProgress
    from workflows.options import MODEL_STEP
    from workflows.steps import Interrupted, Session, together


async def write_phase(
    session: Session, phase: PhaseProgress, template: str, issues: list[Issue], *, at_once: int
) -> None:
    """Write the phase's files, and note the packages that the model asks for.

    Each call is a step of its own: its events are fenced, and it is retried and resumed by itself. An interruption ends
    all of them; what they had finished stays.
    """
    planned = waves(phase.plan.files, at_once)
    count = sum(map(len, planned))
    number = 0
    for wave in planned:
        calls = []
        for paths in wave:
            number += 1
            part = (number, count, paths) if count > 1 else None
            calls.append(_write(session, phase, template, issues, part))
        results = await together(calls)
        if not all(results):
            break


async def _write(
    session: Session,
    phase: PhaseProgress,
    template: str,
    issues: list[Issue],
    part: tuple[int, int, list[str]] | None,
) -> bool:
    """One call: all files of the phase, or a part of them (its number, of how many, its paths). False: interrupted."""
    operation_id, title, paths = f"{phase.id}/implement", f"Writing “{phase.plan.name}”", None
    if part is not None:
        number, count, paths = part
        operation_id, title = f"{operation_id}-{number}", f"{title} ({number} of {count})"
    try:
        written = await session.step(
            PhaseImplementationActivities.implement,
            lambda common: PhaseImplementationInput(
                **common,
                phase_id=phase.id,
                template=template,
                plan=phase.plan,
                number=session.number_of(phase),
                paths=paths,
                missing=session.progress.missing,
                issues=issues,
                message_ids=phase.message_ids,
            ),
            session.operation(operation_id, "phase_implementation", title, phase.id),
            MODEL_STEP,
            state=("generating", f"Writing “{phase.plan.name}”."),
        )
    except Interrupted:
        await session.read_back(phase, operation_id)
        return False
    session.take_in(phase, written)
    phase.asked_for += [spec for spec in written.install if spec not in phase.asked_for]
    return True
