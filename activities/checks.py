"""Check the project as it stands, and show it."""

import asyncio

import structlog
from temporalio import activity

from activities.context import Rooms
from activities.step import Step, running
from activities.workspace import may_heal, sandbox_failure, workspace_of
from codegen.fixes import find_render_loops, find_stubs
from sandbox import BrowserFailed, SandboxError, SandboxUnavailable
from sandbox.browser import Capture
from schemas.checks import CheckReport, merged
from schemas.events import PreviewEvent
from schemas.operations import CheckInput, CheckResult, PreviewInput, PreviewResult
from schemas.session import Preview, ScreenshotRef

log = structlog.get_logger(__name__)

PREVIEW_ATTEMPTS = 3
MAX_ISSUES = 50  # of one report: what a fixer can work on, and what history should carry


class CheckActivities:
    """Runs in the sandbox."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    @activity.defn(name="check_project")
    async def check(self, given: CheckInput) -> CheckResult:
        """Type check, lint, look for stand-ins and loops of rendering and, when all is clean, build.

        Errors come first in the report.
        """
        async with running(self._rooms, given) as step:
            try:
                workspace = await workspace_of(self._rooms, step.line, given.template)
                report = merged(await workspace.check(), await self._read(step.line))
                if report.ok and given.build:
                    report = merged(report, (await workspace.build()).report)
            except SandboxError as error:
                raise sandbox_failure(error) from error
            seq, usage = await step.ended()
            bounded = report.model_copy(update={"issues": report.issues[:MAX_ISSUES]})
            return CheckResult(last_seq=seq, usage=usage, report=bounded)

    async def _read(self, line: str) -> CheckReport:
        """What no tool of the sandbox sees: modules that only stand in for missing ones, loops of rendering."""
        texts = await self._rooms.files.contents(line)
        return CheckReport(issues=await asyncio.to_thread(lambda: [*find_stubs(texts), *find_render_loops(texts)]))

    @activity.defn(name="open_preview")
    async def open_preview(self, given: PreviewInput) -> PreviewResult:
        """Start the development server, say where the preview is, and look at it through the browser.

        A preview that does not come up and a browser that cannot be used are said so; the work goes on without them.
        """
        async with running(self._rooms, given) as step:
            screenshots: list[ScreenshotRef] = []
            report, preview = CheckReport(), Preview(status="failed", detail="This host cannot show previews.")
            url = self._rooms.preview_url(given.session_id)
            try:
                workspace = await workspace_of(self._rooms, given.session_id, given.template)
                await workspace.preview()
                preview = Preview(status="ready", url=url)
                step.emit(PreviewEvent(preview=preview))
                capture = await self._rooms.browser.capture(await self._rooms.preview_entrance(given.session_id))
                await self._rooms.preview_reports.put_pages(given.session_id, capture.report.issues)
                screenshots = await self._keep(step, given, capture)
                report = capture.report
            except (BrowserFailed, SandboxUnavailable) as error:
                log.warning("the preview was not looked at", session=given.session_id, error=str(error))
            except SandboxError as error:
                if may_heal(error) and step.attempt < PREVIEW_ATTEMPTS:
                    raise sandbox_failure(error) from error
                preview = Preview(status="failed", detail=str(error))
            seq, usage = await step.ended()
            return PreviewResult(last_seq=seq, usage=usage, preview=preview, report=report, screenshots=screenshots)

    async def _keep(self, step: Step, given: PreviewInput, capture: Capture) -> list[ScreenshotRef]:
        kept = []
        for shot in capture.screenshots:
            stored = await self._rooms.screenshots.put(
                given.session_id,
                f"{step.id}/{given.execution}/{shot.size.name}",
                shot.png,
                media_type="image/png",
                width=shot.size.width,
                height=shot.size.height,
                phase_id=given.phase_id,
            )
            kept.append(
                ScreenshotRef(
                    sha256=stored.sha256,
                    name=shot.size.name,
                    width=shot.size.width,
                    height=shot.size.height,
                    blank=shot.blank,
                )
            )
        return kept
