"""Choose, install and mend the packages of a project."""

from typing import Literal

from temporalio import activity

from activities.context import Rooms
from activities.material import blueprint_of, gather, packages_of
from activities.model_call import complete_model
from activities.project_files import changes_of, file_ref
from activities.step import Step, running
from activities.workspace import REQUIREMENTS, may_heal, packages_file, sandbox_failure, workspace_of
from codegen.commands import find_install_commands
from codegen.prompts import render
from sandbox import SandboxError, Workspace
from schemas.blueprint import SetupCommands
from schemas.events import CommandEvent, FileGenerated
from schemas.inference import ActionKey
from schemas.operations import SetupInput, SetupPlanInput, SetupPlanResult, SetupResult
from schemas.session import FailedPackage

ATTEMPTS = 3  # at an install that fails, before it is looked for which package is the cause


class ProjectSetupActivities:
    """Prepares the project's dependencies."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    @activity.defn(name="plan_setup")
    async def plan(self, given: SetupPlanInput) -> SetupPlanResult:
        """Let a model propose install commands, and keep what is a plain package of them.

        It is not asked where the blueprint names no package that the template does not bring. A proposal that was made
        already is not paid for again.
        """
        async with running(self._rooms, given) as step:
            operations = self._rooms.operations
            begun = await operations.begin(given.session_id, step.id)
            if begun.result is not None:
                proposed = SetupCommands.model_validate_json(begun.result)
            else:
                proposed = await self._propose(step, given)
                await operations.finish(given.session_id, step.id, proposed.model_dump_json())
            install = self._plain(step, proposed)
            seq, usage = await step.ended()
            return SetupPlanResult(last_seq=seq, usage=usage, install=install)

    async def _propose(self, step: Step, given: SetupPlanInput) -> SetupCommands:
        material = await gather(self._rooms, given.session_id, given.template, [])
        blueprint = await blueprint_of(self._rooms, given.session_id)
        installed = packages_of(material.files)
        wanted = {_name(spec) for spec in blueprint.dependencies} if blueprint else set()
        if packages_file(material.files) is None or not (given.failed or wanted - installed):
            return SetupCommands()
        messages = render(
            "project_setup",
            template=material.template,
            request=material.request,
            blueprint=material.blueprint,
            installed=sorted(installed),
            failed=given.failed,
        )
        return await complete_model(step, ActionKey.PROJECT_SETUP, messages, SetupCommands)

    def _plain(self, step: Step, proposed: SetupCommands) -> list[str]:
        """The packages of the commands that are followed; of the others, watchers are told."""
        install: list[str] = []
        for line in proposed.commands:
            commands = find_install_commands(line)
            if not commands:
                step.emit(_command(step, line, "refused", "This is no install command."))
            for command in commands:
                if command.unsafe is not None:
                    sentence = f"“{command.unsafe}” names no package of the registry."
                    step.emit(_command(step, command.text, "refused", sentence))
                else:
                    install += [spec for spec in command.packages if spec not in install]
        return install

    @activity.defn(name="install_packages")
    async def install(self, given: SetupInput) -> SetupResult:
        """Install packages beside what is there and store the project's new package.json.

        When they do not install together, each is tried alone. One that is refused or unknown is reported; the work
        goes on without it.
        """
        async with running(self._rooms, given) as step:
            try:
                workspace = await workspace_of(self._rooms, step.line, given.template)
            except SandboxError as error:
                raise sandbox_failure(error) from error
            failed = await self._install(step, workspace, given.install)
            await store_packages(step, workspace, given.phase_id)
            files, _ = await changes_of(self._rooms, step.line, step.id)
            seq, usage = await step.ended()
            return SetupResult(last_seq=seq, usage=usage, files=files, failed=failed)

    async def _install(self, step: Step, workspace: Workspace, specs: list[str]) -> list[FailedPackage]:
        """Install what can be installed, and tell of the rest why it cannot."""
        tool = "uv pip install" if workspace.template.packages_file == REQUIREMENTS else "bun add"
        command = f"{tool} {' '.join(specs)}"
        step.emit(_command(step, command, "running"))
        try:
            await workspace.install(specs)
        except SandboxError as error:
            if may_heal(error) and step.attempt < ATTEMPTS:
                raise sandbox_failure(error) from error
            step.emit(_command(step, command, "failed" if may_heal(error) else "refused", str(error)))
            if len(specs) == 1:
                return [FailedPackage(package=specs[0], reason=str(error)[:500])]
        else:
            step.emit(_command(step, command, "done"))
            return []
        return [failed for spec in specs for failed in await self._install(step, workspace, [spec])]


def _command(
    step: Step, command: str, status: Literal["running", "done", "failed", "refused"], output: str = ""
) -> CommandEvent:
    return CommandEvent(operation_id=step.id, command=command[:500], status=status, output=output)


def _name(spec: str) -> str:
    """The package of a spec such as `@scope/name@^1.2`."""
    return spec[:1] + spec[1:].partition("@")[0]


async def store_packages(step: Step, workspace: Workspace, phase_id: str | None) -> None:
    """Keep the file of packages that an install wrote as a version of the project, if it changed."""
    files = await step.rooms.files.contents(step.line)
    named = packages_file(files)
    if named is not None and (content := await workspace.read(named)) != files[named]:
        await step.rooms.files.close_file(
            step.writer,
            named,
            content,
            author="model",
            reason="Installed packages",
            phase_id=phase_id,
            announce=lambda version: FileGenerated(operation_id=step.id, file=file_ref(version)),
            line=step.given.line,
        )
