"""Tools by which the model that decides lets a model that writes do the writing."""

from pydantic import Field
from temporalio.exceptions import ApplicationError

from activities.file_stream import FileStream
from activities.material import gather
from activities.project_files import changes_of
from activities.tools.tool import Bench, Tool, ToolFailed
from codegen.prompts import render
from schemas.blueprint import Line, PhasePlan, PlannedFile
from schemas.inference import ActionKey, Message

NO_FILES = "no_files"


class GenerateFiles(Tool):
    """Let an engineer write several files at once, each shown while it is written. Say in `instructions` what they
    are to do together and how they hang together with the rest; the engineer sees the request, the blueprint and the
    project's files, but not this conversation."""

    name = "generate_files"
    calls = ActionKey.PHASE_IMPLEMENTATION
    title: Line
    instructions: str = Field(min_length=1, max_length=8_000)
    files: list[PlannedFile] = Field(min_length=1, max_length=30)

    def summary(self) -> str:
        return f"Writing {len(self.files)} files: {self.title}" if len(self.files) > 1 else f"Writing {self.title}"

    async def run(self, bench: Bench) -> str:
        planned = [file.path for file in self.files]
        material = await gather(bench.rooms, bench.session_id, bench.template, planned)
        plan = PhasePlan(name=self.title, description=self.instructions, files=self.files)

        def prompt(already_written: list[str], contents: dict[str, str]) -> tuple[Message, ...]:
            return render(
                "phase_implementation",
                template=material.template,
                request=material.request,
                blueprint=material.blueprint,
                files=material.shown | {path: contents[path] for path in already_written},
                omitted=material.omitted,
                issues=[],
                messages=[],
                phase_id=bench.phase_id,
                plan=plan.model_dump_json(indent=1),
                write_only=[],
                missing=[],
                candidate=None,
                already_written=already_written,
            )

        stream = FileStream(
            bench.step,
            ActionKey.PHASE_IMPLEMENTATION,
            phase_id=bench.phase_id,
            reason=self.title,
            author=bench.author,
            material=material,
            repair=True,
        )
        try:
            await stream.run(prompt, planned=planned)
        except ApplicationError as error:
            if error.type != NO_FILES:
                raise
            raise ToolFailed(f"The engineer wrote no file. {error.message}") from error
        files, _ = await changes_of(bench.rooms, bench.session_id, bench.step.id)
        written = [file.path for file in files]
        lines = [f"Written: {', '.join(written)}."]
        if missing := [path for path in planned if path not in written]:
            lines.append(f"Not written: {', '.join(missing)}.")
        if stream.install:
            lines.append(f"They need packages, to be installed by install_packages: {', '.join(stream.install)}.")
        return "\n".join(lines)
