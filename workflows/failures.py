"""What becomes of the failure of an activity: a sentence that people understand, and whether another way is taken."""

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, TimeoutType
from temporalio.exceptions import TimeoutError as ActivityTimeout

with workflow.unsafe.imports_passed_through():
    from schemas.failures import Failure
    from workflows.placing import HOST_GONE


def failure_of(error: ActivityError) -> Failure:
    """What a failed activity said, in plain words, whatever kind of failure it was."""
    cause = error.cause
    if isinstance(cause, ApplicationError):
        if cause.details and isinstance(cause.details[0], dict) and "sentence" in cause.details[0]:
            return Failure.model_validate(cause.details[0])
        return Failure(code="internal_error", sentence="A step failed unexpectedly.", detail=cause.message[:500])
    if isinstance(cause, ActivityTimeout) and cause.type is TimeoutType.SCHEDULE_TO_START:
        return Failure(code=HOST_GONE, sentence="The machine that has the workspace does not answer.")
    if isinstance(cause, ActivityTimeout) and cause.type is not TimeoutType.HEARTBEAT:
        return Failure(code="too_slow", sentence="This step took longer than it may.")
    return Failure(code="worker_lost", sentence="The worker that ran this step was lost, time and again.")
