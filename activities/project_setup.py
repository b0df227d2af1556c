"""Install the packages that a plan asks for."""

from temporalio import activity

from activities.context import Rooms
from activities.step import running
from activities.workspace import may_heal, sandbox_failure, workspace_of
from sandbox import SandboxError
from schemas.events import CommandEvent
from schemas.operations import SetupInput, SetupResult


class ProjectSetupActivities:
    """Prepares the project's dependencies."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    @activity.defn(name="install_packages")
    async def install(self, given: SetupInput) -> SetupResult:
        """Install package specs beside what is there. One that is refused or unknown does not stop the others."""
        async with running(self._rooms, given) as step:
            workspace = await workspace_of(step, given.template, given.dependencies)
            refused: list[str] = []
            dependencies = given.dependencies
            command = f"bun add {' '.join(given.install)}"
            step.emit(CommandEvent(operation_id=step.id, command=command, status="running"))
            try:
                dependencies = await workspace.install(given.install)
                step.emit(CommandEvent(operation_id=step.id, command=command, status="done"))
            except SandboxError as error:
                if may_heal(error):
                    raise sandbox_failure(error) from error
                refused = given.install
                step.emit(CommandEvent(operation_id=step.id, command=command, status="refused", output=str(error)))
            seq, usage = await step.ended()
            return SetupResult(last_seq=seq, usage=usage, dependencies=dependencies, refused=refused)
