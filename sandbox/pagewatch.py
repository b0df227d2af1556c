"""Collects what goes wrong in a page while the browser shows it, and turns it into issues with places in the source."""

import asyncio
import contextlib
import re
from dataclasses import dataclass
from typing import TypedDict
from urllib.parse import urlsplit

import playwright.async_api as playwright
from pydantic import BaseModel, Field, ValidationError

from sandbox import findings, sourcemaps
from schemas.checks import CheckReport, Issue, IssueSource, Severity

_MOST_KINDS = 60
_FETCH_SECONDS = 8.0
_FIRST_SIGHT_SECONDS = 4.0
_LOOP = re.compile(r"Maximum update depth exceeded|Too many re-renders|Maximum call stack size exceeded")
_STACK_PLACE = re.compile(r"(https?://[^\s()]+?):(\d+):(\d+)")
_PLACEHOLDER = re.compile(r"%[sdifoOc]")
_REACT_ECHO = re.compile(r"^(?:%o\s*)?.{0,200}An error occurred in the <|^The above error occurred in the <", re.DOTALL)
_OVERLAY_PLACE = re.compile(r"(?:/workspace/|\[ )?(?P<path>[\w./@-]+\.\w+):(?P<line>\d+):(?P<column>\d+)")
_NOISE = re.compile(r"Download the React DevTools|\[vite\] (?:connecting|connected)|\[vite\] hot updated")
_OWN_FILES = re.compile(r"^/(?!@|node_modules/|\.cache/|__stich/)(?P<path>.+\.\w+)$")

# What is to be seen: boxes with text, pictures, drawings or controls, inside the window.
_LOOK = """() => {
  const overlay = document.querySelector('vite-error-overlay')
  const part = (name) => (overlay?.shadowRoot?.querySelector(name)?.textContent ?? '').slice(0, 2000)
  let seen = 0
  const own = (node) => [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim())
  for (const node of document.body ? document.body.querySelectorAll('*') : []) {
    if (!own(node) && !/^(img|svg|canvas|video|input|button|select|textarea|iframe|hr)$/i.test(node.tagName)) continue
    if (/^(script|style|noscript|template|title|vite-error-overlay)$/i.test(node.tagName)) continue
    const box = node.getBoundingClientRect()
    const style = getComputedStyle(node)
    if (box.width < 2 || box.height < 2 || style.visibility === 'hidden' || style.opacity === '0') continue
    seen += 1
    if (seen >= 3) break
  }
  const bare = [...(document.body?.childNodes ?? [])].some((child) => child.nodeType === 3 && child.textContent.trim())
  return { overlay: part('.message'), overlayFile: part('.file'), seen: seen + (bare ? 1 : 0) }
}"""


class _Seen(TypedDict):
    overlay: str
    overlayFile: str
    seen: int


@dataclass
class _Event:
    """One kind of trouble; `place` is the first place of our own files in its stack, in the transformed module."""

    source: IssueSource
    code: str
    message: str
    severity: Severity
    place: tuple[str, int, int] | None = None
    count: int = 1


class _Remote(BaseModel):
    """A value of the page as the browser's protocol describes it."""

    type: str = ""
    value: object = None
    description: str = ""

    def __str__(self) -> str:
        return (str(self.value) if self.value is not None else self.description or self.type)[:1000]


class _Frame(BaseModel):
    url: str = ""
    line: int = Field(alias="lineNumber", default=0)
    column: int = Field(alias="columnNumber", default=0)


class _Stack(BaseModel):
    frames: list[_Frame] = Field(alias="callFrames", default_factory=list)


class _ConsoleCall(BaseModel):
    type: str
    arguments: list[_Remote] = Field(alias="args", default_factory=list)
    stack: _Stack = Field(alias="stackTrace", default_factory=_Stack)


class PageWatch:
    """Watches the pages of one capture. `blank` tells of the page last looked at."""

    def __init__(self, url: str) -> None:
        self._origin = "{0.scheme}://{0.netloc}".format(urlsplit(url))
        self._events: dict[tuple[str, str], _Event] = {}
        self._modules: dict[str, str] = {}
        self._overlay: tuple[str, int, int] | None = None
        self.blank = False

    async def attach(self, page: playwright.Page) -> None:
        """Listen to a page. To be called before it is opened. Raises playwright.Error."""
        # The protocol's own console event carries arguments and stack, which Playwright's does not.
        session = await page.context.new_cdp_session(page)
        session.on("Runtime.consoleAPICalled", self._console)
        await session.send("Runtime.enable")
        page.on("pageerror", self._page_error)
        page.on("requestfailed", self._request_failed)
        page.on("response", self._response)
        page.on("dialog", self._dismiss)
        page.on("crash", self._crashed)

    async def first_sight(self, page: playwright.Page) -> None:
        """Wait until there is something to be seen, or wrong, for a few seconds: a busy machine loads slowly."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FIRST_SIGHT_SECONDS):
                while not self._events:
                    seen: _Seen = await page.evaluate(_LOOK)
                    if seen["overlay"] or seen["seen"]:
                        return
                    await asyncio.sleep(0.1)

    async def look(self, page: playwright.Page) -> None:
        """Judge what is to be seen, and fetch the modules that stacks point to. Raises playwright.Error."""
        seen: _Seen = await page.evaluate(_LOOK)
        if seen["overlay"]:
            place = _OVERLAY_PLACE.search(seen["overlayFile"] + "\n" + seen["overlay"])
            self._add(IssueSource.BUILD, "dev-overlay", seen["overlay"])
            self._overlay = (place["path"], int(place["line"]), int(place["column"]) + 1) if place else None
        self.blank = not seen["overlay"] and seen["seen"] == 0
        if self.blank:
            self._add(IssueSource.SCREENSHOT, "blank-page", "Nothing is to be seen on the page: it is blank.")
        await self._fetch_modules(page)

    def frozen(self, seconds: float) -> None:
        """Note a page that did not answer."""
        text = f"The page did not answer within {seconds:.0f} s: it is frozen, probably by a loop without end."
        self._add(IssueSource.BROWSER, "page-frozen", text)

    def unreachable(self, message: str) -> None:
        """Note a page that could not be opened."""
        first = message.splitlines()[0] if message else "unknown"
        self._add(IssueSource.NETWORK, "page-unreachable", f"The page could not be opened: {first[:300]}")

    async def report(self) -> CheckReport:
        """All issues so far."""
        issues = []
        for event in self._events.values():
            file, line, column = self._source_place(event.place)
            if event.code == "dev-overlay" and self._overlay is not None:
                file, line, column = self._overlay
            found = findings.issue(
                event.source, event.code, event.message, severity=event.severity, file=file, line=line, column=column
            )
            issues.append(found.model_copy(update={"count": event.count}))
        return findings.report(_without_echoes(issues), [IssueSource.BROWSER, IssueSource.SCREENSHOT], 0.0)

    def _console(self, parameters: dict[str, object]) -> None:
        if parameters.get("type") not in ("error", "warning", "assert"):
            return
        try:
            call = _ConsoleCall.model_validate(parameters)
        except ValidationError:
            return
        text = _formatted([str(argument) for argument in call.arguments[:10]])
        if _NOISE.search(text):
            return
        places = (_own_location(frame.url, frame.line + 1, frame.column + 1) for frame in call.stack.frames)
        place = _own_place(text) or next((found for found in places if found), None)
        severity = Severity.WARNING if call.type == "warning" else Severity.ERROR
        code = "render-loop" if _LOOP.search(text) else f"console-{'warning' if call.type == 'warning' else 'error'}"
        self._add(IssueSource.BROWSER, code, text, severity, place)

    def _page_error(self, error: playwright.Error) -> None:
        text = f"{error.name}: {error.message}" if error.name and error.name != "Error" else error.message
        code = "render-loop" if _LOOP.search(text) else "page-error"
        self._add(IssueSource.BROWSER, code, text, place=_own_place(error.stack or ""))

    def _request_failed(self, request: playwright.Request) -> None:
        failure = request.failure or "failed"
        # A page that cannot be opened at all is told by `unreachable`.
        if "ERR_ABORTED" in failure or request.is_navigation_request():
            return
        text = f"{request.method} {self._shown(request.url)} failed: {failure}"
        # Nothing but the project itself can be reached from here; elsewhere such a request may well succeed.
        severity = Severity.ERROR if request.url.startswith(self._origin) else Severity.WARNING
        self._add(IssueSource.NETWORK, "request-failed", text, severity)

    def _response(self, response: playwright.Response) -> None:
        if response.status >= 400:
            text = f"{response.request.method} {self._shown(response.url)} answered {response.status}"
            self._add(IssueSource.NETWORK, f"http-{response.status}", text)

    def _crashed(self, _page: playwright.Page) -> None:
        self._add(IssueSource.BROWSER, "page-crashed", "The page crashed the browser's tab.")

    async def _dismiss(self, dialog: playwright.Dialog) -> None:
        await dialog.dismiss()

    def _shown(self, url: str) -> str:
        return url.removeprefix(self._origin).split("?")[0][:300] or "/"

    def _add(
        self,
        source: IssueSource,
        code: str,
        message: str,
        severity: Severity = Severity.ERROR,
        place: tuple[str, int, int] | None = None,
    ) -> _Event | None:
        """Count an event under its kind; None where there are too many kinds already."""
        key = (code, re.sub(r"\d+|\?[^\s)]*", "#", message)[:400])
        event = self._events.get(key)
        if event is not None:
            event.count += 1
            return event
        if len(self._events) >= _MOST_KINDS:
            return None
        event = self._events[key] = _Event(source, code, message, severity, place)
        return event

    async def _fetch_modules(self, page: playwright.Page) -> None:
        """Fetch, inside the page, the transformed modules that stacks point to, for their source maps."""
        wanted = {event.place[0] for event in self._events.values() if event.place} - self._modules.keys()
        for url in sorted(wanted)[:10]:
            with contextlib.suppress(TimeoutError):  # a busy machine: then the place in the source stays unknown
                async with asyncio.timeout(_FETCH_SECONDS):
                    text = await page.evaluate("(url) => fetch(url).then((answer) => answer.text())", url)
                if isinstance(text, str):
                    self._modules[url] = text

    def _source_place(self, place: tuple[str, int, int] | None) -> tuple[str | None, int | None, int | None]:
        if place is None:
            return None, None, None
        url, line, column = place
        match = _OWN_FILES.match(urlsplit(url).path)
        if match is None:
            return None, None, None
        found = sourcemaps.original(self._modules.get(url, ""), line, column)
        return (match["path"], *found) if found else (match["path"], None, None)


def _own_place(stack: str) -> tuple[str, int, int] | None:
    """The first place of a stack that lies in the project's own files."""
    for match in _STACK_PLACE.finditer(stack):
        if place := _own_location(match[1], int(match[2]), int(match[3])):
            return place
    return None


def _own_location(url: str, line: int, column: int) -> tuple[str, int, int] | None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not _OWN_FILES.match(parts.path):
        return None
    return url, line, column


def _formatted(arguments: list[str]) -> str:
    """The text of a console call: `%s` and its like replaced by the arguments that follow."""
    if not arguments:
        return ""
    pieces = _PLACEHOLDER.split(arguments[0])
    rest = arguments[1:]
    text = pieces[0]
    for piece in pieces[1:]:
        text += (rest.pop(0) if rest else "") + piece
    return " ".join([text, *rest])


def _without_echoes(issues: list[Issue]) -> list[Issue]:
    """Drop what only repeats an error that was caught as such."""
    errors = [found.message.split("\n")[0] for found in issues if found.code in ("page-error", "render-loop")]
    broken = any(found.code == "dev-overlay" for found in issues)

    def echo(found: Issue) -> bool:
        if found.code.startswith("console-"):
            repeated = any(text and text in found.message for text in errors)
            return repeated or bool(errors and _REACT_ECHO.search(found.message))
        # A module that does not compile answers 404 while the overlay says why.
        return broken and found.code == "http-404" and found.message.startswith("GET /src/")

    return [found for found in issues if not echo(found)]
