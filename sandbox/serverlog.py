"""The last lines of a development server's output, and the issues that can be read from them. Untrusted text."""

import re
from collections import deque
from dataclasses import dataclass

from sandbox import findings
from schemas.checks import Issue, IssueSource, Severity

_LINES = 400
_LINE = 2_000
_RECENT = 25
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_CLOCK = re.compile(r"^\d{1,2}:\d\d:\d\d (?:[AP]M )?")
_VITE_ERROR = re.compile(r"\[vite\] (?:\(\w+\) )?(?:Internal server error|Pre-transform error): (?P<text>.*)")
_VITE_FILE = re.compile(r"^\s*(?:File: |╭─\[ )(?:/workspace/)?(?P<path>[^\s:]+)(?::(?P<line>\d+):(?P<column>\d+))?")
_CLIENT = re.compile(r"\[vite\] \(client\) \[(?P<kind>console\.error|Unhandled [^\]]*)\] ?(?P<text>.*)")
_CLIENT_PLACE = re.compile(r"(?:^|[\s(])(?P<path>src/[\w./@-]+):(?P<line>\d+):(?P<column>\d+)")
_TRACEBACK = re.compile(r'^\s+File "/workspace/(?P<path>[^"]+)", line (?P<line>\d+)')
_EXCEPTION = re.compile(
    r"^(?P<code>(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Warning|Exit|Interrupt)): ?(?P<text>.*)"
)
_CLOCKED = re.compile(r"^\[vite\] ")
_FOLLOWING = 14


@dataclass
class _Entry:
    text: str
    plain: str
    count: int = 1


class ServerLog:
    """The end of a server's output. A line that was there a moment ago is counted, not repeated."""

    def __init__(self) -> None:
        self._entries: deque[_Entry] = deque(maxlen=_LINES)

    def append(self, line: str) -> None:
        """Add one line as it was printed."""
        text = _COLOUR.sub("", line).rstrip()[:_LINE]
        plain = _CLOCK.sub("", text)
        if not plain:
            return
        # Only headlines: the pictures and stacks below them may well share lines.
        if text != plain:
            for entry in list(self._entries)[-_RECENT:]:
                if entry.plain == plain:
                    entry.count += 1
                    return
        self._entries.append(_Entry(text, plain))

    def lines(self) -> list[str]:
        """The lines, oldest first."""
        return [f"{e.text} (seen {e.count} times)" if e.count > 1 else e.text for e in self._entries]

    def clear(self) -> None:
        """Forget everything, before something new is looked at."""
        self._entries.clear()

    def issues(self) -> list[Issue]:
        """Errors of the server, of modules that do not compile, and of the pages that people have open."""
        entries = list(self._entries)
        found: list[Issue] = []
        place: tuple[str, int] | None = None
        for number, entry in enumerate(entries):
            following = [after.plain for after in entries[number + 1 : number + 1 + _FOLLOWING]]
            if match := _TRACEBACK.match(entry.plain):
                place = match["path"], int(match["line"])
            elif match := _VITE_ERROR.search(entry.plain):
                found.append(_module_error(match["text"], following))
            elif match := _CLIENT.search(entry.plain):
                found.append(_page_error(match["kind"], match["text"], following, entry.count))
            elif (match := _EXCEPTION.match(entry.plain)) and place is not None:
                text = f"{match['code']}: {match['text']}"
                found.append(findings.issue(IssueSource.SERVER, match["code"], text, file=place[0], line=place[1]))
                place = None
        return findings.report(found, [], 0.0).issues


def _module_error(text: str, following: list[str]) -> Issue:
    path, line, column = None, None, None
    for after in following:
        if match := _VITE_FILE.match(after):
            path = path or match["path"]
            if match["line"] and line is None:
                path, line, column = match["path"], int(match["line"]), int(match["column"])
        elif _CLOCKED.search(after):
            break
        elif after.startswith("["):
            text = f"{text} {after}"
    return findings.issue(IssueSource.SERVER, "vite", text, file=path, line=line, column=column)


def _page_error(kind: str, text: str, following: list[str], count: int) -> Issue:
    place = None
    for after in following:
        if _CLIENT.search(after):
            break
        if place := _CLIENT_PLACE.search(after):
            break
    code = "console-error" if kind == "console.error" else "page-error"
    found = findings.issue(
        IssueSource.BROWSER,
        "render-loop" if "Maximum update depth" in text or "Too many re-renders" in text else code,
        text,
        severity=Severity.ERROR,
        file=place["path"] if place else None,
        line=int(place["line"]) if place else None,
        column=int(place["column"]) if place else None,
    )
    return found.model_copy(update={"count": count})
