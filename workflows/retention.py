"""The workflow `Retention`, which a schedule starts: what is old is put away or deleted, by the operator's rules."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ChildWorkflowError, WorkflowAlreadyStartedError

with workflow.unsafe.imports_passed_through():
    from activities.retention import RetentionActivities
    from schemas.erasure import EraseSession
    from schemas.retention import Forgotten, OldSession, OldSessions, RetentionRules
    from workflows.names import ERASE_WORKFLOW, RETENTION_WORKFLOW, WORKFLOW_QUEUE

HOUR = timedelta(hours=1)
BATCH_TIME = timedelta(minutes=1)
"""A batch that takes longer is given up and tried again."""
A_FEW_TIMES = RetryPolicy(initial_interval=timedelta(seconds=2), maximum_interval=BATCH_TIME, maximum_attempts=10)
DELETED_ALREADY = timedelta(seconds=20)
"""How long to wait where the deletion of a session is under way by somebody's word."""

Result = TypeVar("Result")


@workflow.defn(name=RETENTION_WORKFLOW)
class RetentionWorkflow:
    """One round. What fails is tried again in the next one."""

    @workflow.run
    async def run(self, rules: RetentionRules) -> dict[str, int]:
        """Returns what was done, by kind."""
        archived: Forgotten = await self._do(RetentionActivities.archive, rules)
        rows: Forgotten = await self._do(RetentionActivities.forget, rules)
        deleted = 0
        while True:
            old: OldSessions = await self._do(RetentionActivities.expired, rules)
            if not old.sessions or workflow.info().is_continue_as_new_suggested():
                break
            await asyncio.gather(*map(self._erase, old.sessions))
            deleted += len(old.sessions)
        return archived.counts | rows.counts | ({"deleted sessions": deleted} if deleted else {})

    async def _erase(self, session: OldSession) -> None:
        try:
            with suppress(ChildWorkflowError):  # somebody ended it by hand; the next round tries again
                await workflow.execute_child_workflow(
                    ERASE_WORKFLOW,
                    EraseSession(session_id=session.id, user_id=session.user_id),
                    id=f"erase-{session.id}",
                    task_queue=WORKFLOW_QUEUE,
                    parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                )
        except WorkflowAlreadyStartedError:
            await workflow.sleep(DELETED_ALREADY)

    async def _do(self, step: Callable[..., Awaitable[Result]], rules: RetentionRules) -> Result:
        return await workflow.execute_activity_method(
            step,
            rules,
            task_queue=WORKFLOW_QUEUE,
            start_to_close_timeout=HOUR,
            heartbeat_timeout=BATCH_TIME,
            retry_policy=A_FEW_TIMES,
        )
