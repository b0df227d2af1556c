"""The preview as people steer it, beside the session's work."""

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.preview_control import PreviewControlActivities
    from schemas.failures import Failure
    from schemas.operations import PreviewControlInput
    from schemas.previews import PreviewAction, PreviewControl
    from schemas.session import Preview
    from workflows.options import SANDBOX_STEP
    from workflows.steps import Session

TITLES: dict[PreviewAction, str] = {
    "start": "Starting the preview",
    "restart": "Restarting the preview",
    "stop": "Stopping the preview",
}


def check_preview(session: Session) -> None:
    """Refuse while there is nothing to be shown. Raises ApplicationError."""
    if session.progress.template is None or not session.progress.files:
        raise ApplicationError("There is nothing to show yet.", type="nothing_to_show")


async def control_preview(session: Session, asked: PreviewControl) -> Preview:
    """Start, restart or stop the development server. Raises ApplicationError when that could not be done."""
    template = session.progress.template
    assert template is not None, "the validator has seen it"
    operation_id = f"preview-{asked.action}-{session.executions + 1}"
    outcome = await session.attempt(
        PreviewControlActivities.control,
        lambda common: PreviewControlInput(**common, template=template, action=asked.action),
        session.operation(operation_id, "preview", TITLES[asked.action]),
        SANDBOX_STEP,
    )
    session.settle(operation_id)
    if outcome is None:
        raise ApplicationError("It was stopped.", type="stopped")
    if isinstance(outcome, Failure):
        raise ApplicationError(outcome.explanation, type=outcome.code)
    session.show_preview(outcome.preview)
    return outcome.preview
