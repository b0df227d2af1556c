"""The steps of deleting a session: its workflow, its workspace, what it published, its rows, its history."""

from temporalio import activity
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.service import RPCError, RPCStatusCode

from activities.context import Rooms
from activities.publish import PublishActivities, hosting_failure
from sandbox.errors import HostingFailed
from schemas.erasure import EraseSession, Traces, WithdrawSite
from storage.erasure import Erasure


class ErasureActivities:
    """Each may run again after any break."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    @activity.defn(name="end_session")
    async def end(self, given: EraseSession) -> Traces:
        """End the session's workflow; what it left outside of the database."""
        await self._unless_gone(given.session_id, delete=False)
        stored = await self._rooms.sessions.load_progress(given.session_id)
        if stored is None:
            return Traces()
        live = {each.target for each in stored.progress.deployments if each.status == "live"}
        return Traces(host=stored.progress.host, targets=sorted(live))

    @activity.defn(name="withdraw_site")
    async def withdraw(self, given: WithdrawSite) -> None:
        """Take what the session published at a target from the net."""
        try:
            publisher = await PublishActivities(self._rooms).publisher(given.user_id, given.target)
            await publisher.withdraw(given.session_id)
        except HostingFailed as error:
            raise hosting_failure(error) from error

    @activity.defn(name="remove_workspace")
    async def remove_workspace(self, given: EraseSession) -> None:
        """Delete the session's files from this machine."""
        await self._rooms.sandbox.remove(given.session_id)

    @activity.defn(name="erase_session")
    async def erase(self, given: EraseSession) -> None:
        """Delete the session from the database."""
        await Erasure(self._rooms.database).session(given.session_id)

    @activity.defn(name="erase_history")
    async def erase_history(self, given: EraseSession) -> None:
        """Delete the session's workflow from Temporal."""
        await self._unless_gone(given.session_id, delete=True)

    async def _unless_gone(self, session_id: str, *, delete: bool) -> None:
        client = activity.client()
        try:
            if delete:
                await client.workflow_service.delete_workflow_execution(
                    DeleteWorkflowExecutionRequest(
                        namespace=client.namespace, workflow_execution=WorkflowExecution(workflow_id=session_id)
                    )
                )
            else:
                await client.get_workflow_handle(session_id).terminate("The session is deleted.")
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
