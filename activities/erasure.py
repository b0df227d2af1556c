"""The steps of deleting a session: its workflow, its workspace, what it published, its rows, its history; and of
deleting a user with all sessions."""

from contextlib import suppress
from typing import Final

from temporalio import activity
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.service import RPCError, RPCStatusCode

from activities.context import Rooms
from activities.publish import PublishActivities, hosting_failure
from sandbox.errors import HostingFailed
from schemas.erasure import EraseSession, EraseUser, SessionIds, Traces, WithdrawSite
from storage.erasure import Erasure
from storage.users import UserMissing, Users

AT_ONCE: Final = 10
"""How many sessions of a user are deleted side by side."""


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

    @activity.defn(name="refuse_user")
    async def refuse(self, given: EraseUser) -> None:
        """Let the user in nowhere any more."""
        with suppress(UserMissing):
            await Users(self._rooms.database).set_disabled(given.user_id, True)

    @activity.defn(name="sessions_of_user")
    async def sessions_of(self, given: EraseUser) -> SessionIds:
        """Some of the user's sessions, those that are put away too; none when there are no more."""
        rows = await self._rooms.database.pool.fetch(
            "SELECT id FROM sessions WHERE user_id = $1 ORDER BY id LIMIT $2", given.user_id, AT_ONCE
        )
        return SessionIds(ids=[row["id"] for row in rows])

    @activity.defn(name="erase_user")
    async def erase_user(self, given: EraseUser) -> None:
        """Delete the user from the database, first the key that opens the user's secrets. Fails while there are
        sessions of the user."""
        await self._rooms.vault.forget_user(given.user_id)
        await Erasure(self._rooms.database).user(given.user_id)

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
