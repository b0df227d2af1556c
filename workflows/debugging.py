"""The deep debugger: called when repairs did not help, or when somebody asks for it; once per request of a user."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.deep_debugger import DeepDebuggerActivities
    from schemas.blueprint import PhasePlan
    from schemas.session import PhaseProgress, QueuedMessage
    from schemas.tool_turns import DebugInput
    from workflows.options import DEBUG_STEP
    from workflows.project import check, template_of
    from workflows.steps import Interrupted, Session

FIRST_REQUEST = "request"


def request_of(phase: PhaseProgress) -> str:
    """What the debugger is called for once: the request that the phase carries out."""
    return phase.message_ids[0] if phase.message_ids else FIRST_REQUEST


async def debug(session: Session, phase: PhaseProgress, template: str) -> bool:
    """Let the debugger look into what the last checks found, for the request that `phase` carries out. False when it
    has done so for this request before."""
    key = request_of(phase)
    if key in session.progress.debugged:
        return False
    session.progress.debugged.append(key)
    phase.status = "fixing"
    session.show_phase(phase)
    operation = session.operation(f"{phase.id}/debug/{key}", "deep_debugger", "Looking for the cause", phase.id)
    try:
        found = await session.step(
            DeepDebuggerActivities.debug,
            lambda common: DebugInput(
                **common,
                template=template,
                phase_id=phase.id,
                issues=phase.checks.issues if phase.checks else [],
                message_ids=phase.message_ids,
            ),
            operation,
            DEBUG_STEP,
            state=("reviewing", "The debugger looks for the cause of what is wrong."),
        )
    except Interrupted:
        await session.read_back(phase, operation.id)
        return True
    session.take_in(phase, found)
    return True


async def debug_for(session: Session, message: QueuedMessage) -> None:
    """Look into what a user says is wrong, as a phase of its own, and check what came of it."""
    before = session.progress.phases[-1] if session.progress.phases else None
    plan = PhasePlan(name=f"Looking into: {message.text[:60]}", last=before.plan.last if before else False)
    phase = session.add_phase(plan, [message])
    phase.started_at, phase.checks = workflow.now(), before.checks if before else None
    await debug(session, phase, template_of(session))
    await check(session, phase, template_of(session))
    session.complete_phase(phase)
