"""Repair the files in which checks found problems: by rule where that needs no judgement, else in one model call."""

from temporalio import activity

from activities.context import Rooms
from activities.deterministic_fixer import fix_by_rule, written_by_rule
from activities.file_stream import FileStream
from activities.material import Material, describe, gather
from activities.project_files import changes_of
from activities.step import Step, fail, running
from codegen.prompts import render
from schemas.checks import Issue, Severity
from schemas.failures import Failure
from schemas.inference import ActionKey, Message
from schemas.operations import FilesResult, FixInput


class CodeFixerActivities:
    """The fast fixer."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    @activity.defn(name="fix_code")
    async def fix(self, given: FixInput) -> FilesResult:
        """Repair what `issues` name. No model is called when rules repaired every error."""
        async with running(self._rooms, given) as step:
            broken = [issue.file for issue in given.issues if issue.file is not None]
            material = await gather(self._rooms, given.session_id, given.template, broken)
            report = await fix_by_rule(step, given, material)
            install = list(report.install)
            wanted = (await step.model_access()).enabled(ActionKey.FAST_CODE_FIXER)
            if wanted and any(issue.severity is Severity.ERROR for issue in report.open):
                if report.written:
                    material = await gather(self._rooms, given.session_id, given.template, broken)
                asked = await self._ask(step, given, material, report.open)
                install += [spec for spec in asked if spec not in install]
            files, _ = await changes_of(self._rooms, given.session_id, step.id)
            seq, usage = await step.ended()
            return FilesResult(last_seq=seq, usage=usage, files=files, install=install)

    async def _ask(self, step: Step, given: FixInput, material: Material, issues: list[Issue]) -> list[str]:
        """Let a model repair what rules left. Returns the packages that it asks for."""
        by_rule = {path: material.files[path] for path in await written_by_rule(step)}

        def prompt(already_written: list[str], contents: dict[str, str]) -> tuple[Message, ...]:
            # A file repaired by rule may hold other faults: only what the model wrote counts as done.
            done = [path for path in already_written if contents[path] != by_rule.get(path)]
            return render(
                "fast_code_fixer",
                template=material.template,
                files=material.shown | {path: contents[path] for path in done},
                omitted=material.omitted,
                issues=describe(issues),
                phase_id=given.phase_id,
                plan=given.plan.model_dump_json(indent=1),
                already_written=done,
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
        if {file.path for file in files} <= await written_by_rule(step):
            raise fail(Failure(code="no_files", sentence="The model's answer contained no file."), retry=True)
        return stream.install
