"""Tools that look at the running application: its preview, its logs, its pictures, what goes wrong in the page."""

from typing import Literal

from temporalio.exceptions import ApplicationError

from activities.images import image_of
from activities.material import describe
from activities.model_call import stream_model
from activities.pictures import stored_picture
from activities.tools.tool import Bench, Result, Tool
from codegen.prompts import fenced, render
from inference.agents import NotAllowed
from sandbox import BrowserFailed, SandboxUnavailable
from sandbox.browser import DESKTOP, PHONE, Capture, Size
from schemas.checks import Issue
from schemas.events import PreviewEvent
from schemas.inference import ActionKey, Message, TextDelta, TextPart
from schemas.session import Preview, ScreenshotRef

LOG_LINES = 120


class ReadLogs(Tool):
    """Read the last lines of the development server's log and the errors of the running application, in the server
    and in the page. The page is opened anew in a browser for it."""

    name = "read_logs"
    effect = "exclusive"
    queue = "sandbox"

    def summary(self) -> str:
        return "Looking at logs and runtime errors"

    async def run(self, bench: Bench) -> str:
        server = await (await bench.workspace()).preview()
        found: list[Issue] = []
        unseen = ""
        try:
            capture = await _look(bench, DESKTOP)
            found += capture.report.issues
        except (BrowserFailed, SandboxUnavailable) as error:
            unseen = f"\nThe page was not opened: {error}"
        issues = describe([*found, *server.log.issues()])
        lines = server.log.lines()[-LOG_LINES:]
        log = fenced("\n".join(lines), "output", of="server log") if lines else "The log is empty."
        errors = fenced("\n".join(dict.fromkeys(issues)), "issue") if issues else "There are no runtime errors."
        return f"{errors}{unseen}\n{log}"


async def _look(bench: Bench, size: Size) -> Capture:
    """Open the application in the browser; what goes wrong in it is kept for people as well."""
    rooms = bench.rooms
    capture = await rooms.browser.capture(await rooms.preview_entrance(bench.session_id), [size])
    await rooms.preview_reports.put_pages(bench.session_id, capture.report.issues)
    return capture


class TakeScreenshot(Tool):
    """Take a picture of the running application as on a desktop or a phone, and see what goes wrong in the page."""

    name = "take_screenshot"
    effect = "exclusive"
    queue = "sandbox"
    size: Literal["desktop", "phone"] = "desktop"

    def summary(self) -> str:
        return f"Looking at the application on a {self.size}"

    async def run(self, bench: Bench) -> Result:
        await (await bench.workspace()).preview()
        size = PHONE if self.size == "phone" else DESKTOP
        capture = await _look(bench, size)
        issues = describe(capture.report.issues)
        errors = fenced("\n".join(issues), "issue") if issues else "Nothing goes wrong in the page."
        if not capture.screenshots:
            return Result(f"No picture could be taken. {errors}")
        shot = await self._keep(bench, capture)
        blank = " The page is blank." if shot.blank else ""
        if await bench.step.reads_images(bench.action):
            picture = stored_picture(shot.sha256)
            return Result(f"The picture is attached.{blank}\n{errors}", images=(picture,), screenshots=[shot])
        seen = await describe_picture(bench, shot.sha256)
        return Result(f"{seen}{blank}\n{errors}", screenshots=[shot])

    async def _keep(self, bench: Bench, capture: Capture) -> ScreenshotRef:
        shot = capture.screenshots[0]
        # Named by the attempt: each sees the application as it is then.
        stored = await bench.rooms.screenshots.put(
            bench.session_id,
            f"{bench.step.id}/{bench.step.given.execution}/{bench.step.attempt}",
            shot.png,
            media_type="image/png",
            width=shot.size.width,
            height=shot.size.height,
            phase_id=bench.phase_id,
        )
        return ScreenshotRef(
            sha256=stored.sha256, name=shot.size.name, width=shot.size.width, height=shot.size.height, blank=shot.blank
        )


async def describe_picture(bench: Bench, sha256: str) -> str:
    """What a model that sees says of a picture, for one that does not; where there is none, a sentence that says so."""
    system, question = render("picture_description")
    picture = await image_of(bench.rooms, sha256, "image/png")
    asked = Message(role="user", content=(TextPart(text=question.text), picture))
    text = ""
    try:
        async for delta in stream_model(bench.step, ActionKey.SCREENSHOT_ANALYSIS, (system, asked)):
            if isinstance(delta, TextDelta):
                text += delta.text
    except (ApplicationError, NotAllowed):
        return "A picture was taken for people; no model that can see is configured to describe it."
    return f"What the picture shows, as another model describes it:\n{fenced(text, 'output')}"


class UsePreview(Tool):
    """The preview of the application: its status and address, or start it anew with `restart`."""

    name = "preview"
    effect = "exclusive"
    queue = "sandbox"
    action: Literal["status", "restart"] = "status"

    def summary(self) -> str:
        return "Restarting the preview" if self.action == "restart" else "Looking after the preview"

    async def run(self, bench: Bench) -> Result:
        workspace = await bench.workspace()
        if self.action == "restart":
            await workspace.stop_preview()
        server = await workspace.preview()
        preview = Preview(status="ready", url=bench.rooms.preview_url(bench.session_id))
        bench.step.emit(PreviewEvent(preview=preview))
        again = f" It had to be started {server.restarts + 1} times." if server.restarts else ""
        return Result(f"The preview is ready at {preview.url}.{again}", preview=preview)
