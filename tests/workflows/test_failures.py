"""What a failed activity means to the session that waited for it."""

from temporalio.exceptions import ActivityError, ApplicationError, RetryState, TimeoutError, TimeoutType

from workflows.failures import failure_of


def failed(cause: BaseException) -> ActivityError:
    error = ActivityError(
        "activity failed",
        scheduled_event_id=1,
        started_event_id=2,
        identity="",
        activity_type="implement_phase",
        activity_id="1",
        retry_state=RetryState.MAXIMUM_ATTEMPTS_REACHED,
    )
    error.__cause__ = cause
    return error


def test_a_lost_worker_is_told_from_a_step_that_takes_too_long() -> None:
    lost = failed(TimeoutError("heartbeat", type=TimeoutType.HEARTBEAT, last_heartbeat_details=[]))
    slow = failed(TimeoutError("too long", type=TimeoutType.START_TO_CLOSE, last_heartbeat_details=[]))
    assert failure_of(lost).code == "worker_lost"
    assert failure_of(slow).code == "too_slow"


def test_a_failure_arrives_as_the_activity_told_it() -> None:
    told = {"code": "rate_limited", "sentence": "Too much.", "next_action": "Wait.", "retry_after": 90.0}
    failure = failure_of(failed(ApplicationError("x", told, type="RateLimited")))
    assert (failure.code, failure.sentence, failure.retry_after) == ("rate_limited", "Too much.", 90.0)
    assert failure_of(failed(ApplicationError("ValueError: odd"))).code == "internal_error"
