"""Compare candidates, and make one of them the project."""

from temporalio import activity

from activities.context import Rooms
from activities.material import describe, gather
from activities.model_call import complete_model
from activities.project_files import changes_of, file_ref
from activities.step import Step, running
from codegen.context import select_files
from codegen.prompts import render
from schemas.candidates import Verdicts
from schemas.events import FileDeleted, FileGenerated
from schemas.inference import ActionKey
from schemas.operations import AdoptInput, FilesResult, JudgedCandidate, JudgementInput, JudgementResult
from storage.file_rows import FileVersion
from storage.lines import Lines

CANDIDATE_TOKENS = 20_000  # of each candidate's own files


class JudgementActivities:
    """Chooses the best of several."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    @activity.defn(name="judge_candidates")
    async def judge(self, given: JudgementInput) -> JudgementResult:
        """Let a model compare the candidates. A judgement that was made is not paid for again."""
        async with running(self._rooms, given) as step:
            operations = self._rooms.operations
            begun = await operations.begin(given.session_id, step.id)
            if begun.result is not None:
                verdicts = Verdicts.model_validate_json(begun.result)
            else:
                verdicts = await self._ask(step, given)
                await operations.finish(given.session_id, step.id, verdicts.model_dump_json())
            seq, usage = await step.ended()
            return JudgementResult(last_seq=seq, usage=usage, verdicts=verdicts.verdicts)

    async def _ask(self, step: Step, given: JudgementInput) -> Verdicts:
        material = await gather(self._rooms, given.session_id, given.template, [])
        messages = render(
            "judgement",
            template=material.template,
            request=material.request,
            blueprint=material.blueprint if given.plan else None,
            plan=given.plan.model_dump_json(indent=1) if given.plan else None,
            candidates=[await self._shown(given, each) for each in given.candidates],
        )
        return await complete_model(step, ActionKey.CODE_REVIEW, messages, Verdicts)

    async def _shown(self, given: JudgementInput, candidate: JudgedCandidate) -> dict[str, object]:
        """What the model sees of a candidate: its blueprint, or the files it wrote and what the checks found."""
        if candidate.line is None:
            text = await self._rooms.operations.result(given.session_id, candidate.operation_id) or ""
            return {"number": candidate.number, "text": text, "files": {}, "omitted": [], "issues": []}
        contents = await self._rooms.files.contents(candidate.line)
        versions = await self._rooms.files.of_operation(candidate.line, candidate.operation_id)
        own = {version.path: contents[version.path] for version in versions if version.path in contents}
        shown, omitted = select_files(own, own, CANDIDATE_TOKENS)
        issues = describe(candidate.report.issues) if candidate.report else []
        return {"number": candidate.number, "text": "", "files": shown, "omitted": omitted, "issues": issues}

    @activity.defn(name="adopt_candidate")
    async def adopt(self, given: AdoptInput) -> FilesResult:
        """Make the project what a candidate's files are, as new versions."""
        async with running(self._rooms, given) as step:
            await Lines(self._rooms.database).adopt(
                step.writer,
                given.candidate_line,
                reason=given.reason,
                phase_id=given.phase_id,
                announce=lambda version: _announcement(step, version),
            )
            files, deleted = await changes_of(self._rooms, given.session_id, step.id)
            seq, usage = await step.ended()
            return FilesResult(last_seq=seq, usage=usage, files=files, deleted=deleted)


def _announcement(step: Step, version: FileVersion) -> FileGenerated | FileDeleted:
    if version.sha256 is None:
        return FileDeleted(operation_id=step.id, path=version.path)
    return FileGenerated(operation_id=step.id, file=file_ref(version))
