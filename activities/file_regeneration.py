"""Repair one file: by edits of the places that are wrong, as a whole where that does not work, never to its harm."""

from temporalio import activity

from activities.context import Rooms
from activities.edit_retry import ask, complete_edit
from activities.material import describe, gather
from activities.project_files import ProjectFiles, changes_of
from activities.step import Step, running
from codegen.edits import read_edits
from codegen.prompts import render
from schemas.checks import Issue
from schemas.events import ErrorEvent
from schemas.inference import ActionKey
from schemas.operations import FilesResult
from schemas.review import RegenerationInput

CONTEXT_TOKENS = 24_000  # of project files beside the one under repair, in each of several calls at once
UNCHANGED = "NO CHANGE:"


class FileRegenerationActivities:
    """Repairs single files, several of them side by side."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    @activity.defn(name="regenerate_file")
    async def regenerate(self, given: RegenerationInput) -> FilesResult:
        """Change one file so that its issues are gone. A later attempt finds it changed and asks nobody."""
        async with running(self._rooms, given) as step:
            files, _ = await changes_of(self._rooms, given.session_id, step.id)
            install: list[str] = []
            if not files:
                install = await self._repair(step, given)
                files, _ = await changes_of(self._rooms, given.session_id, step.id)
            seq, usage = await step.ended()
            return FilesResult(last_seq=seq, usage=usage, files=files, install=install)

    async def _repair(self, step: Step, given: RegenerationInput) -> list[str]:
        try:
            return await regenerate_file(
                step, template=given.template, phase_id=given.phase_id, path=given.path, issues=given.issues
            )
        except ValueError as error:
            step.emit(
                ErrorEvent(
                    operation_id=step.id,
                    code="edit_failed",
                    sentence=f"{given.path} stays as it is: its repair could not be used. {error}"[:1000],
                    next_action="Nothing to do: the checks that follow see what is still wrong.",
                )
            )
            return []


async def regenerate_file(step: Step, *, template: str, phase_id: str, path: str, issues: list[Issue]) -> list[str]:
    """Ask for the repair of `path` and store it, if it is one. Returns the packages that it needs.

    Raises ValueError where the file stays as it is: for a path that the project must not have or that is protected, for
    a repair that does not fit or would make it worse (EditFailed), and where the user has switched repairs off.
    """
    if not (await step.model_access()).enabled(ActionKey.FILE_REGENERATION):
        raise ValueError("Repairs of single files are switched off in your settings.")
    material = await gather(step.rooms, step.session_id, template, [path], tokens=CONTEXT_TOKENS)
    reason = "; ".join(issue.message for issue in issues)[:300] or "Regenerated"
    project = ProjectFiles(step, template, phase_id=phase_id, reason=reason, author="fix", seen=material.files)
    if project.protects(path):
        raise ValueError(f"{path} belongs to the template and cannot be changed.")
    own = {path: material.files[path]} if path in material.files else {}
    messages = render(
        "file_regeneration",
        template=material.template,
        files=material.shown | own,
        omitted=[other for other in material.omitted if other != path],
        path=path,
        issues=describe(issues),
        phase_id=phase_id,
    )
    answer = await ask(step, ActionKey.FILE_REGENERATION, messages, 0)
    edited = read_edits(answer, path, material.files)
    if edited.applied or (UNCHANGED not in answer and not edited.install):
        text = await complete_edit(step, ActionKey.FILE_REGENERATION, path, edited, material.files, call_number=1)
        if text != material.files.get(path):
            await project.write(path, text)
    return list(edited.install)
