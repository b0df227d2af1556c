"""Tools by which the model that decides lets other models write, mend and review."""

from typing import Annotated

from pydantic import Field, StringConstraints
from temporalio.exceptions import ApplicationError

from activities.code_review import review_code
from activities.file_regeneration import regenerate_file
from activities.file_stream import FileStream
from activities.material import describe, gather
from activities.once import once
from activities.project_files import changes_of
from activities.tools.tool import Bench, FilePath, Tool, ToolFailed
from codegen.prompts import fenced, render
from schemas.blueprint import Line, PhasePlan, PlannedFile
from schemas.checks import Issue, IssueSource, Severity
from schemas.inference import ActionKey, Message
from schemas.review import ReviewResult

NO_FILES = "no_files"
MAX_FINDINGS = 30  # of one review: more than a model can work on before the next

Problem = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=800)]


class GenerateFiles(Tool):
    """Let an engineer write several files at once, each shown while it is written. Say in `instructions` what they
    are to do together and how they hang together with the rest; the engineer sees the request, the blueprint and the
    project's files, but not this conversation."""

    name = "generate_files"
    effect = "writes"
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


class RegenerateFile(Tool):
    """Let an engineer mend one file that is wrong in several places. Say each problem in a sentence of its own, with
    what should be instead; the engineer sees the file and the project, but not this conversation. The file stays as it
    is where the repair would make it worse."""

    name = "regenerate_file"
    effect = "writes"
    calls = ActionKey.FILE_REGENERATION
    path: FilePath
    problems: list[Problem] = Field(min_length=1, max_length=20)

    def summary(self) -> str:
        return f"Mending {self.path}"

    async def run(self, bench: Bench) -> str:
        before = await bench.contents()
        if self.path not in before:
            raise ToolFailed(f"There is no file {self.path!r} to be mended: write it with write_file.")
        if await bench.done(self.path):
            return f"{self.path} is mended."
        issues = [
            Issue(file=self.path, code="asked", severity=Severity.ERROR, source=IssueSource.REVIEW, message=problem)
            for problem in self.problems
        ]
        install = await regenerate_file(
            bench.step, template=bench.template, phase_id=bench.phase_id, path=self.path, issues=issues
        )
        if not await bench.done(self.path):
            return f"The engineer found nothing in {self.path} that had to be changed."
        needs = f" It needs packages, to be installed by install_packages: {', '.join(install)}." if install else ""
        return f"{self.path} is mended.{needs}"


class ReviewCode(Tool):
    """Let a reviewer read the files you name, or without any the whole project, against the blueprint and what `goal`
    says they are for. Returns what it finds, by file, and the packages that are missing; nothing is changed."""

    name = "review_code"
    effect = "reads"
    calls = ActionKey.CODE_REVIEW
    goal: str = Field(min_length=1, max_length=2_000)
    files: list[FilePath] = Field(default_factory=list, max_length=30)

    def summary(self) -> str:
        return (
            f"Reviewing {len(self.files)} files" if len(self.files) > 1 else f"Reviewing {(*self.files, 'the code')[0]}"
        )

    async def run(self, bench: Bench) -> str:
        if not (await bench.step.model_access()).enabled(ActionKey.CODE_REVIEW):
            raise ToolFailed("Reviews are switched off in the person's settings.")
        contents = await bench.contents()
        if missing := [path for path in self.files if path not in contents]:
            raise ToolFailed(f"There is no file {missing[0]!r}.")
        if not contents:
            raise ToolFailed("There is nothing to review yet.")
        files = self.files or sorted(contents)
        plan = PhasePlan(name="Review", description=self.goal, files=[PlannedFile(path=path) for path in files[:100]])
        found = await once(
            bench.step,
            ReviewResult,
            lambda: review_code(
                bench.step,
                template=bench.template,
                phase_id=bench.phase_id,
                plan=plan,
                files=files,
                whole=not self.files,
            ),
            part="review",
        )
        issues = found.report.issues
        lines = [fenced("\n".join(describe(issues[:MAX_FINDINGS])), "issue")] if issues else ["Nothing is found wrong."]
        if more := len(issues) - MAX_FINDINGS:
            lines += [f"And {more} more of less weight."] if more > 0 else []
        if found.install:
            lines.append(f"Packages are missing, to be installed by install_packages: {', '.join(found.install)}.")
        return "\n".join(lines)
