"""Write the files of a phase, each stored and shown as soon as it is complete."""

from temporalio import activity

from activities.context import Rooms
from activities.file_stream import FileStream
from activities.images import pictures, with_images
from activities.material import describe, gather, message_texts
from activities.project_files import changes_of
from activities.step import running
from codegen.prompts import render
from schemas.inference import ActionKey, Message
from schemas.operations import FilesResult, PhaseImplementationInput
from storage.images import PROMPT
from storage.lines import Lines


class PhaseImplementationActivities:
    """Implements phases."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    @activity.defn(name="implement_phase")
    async def implement(self, given: PhaseImplementationInput) -> FilesResult:
        """Write the phase's files. A repeated attempt goes on with those that are not stored yet."""
        async with running(self._rooms, given) as step:
            plan = given.plan
            if given.line is not None:
                await Lines(self._rooms.database).begin(given.session_id, given.line)
            planned = [file.path for file in plan.files]
            mine = planned if given.paths is None else given.paths
            others = [path for path in planned if path not in mine]
            material = await gather(self._rooms, given.session_id, given.template, planned, step.line)
            first = given.number == 1
            action = ActionKey.FIRST_PHASE_IMPLEMENTATION if first else ActionKey.PHASE_IMPLEMENTATION
            shown = await pictures(step, action, [PROMPT, *given.message_ids])
            messages = await message_texts(self._rooms, given.session_id, given.message_ids)

            def prompt(already_written: list[str], contents: dict[str, str]) -> tuple[Message, ...]:
                told = render(
                    "phase_implementation",
                    template=material.template,
                    request=material.request,
                    blueprint=material.blueprint,
                    files=material.shown | {path: contents[path] for path in already_written},
                    omitted=material.omitted,
                    issues=describe(given.issues),
                    missing=given.missing,
                    messages=messages,
                    phase_id=given.phase_id,
                    plan=plan.model_dump_json(indent=1),
                    candidate=given.candidate,
                    write_only=mine if others else [],
                    already_written=already_written,
                )
                return with_images(told, shown)

            stream = FileStream(
                step, action, phase_id=given.phase_id, reason=plan.name, author="model", material=material, repair=True
            )
            await stream.run(prompt, planned=mine, meanwhile=others)
            await stream.files.delete(plan.deletes)
            files, deleted = await changes_of(self._rooms, step.line, step.id)
            seq, usage = await step.ended()
            return FilesResult(last_seq=seq, usage=usage, files=files, deleted=deleted, install=stream.install)
