"""Start, restart and stop a session's development server when people ask for it."""

from temporalio import activity

from activities.context import Rooms
from activities.step import running
from activities.workspace import sandbox_failure, workspace_of
from sandbox import PreviewFailed, SandboxError
from schemas.events import PreviewEvent
from schemas.operations import PreviewControlInput, PreviewControlResult
from schemas.session import Preview

STOPPED = "Stopped. It starts again when it is opened."


class PreviewControlActivities:
    """Run on the host that has the session's workspace."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    @activity.defn(name="control_preview")
    async def control(self, given: PreviewControlInput) -> PreviewControlResult:
        """Do what is asked for and say how the preview is then. One that does not come up is no failure of the step."""
        async with running(self._rooms, given) as step:
            url = self._rooms.preview_url(given.session_id)
            try:
                workspace = await workspace_of(self._rooms, given.session_id, given.template)
                if given.action != "start":
                    await workspace.stop_preview()
                if given.action == "stop":
                    preview = Preview(status="stopped", url=url, detail=STOPPED)
                else:
                    step.emit(PreviewEvent(preview=Preview(status="starting", url=url, detail="The preview starts.")))
                    await workspace.preview()
                    preview = Preview(status="ready", url=url)
            except PreviewFailed as error:
                preview = Preview(status="failed", url=url, detail=str(error))
            except SandboxError as error:
                raise sandbox_failure(error) from error
            seq, usage = await step.ended()
            return PreviewControlResult(last_seq=seq, usage=usage, preview=preview)
