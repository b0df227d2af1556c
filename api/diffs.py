"""Unified diffs of texts, as `git apply` and `patch` read them."""

import difflib
from collections.abc import Iterator
from io import StringIO
from typing import NamedTuple

MAX_BYTES = 400_000
MAX_LINES = 8_000
"""Of both texts together; beyond it comparing takes too long to be waited for."""


class Diff(NamedTuple):
    """The diff, and how many lines it adds and removes."""

    text: str
    added: int
    removed: int


def unified(path: str, before: str | None, after: str | None) -> Diff | None:
    """How a file changed; None as a text means that there was no file. None for texts too large to compare."""
    old, new = _lines(before), _lines(after)
    if len(before or "") + len(after or "") > MAX_BYTES or len(old) + len(new) > MAX_LINES:
        return None
    names = ("/dev/null" if before is None else f"a/{path}", "/dev/null" if after is None else f"b/{path}")
    lines = list(_written(difflib.unified_diff(old, new, *names)))
    body = lines[2:]
    return Diff(
        "".join(lines),
        sum(line.startswith("+") for line in body),
        sum(line.startswith("-") for line in body),
    )


def _lines(text: str | None) -> list[str]:
    """Lines with their ends; only a line feed ends one."""
    return StringIO(text or "", newline="\n").readlines()


def _written(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        yield line
        if not line.endswith("\n"):
            yield "\n\\ No newline at end of file\n"
