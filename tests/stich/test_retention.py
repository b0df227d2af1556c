"""The schedule that ends what is old, on a real Temporal: made once, changed by later workers, run."""

import asyncio
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from unittest import mock

from temporalio.client import Client, ScheduleActionStartWorkflow, ScheduleHandle, ScheduleOverlapPolicy
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.erasure import ErasureActivities
from activities.retention import RetentionActivities
from schemas.retention import RetentionRules
from stich.retention import EVERY, JITTER, SCHEDULE, keep_schedule
from storage.database import Database
from storage.sessions import Sessions
from workflows.housekeeping import EraseSessionWorkflow
from workflows.names import SANDBOX_QUEUE, WORKFLOW_QUEUE
from workflows.retention import RetentionWorkflow


async def started_by(handle: ScheduleHandle) -> str:
    """The workflow that the schedule started."""
    for _ in range(300):
        if actions := (await handle.describe()).info.recent_actions:
            started: Any = actions[0].action
            return str(started.workflow_id)
        await asyncio.sleep(0.1)
    raise AssertionError("the schedule started nothing")


async def result_of(temporal: Client, workflow_id: str) -> dict[str, int]:
    result: dict[str, int] = await temporal.get_workflow_handle(workflow_id, result_type=dict[str, int]).result()
    return result


async def test_the_schedule_is_made_once_and_carries_the_rules(database: Database, temporal: Client) -> None:
    await database.pool.execute("INSERT INTO rate_limits VALUES ('calls:who', now() - interval '1 day')")
    await database.pool.execute(
        """INSERT INTO sessions (id, user_id, prompt, mode, state, updated_at, state_since, archived_at)
           SELECT 'aged-' || n, 'who', 'p', 'smart', 'completed', t, t, CASE WHEN n > 1 THEN t END
           FROM generate_series(1, 4) n, (SELECT now() - interval '50 days' AS t) t"""
    )
    await asyncio.gather(*(keep_schedule(temporal, RetentionRules()) for _ in range(3)))
    handle = temporal.get_schedule_handle(SCHEDULE)
    try:
        await handle.pause(note="legal hold")
        await keep_schedule(temporal, RetentionRules(archive_sessions=40, delete_sessions=40))
        schedule = (await handle.describe()).schedule
        assert schedule.state.paused and schedule.state.note == "legal hold"
        assert schedule.policy.overlap is ScheduleOverlapPolicy.SKIP
        assert (schedule.spec.intervals[0].every, schedule.spec.jitter) == (EVERY, JITTER)
        assert isinstance(schedule.action, ScheduleActionStartWorkflow) and schedule.action.workflow == "Retention"

        rooms: Any = SimpleNamespace(
            database=database, sessions=Sessions(database), sandbox=SimpleNamespace(remove=mock.AsyncMock())
        )
        acts, erasing = RetentionActivities(rooms), ErasureActivities(rooms)
        steps = [acts.archive, acts.expired, acts.forget, erasing.end, erasing.erase, erasing.erase_history]
        with mock.patch("workflows.housekeeping.LAST_WORDS", timedelta(milliseconds=10)):
            async with (
                Worker(
                    temporal,
                    task_queue=WORKFLOW_QUEUE,
                    workflows=[RetentionWorkflow, EraseSessionWorkflow],
                    activities=steps,
                    workflow_runner=UnsandboxedWorkflowRunner(),
                ),
                Worker(temporal, task_queue=SANDBOX_QUEUE, activities=[erasing.remove_workspace]),
            ):
                await handle.trigger()
                result = await result_of(temporal, await started_by(handle))
    finally:
        await handle.delete()
    assert result == {"archived": 1, "rate_limits": 1, "deleted sessions": 3}
    rows = await database.pool.fetch("SELECT id FROM sessions")
    assert [row["id"] for row in rows] == ["aged-1"]
