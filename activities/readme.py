"""Write the README of the generated application."""

from temporalio import activity

from activities.context import Rooms
from activities.material import blueprint_of, gather
from activities.model_call import complete_model
from activities.project_files import ProjectFiles, changes_of
from activities.step import running
from codegen.prompts import render
from codegen.readme import PATH, compose
from schemas.blueprint import ReadmeWords
from schemas.inference import ActionKey
from schemas.operations import FilesResult, ReadmeInput


class ReadmeActivities:
    """Describes the application to whoever gets its files."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    @activity.defn(name="write_readme")
    async def write(self, given: ReadmeInput) -> FilesResult:
        """Write the README anew for the application as it stands. One that a person wrote stays as it is, and one that
        this step wrote before is not paid for again."""
        async with running(self._rooms, given) as step:
            current = {file.path: file for file in await self._rooms.files.current(given.session_id)}
            files, _ = await changes_of(self._rooms, given.session_id, step.id)
            if not files and (PATH not in current or current[PATH].author != "user"):
                material = await gather(self._rooms, given.session_id, given.template, [])
                blueprint = await blueprint_of(self._rooms, given.session_id)
                messages = render(
                    "readme",
                    template=material.template,
                    request=material.request,
                    blueprint=material.blueprint,
                    phases=given.phases,
                    paths=sorted(material.files),
                )
                words = await complete_model(step, ActionKey.README, messages, ReadmeWords)
                session = await self._rooms.sessions.get(given.session_id)
                title = blueprint.title if blueprint else session.title or material.template.title
                text = compose(title, words, material.template.project_type, material.files)
                readme = ProjectFiles(
                    step, given.template, phase_id=given.phase_id, reason="Describe the application", author="model"
                )
                await readme.write(PATH, text)
                files, _ = await changes_of(self._rooms, given.session_id, step.id)
            seq, usage = await step.ended()
            return FilesResult(last_seq=seq, usage=usage, files=files)
