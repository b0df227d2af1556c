"""The commands that open a SCOF block: shell here-documents as models write them.

Every pattern is linear in the line: repetitions are possessive, and what may follow one cannot begin inside it.
"""

import re
from dataclasses import dataclass
from typing import Literal

# What may stand before a command: list marks, a prompt, and making the folder of the file.
LEAD = r"(?:(?:[-*+•]|\d{1,3}[.)])[^\S\n]++){0,3}+(?:\$[^\S\n]++)?+"
_MKDIR = r"(?:mkdir\s[^;&|<>]*+&&\s*+)?+"

_MARKER = r"\\?+(?:(?P<open>['\"])(?P<quoted>[^'\"]++)['\"]|['\"]?+(?P<bare>[^\s'\"<>|&;()\\]++)['\"]?+)"
_HERE = rf"<<(?!<)(?P<strip>-?+)\s*+{_MARKER}"
_QUOTED_PATH = r"\"(?P<double>(?:[^\"\\]|\\.)*+)\"|'(?P<single>[^']*+)'"
# Before an operator a bare path runs up to it; at the end of the command it runs up to a comment or another command.
_PATH = rf"(?:(?:{_QUOTED_PATH})\s*+(?=[<>])|(?P<plain>(?:[^<>|\s]|\s++(?!\#))++)(?=[<>]))"
_LAST_PATH = rf"(?:(?:{_QUOTED_PATH})(?=\s*+(?:$|[;#]|&&|\|\|))|(?P<plain>(?:[^<>|;&\s]|&(?!&)|\s++(?!\#|&&|\|\|))++))"
_TO = r"(?P<append>>>|>\|?+)"
_TEE = r"tee(?=\s)(?P<append>\s++(?:-a|--append)(?=\s))?+\s++"
_PATCH = r"patch(?:\s++-(?:p\s*+\d++|[a-zA-Z]++(?=\s)|-[\w-]++))*+\s++"
_NULL = r"(?:\s*+>\s*+/dev/null)?+"
_END = r"(?:\s++\#.*+|\s*+(?:;|&&|\|\|).*+|\s*+)$"

_FORMS = tuple(
    re.compile(rf"\s*+{LEAD}{_MKDIR}(?P<verb>{form}){_END}", re.IGNORECASE | re.DOTALL)
    for form in (
        rf"cat\s*+{_TO}\s*+{_PATH}{_HERE}",
        rf"cat\s*+{_HERE}\s*+{_TO}\s*+{_LAST_PATH}",
        rf"cat\s*+{_HERE}\s*+\|\s*+(?P<patch>){_PATCH}{_LAST_PATH}",
        rf"cat\s*+{_HERE}\s*+\|\s*+{_TEE}{_LAST_PATH}{_NULL}",
        rf"{_TEE}{_PATH}(?:>\s*+/dev/null\s*+)?+{_HERE}{_NULL}",
        rf"(?P<patch>){_PATCH}{_PATH}{_HERE}",
    )
)
_WORD = re.compile(rf"\s*+{LEAD}{_MKDIR}(?:cat(?=[\s<>]|$)|tee(?=\s|$)|patch(?=\s|$))", re.IGNORECASE)
_ENDS_OPEN = re.compile(r"(?:[<>|]|<<-|(?:^|\s)(?:cat|tee(?:\s+-a)?|patch(?:\s+-p\s*\d+)?))\s*$", re.IGNORECASE)
_ESCAPED = re.compile(r"\\([^\w./\\])")


@dataclass(frozen=True, slots=True)
class Opening:
    """A block that begins: where it goes (as written, unescaped), its end marker, and how it is written."""

    path: str
    marker: str
    kind: Literal["write", "append", "patch"]
    strip_tabs: bool


def is_opening_word(line: str) -> bool:
    """Whether the line starts with a command that can open a block."""
    return _WORD.match(line) is not None


def parse_opening(line: str) -> Opening | None:
    """The block that a whole command opens, or None where it opens none."""
    if "<<" not in line:
        return None
    for form in _FORMS:
        if found := form.match(line):
            marker = (found["quoted"] or found["bare"]).strip()
            if not marker:
                return None
            kind: Literal["write", "append", "patch"] = "write"
            if "patch" in form.groupindex:
                kind = "patch"
            elif found["append"] and found["append"].strip() not in (">", ">|"):
                kind = "append"
            return Opening(_path(found), marker, kind, found["strip"] == "-")
    return None


def joins(first: str, second: str) -> bool:
    """Whether a command may have been split between these lines: at an operator or after its first word."""
    return second.lstrip()[:1] in ("<", ">", "|") or _ENDS_OPEN.search(first) is not None


def _path(found: re.Match[str]) -> str:
    """The path without its quotes, also mismatched ones, and without the backslashes that protect characters."""
    path: str | None = found["double"] if found["double"] is not None else found["single"]
    if path is None:
        path = found["plain"].strip()
        path = path[1:] if path[:1] in ("'", '"') else path
        path = path[:-1] if path[-1:] in ("'", '"') else path
    return _ESCAPED.sub(r"\1", path) if "\\" in path else path
