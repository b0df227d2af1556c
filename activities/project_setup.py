"""Install the packages that a plan asks for."""

from temporalio import activity

from activities.context import Rooms
from activities.project_files import changes_of, file_ref
from activities.step import Step, running
from activities.workspace import PACKAGES, may_heal, sandbox_failure, workspace_of
from sandbox import SandboxError, Workspace
from schemas.events import CommandEvent, FileGenerated
from schemas.operations import FilesResult, SetupInput


class ProjectSetupActivities:
    """Prepares the project's dependencies."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    @activity.defn(name="install_packages")
    async def install(self, given: SetupInput) -> FilesResult:
        """Install packages beside what is there and store the project's new package.json.

        A package that is refused or unknown is reported to watchers; the work goes on without it, and the checks tell
        whether it is missed.
        """
        async with running(self._rooms, given) as step:
            command = f"bun add {' '.join(given.install)}"
            step.emit(CommandEvent(operation_id=step.id, command=command, status="running"))
            try:
                workspace = await workspace_of(self._rooms, given.session_id, given.template)
                await workspace.install(given.install)
                await store_packages(step, workspace, given.phase_id)
                step.emit(CommandEvent(operation_id=step.id, command=command, status="done"))
            except SandboxError as error:
                if may_heal(error) and step.attempt < 3:
                    raise sandbox_failure(error) from error
                step.emit(CommandEvent(operation_id=step.id, command=command, status="refused", output=str(error)))
            files, _ = await changes_of(self._rooms, given.session_id, step.id)
            seq, usage = await step.ended()
            return FilesResult(last_seq=seq, usage=usage, files=files)


async def store_packages(step: Step, workspace: Workspace, phase_id: str | None) -> None:
    """Keep the package.json that an install wrote as a version of the project, if it changed."""
    stored = (await step.rooms.files.contents(step.session_id)).get(PACKAGES)
    if stored is not None and (content := await workspace.read(PACKAGES)) != stored:
        await step.rooms.files.close_file(
            step.writer,
            PACKAGES,
            content,
            author="model",
            reason="Installed packages",
            phase_id=phase_id,
            announce=lambda version: FileGenerated(operation_id=step.id, file=file_ref(version)),
        )
