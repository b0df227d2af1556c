"""The schedule in Temporal by which what is old is put away or deleted, with the rules of this installation."""

from datetime import timedelta
from typing import Final

import structlog
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleState,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError

from schemas.retention import RetentionRules
from workflows.names import RETENTION_WORKFLOW, WORKFLOW_QUEUE

SCHEDULE: Final = "stich-retention"
EVERY: Final = timedelta(hours=1)
JITTER: Final = timedelta(minutes=10)
"""Installations that share a Temporal do not all begin at the full hour."""
RPC_TIME: Final = timedelta(seconds=5)
NOTE: Final = "Puts old sessions away and deletes old rows, by STICH_RETENTION. A worker that starts sets the rules."

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


async def keep_schedule(client: Client, rules: RetentionRules) -> None:
    """See that the schedule is there and carries these rules. One that an operator has paused stays paused.

    Without the right to make schedules a worker works all the same; the log says so.
    """
    try:
        try:
            await client.create_schedule(SCHEDULE, _schedule(rules), rpc_timeout=RPC_TIME)
        except ScheduleAlreadyRunningError:
            await client.get_schedule_handle(SCHEDULE).update(
                lambda given: ScheduleUpdate(schedule=_changed(given, rules)), rpc_timeout=RPC_TIME
            )
    except (RPCError, RuntimeError) as error:
        log.warning("the retention schedule could not be set", error=f"{type(error).__name__}: {error}"[:200])


def _schedule(rules: RetentionRules, state: ScheduleState | None = None) -> Schedule:
    return Schedule(
        action=ScheduleActionStartWorkflow(
            RETENTION_WORKFLOW, rules, id="retention", task_queue=WORKFLOW_QUEUE, execution_timeout=timedelta(days=1)
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=EVERY)], jitter=JITTER),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=EVERY),
        state=state or ScheduleState(note=NOTE),
    )


def _changed(given: ScheduleUpdateInput, rules: RetentionRules) -> Schedule:
    return _schedule(rules, given.description.schedule.state)
