"""The workflows `EraseSession` and `EraseUser`: everything of a session, or of a person, is deleted, whatever breaks
meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, WorkflowAlreadyStartedError

with workflow.unsafe.imports_passed_through():
    from activities.erasure import ErasureActivities
    from schemas.erasure import EraseSession, EraseUser, SessionIds, Traces, WithdrawSite
    from workflows.names import ERASE_USER_WORKFLOW, ERASE_WORKFLOW, SANDBOX_QUEUE, WORKFLOW_QUEUE, host_queue

LAST_WORDS = timedelta(seconds=8)
"""How long steps of a session that was ended may still write: they hear of it with their next heartbeat."""
MINUTE = timedelta(minutes=1)
FIVE_MINUTES = timedelta(minutes=5)
UNTIL_DONE = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=MINUTE)
DELETED_ALREADY = timedelta(seconds=20)
"""How long to wait where the deletion of a session is under way by somebody's word."""
A_FEW_TIMES = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_attempts=5)

Result = TypeVar("Result")


@workflow.defn(name=ERASE_WORKFLOW)
class EraseSessionWorkflow:
    """Ends the session's workflow first, then deletes its rows at once, so that nobody sees it any more; withdraws what
    it published and removes its workspace; deletes what was still written meanwhile; and at last its history."""

    @workflow.run
    async def run(self, given: EraseSession) -> list[str]:
        """Returns what could not be undone, in plain words: what is published elsewhere may need its owner's hand."""
        traces: Traces = await workflow.execute_activity_method(
            ErasureActivities.end,
            given,
            task_queue=WORKFLOW_QUEUE,
            start_to_close_timeout=MINUTE,
            retry_policy=UNTIL_DONE,
        )
        await self._erase(given)
        left = []
        for target in traces.targets:
            try:
                await workflow.execute_activity_method(
                    ErasureActivities.withdraw,
                    WithdrawSite(session_id=given.session_id, user_id=given.user_id, target=target),
                    task_queue=WORKFLOW_QUEUE,
                    start_to_close_timeout=MINUTE,
                    retry_policy=A_FEW_TIMES,
                )
            except ActivityError:
                left.append(f"What is published at {target} could not be withdrawn.")
        with suppress(ActivityError):  # a host that is gone took the workspace with it
            await workflow.execute_activity_method(
                ErasureActivities.remove_workspace,
                given,
                task_queue=host_queue(traces.host) if traces.host else SANDBOX_QUEUE,
                schedule_to_start_timeout=MINUTE,
                start_to_close_timeout=MINUTE,
                retry_policy=A_FEW_TIMES,
            )
        await workflow.sleep(LAST_WORDS)
        await self._erase(given)
        await workflow.execute_activity_method(
            ErasureActivities.erase_history,
            given,
            task_queue=WORKFLOW_QUEUE,
            start_to_close_timeout=MINUTE,
            retry_policy=UNTIL_DONE,
        )
        return left

    async def _erase(self, given: EraseSession) -> None:
        await workflow.execute_activity_method(
            ErasureActivities.erase,
            given,
            task_queue=WORKFLOW_QUEUE,
            start_to_close_timeout=MINUTE,
            retry_policy=UNTIL_DONE,
        )


@workflow.defn(name=ERASE_USER_WORKFLOW)
class EraseUserWorkflow:
    """Lets the user in nowhere any more, deletes every session as `EraseSession` does, then the user."""

    @workflow.run
    async def run(self, given: EraseUser) -> list[str]:
        """Returns what could not be undone, in plain words."""
        await self._do(ErasureActivities.refuse, given)
        left: list[str] = []
        while True:
            sessions: SessionIds = await self._do(ErasureActivities.sessions_of, given)
            if not sessions.ids:
                break
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(given)
            for each in await asyncio.gather(*(self._erase_session(name, given.user_id) for name in sessions.ids)):
                left += each
        await self._do(ErasureActivities.erase_user, given)
        return left

    async def _erase_session(self, session_id: str, user_id: str) -> list[str]:
        try:
            left: list[str] = await workflow.execute_child_workflow(
                ERASE_WORKFLOW,
                EraseSession(session_id=session_id, user_id=user_id),
                id=f"erase-{session_id}",
                task_queue=WORKFLOW_QUEUE,
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
            )
        except WorkflowAlreadyStartedError:
            await workflow.sleep(DELETED_ALREADY)
            return []
        return left

    async def _do(self, step: Callable[..., Awaitable[Result]], given: EraseUser) -> Result:
        return await workflow.execute_activity_method(
            step,
            given,
            task_queue=WORKFLOW_QUEUE,
            start_to_close_timeout=FIVE_MINUTES,
            retry_policy=UNTIL_DONE,
        )
