"""How long each kind of step may take, how it is retried, and where it runs."""

from datetime import timedelta
from typing import Any, Final, NotRequired, TypedDict

from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityCancellationType

from workflows.names import INFERENCE_QUEUE, SANDBOX_QUEUE, WORKFLOW_QUEUE

# How long a dead worker goes unnoticed. Six beats: only a process that is gone or frozen misses them all.
HEARTBEAT: Final = timedelta(seconds=3)

# Five attempts: the attempt number also walks the model's route, so each may go to another provider.
MODEL_RETRY: Final = RetryPolicy(
    initial_interval=timedelta(seconds=0.5),
    backoff_coefficient=2,
    maximum_interval=timedelta(seconds=10),
    maximum_attempts=5,
)
# The sandbox's and the database's faults heal by themselves or not at all.
ROOM_RETRY: Final = RetryPolicy(
    initial_interval=timedelta(seconds=0.5),
    backoff_coefficient=2,
    maximum_interval=timedelta(seconds=10),
    maximum_attempts=8,
)
# Writing down what happened is never given up.
RECORD_RETRY: Final = RetryPolicy(initial_interval=timedelta(seconds=0.2), maximum_interval=timedelta(seconds=5))


class StepOptions(TypedDict):
    """Keyword arguments of `workflow.start_activity`."""

    task_queue: str
    start_to_close_timeout: timedelta
    heartbeat_timeout: timedelta
    retry_policy: RetryPolicy
    cancellation_type: ActivityCancellationType
    schedule_to_start_timeout: NotRequired[timedelta]


def _step(queue: str, minutes: float, retry: RetryPolicy) -> StepOptions:
    return StepOptions(
        task_queue=queue,
        start_to_close_timeout=timedelta(minutes=minutes),
        heartbeat_timeout=HEARTBEAT,
        retry_policy=retry,
        # The next step starts only when the cancelled one has put its house in order.
        cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    )


MODEL_STEP: Final = _step(INFERENCE_QUEUE, 20, MODEL_RETRY)
DEBUG_STEP: Final = _step(INFERENCE_QUEUE, 60, MODEL_RETRY)
SANDBOX_STEP: Final = _step(SANDBOX_QUEUE, 5, ROOM_RETRY)
PUBLISH_STEP: Final = _step(SANDBOX_QUEUE, 15, ROOM_RETRY)
SESSION_STEP: Final = _step(WORKFLOW_QUEUE, 1, ROOM_RETRY)

# Asked again and again while a step waits for a free sandbox.
QUEUE_POSITION: Final[dict[str, Any]] = {
    "task_queue": WORKFLOW_QUEUE,
    "start_to_close_timeout": timedelta(hours=1),
    "heartbeat_timeout": HEARTBEAT,
    "retry_policy": RECORD_RETRY,
    "summary": "Looking at the line for a free sandbox",
}

RECORD: Final[dict[str, Any]] = {
    "task_queue": WORKFLOW_QUEUE,
    "start_to_close_timeout": timedelta(seconds=20),
    "retry_policy": RECORD_RETRY,
    "summary": "Writing down what happened",
}
