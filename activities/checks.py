"""Check the project as it stands, and show it."""

from temporalio import activity

from activities.context import Rooms
from activities.step import running
from activities.workspace import may_heal, sandbox_failure, workspace_of
from sandbox import SandboxError
from schemas.checks import CheckReport
from schemas.operations import CheckInput, CheckResult, PreviewInput, PreviewResult
from schemas.session import Preview

MAX_ISSUES = 50  # of one report: what a fixer can work on, and what history should carry


class CheckActivities:
    """Runs in the sandbox."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    @activity.defn(name="check_project")
    async def check(self, given: CheckInput) -> CheckResult:
        """Type check, lint and, when both are clean, build. Errors come first in the report."""
        async with running(self._rooms, given) as step:
            try:
                workspace = await workspace_of(self._rooms, given.session_id, given.template)
                report = await workspace.check()
                if report.ok and given.build:
                    built = await workspace.build()
                    report = CheckReport(
                        issues=[*built.report.issues, *report.issues],
                        ran=[*report.ran, *built.report.ran],
                        seconds=report.seconds + built.report.seconds,
                    )
            except SandboxError as error:
                raise sandbox_failure(error) from error
            seq, usage = await step.ended()
            bounded = report.model_copy(update={"issues": report.issues[:MAX_ISSUES]})
            return CheckResult(last_seq=seq, usage=usage, report=bounded)

    @activity.defn(name="open_preview")
    async def open_preview(self, given: PreviewInput) -> PreviewResult:
        """Start the development server and say where the preview is."""
        async with running(self._rooms, given) as step:
            try:
                workspace = await workspace_of(self._rooms, given.session_id, given.template)
                await workspace.preview()
                preview = Preview(status="ready", url=self._rooms.preview_url(given.session_id))
            except SandboxError as error:
                if may_heal(error):
                    raise sandbox_failure(error) from error
                preview = Preview(status="failed", detail=str(error))
            seq, usage = await step.ended()
            return PreviewResult(last_seq=seq, usage=usage, preview=preview)
