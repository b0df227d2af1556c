"""The workflow `EraseSession`: a session and everything of it is deleted, whatever breaks meanwhile."""

from contextlib import suppress
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.erasure import ErasureActivities
    from schemas.erasure import EraseSession, Traces, WithdrawSite
    from workflows.names import ERASE_WORKFLOW, SANDBOX_QUEUE, WORKFLOW_QUEUE, host_queue

LAST_WORDS = timedelta(seconds=8)
"""How long steps of a session that was ended may still write: they hear of it with their next heartbeat."""
MINUTE = timedelta(minutes=1)
UNTIL_DONE = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=MINUTE)
A_FEW_TIMES = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_attempts=5)


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
