"""Puts the places that a build tells into the project's own files.

The bundler reads code that another step has written anew (types and blank lines are gone), and tells lines of that. Its
pictures of the code say which line is meant; what it names is looked for in the source.
"""

import re
from collections.abc import Sequence
from typing import Final

from schemas.checks import Issue

_PICTURED_LINE: Final = re.compile(r"^\s*(?P<line>\d+) │ (?P<text>.*)$", re.MULTILINE)
_AGAIN: Final = re.compile(r"has already been declared|Duplicated export")
_NAMED: Final = re.compile(r"(?:Could not|Can't) resolve '([^'\n]+)'|failed to resolve import \"([^\"\n]+)\"")
_IMPORTING: Final = re.compile(r"\b(?:import|export|require|from)\b")
_LAYOUT: Final = re.compile(r"[\s;'\"`(),]+")


def located(issue: Issue, source: str) -> Issue:
    """The issue of a build, at its line in the file as it was written; as it is where the line is not found."""
    lines = source.splitlines()
    if named := _NAMED.search(issue.message):
        line = _importing(lines, named[1] or named[2])
    else:
        pictured = list(_PICTURED_LINE.finditer(issue.message))
        if not pictured:
            return issue
        # What was declared before is pictured first.
        meant = pictured[-1] if _AGAIN.search(issue.message) else _told(pictured, issue)
        line = _same(lines, meant["text"], int(meant["line"]))
    if line is None or line == issue.line:
        return issue
    return issue.model_copy(update={"line": line, "column": None})


def _told(pictured: Sequence[re.Match[str]], issue: Issue) -> re.Match[str]:
    return next((shown for shown in pictured if int(shown["line"]) == issue.line), pictured[0])


def _importing(lines: Sequence[str], name: str) -> int | None:
    """The first line that imports the name."""
    quoted = (f"'{name}'", f'"{name}"', f"`{name}`")
    found = [number for number, line in enumerate(lines, 1) if any(text in line for text in quoted)]
    return next((number for number in found if _IMPORTING.search(lines[number - 1])), found[0] if found else None)


def _same(lines: Sequence[str], text: str, told: int) -> int | None:
    """The line that reads like `text`, whatever its layout; the first at or after `told`, since lines only go."""
    wanted = _LAYOUT.sub("", text)
    alike = [number for number, line in enumerate(lines, 1) if wanted and _LAYOUT.sub("", line) == wanted]
    return next((number for number in alike if number >= told), alike[-1] if alike else None)
