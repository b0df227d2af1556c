"""Repair the files in which checks found problems, all of them in one call."""

from temporalio import activity

from activities.context import Rooms
from activities.file_stream import FileStream
from activities.material import describe, gather
from activities.project_files import changes_of
from activities.step import running
from codegen.prompts import render
from schemas.inference import ActionKey, Message
from schemas.operations import FilesResult, FixInput


class CodeFixerActivities:
    """The fast fixer."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    @activity.defn(name="fix_code")
    async def fix(self, given: FixInput) -> FilesResult:
        """Repair what `issues` name."""
        async with running(self._rooms, given) as step:
            broken = [issue.file for issue in given.issues if issue.file is not None]
            material = await gather(self._rooms, given.session_id, given.template, broken)

            def prompt(already_written: list[str], contents: dict[str, str]) -> tuple[Message, ...]:
                return render(
                    "fast_code_fixer",
                    template=material.template,
                    files=material.shown | {path: contents[path] for path in already_written},
                    omitted=material.omitted,
                    issues=describe(given.issues),
                    phase_id=given.phase_id,
                    plan=given.plan.model_dump_json(indent=1),
                    already_written=already_written,
                )

            stream = FileStream(
                step,
                ActionKey.FAST_CODE_FIXER,
                phase_id=given.phase_id,
                reason=f"Repair round {given.round}",
                author="fix",
                material=material,
            )
            await stream.run(prompt)
            files, _ = await changes_of(self._rooms, given.session_id, step.id)
            seq, usage = await step.ended()
            return FilesResult(last_seq=seq, usage=usage, files=files, install=stream.install)
