"""Two changes of one text brought together, line by line."""

from io import StringIO
from typing import NamedTuple

from merge3 import Merge3

MINE = "<<<<<<< your edit\n"
MIDDLE = "=======\n"
THEIRS = ">>>>>>> the session\n"

MAX_LINES = 6_000
"""Of one text; beyond it a merge takes too long to be waited for, and both texts count as one conflict."""


class Merged(NamedTuple):
    """The merged text; where `conflicts` is not 0 it holds markers around as many places."""

    text: str
    conflicts: int


def merge(base: str, mine: str, theirs: str) -> Merged:
    """`base` with the changes of both `mine` and `theirs`.

    Changes of the same lines, or of lines that touch, are in conflict unless they are equal. Ends of lines are kept as
    they are; a missing one before a marker is supplied.
    """
    if mine in (theirs, base):
        return Merged(theirs, 0)
    if theirs == base:
        return Merged(mine, 0)
    a, b = _lines(mine), _lines(theirs)
    origin = _lines(base)
    if max(len(origin), len(a), len(b)) > MAX_LINES:
        return Merged(_marked(mine, theirs), 1)
    merged: list[str] = []
    conflicts = 0
    for region in Merge3(origin, a, b).merge_regions():
        match region:
            case ("unchanged", start, end):
                merged += origin[start:end]
            case ("a" | "same", start, end):
                merged += a[start:end]
            case ("b", start, end):
                merged += b[start:end]
            case (_, _, _, mine_start, mine_end, theirs_start, theirs_end):
                merged.append(_marked("".join(a[mine_start:mine_end]), "".join(b[theirs_start:theirs_end])))
                conflicts += 1
    return Merged("".join(merged), conflicts)


def _lines(text: str) -> list[str]:
    """Lines with their ends; only a line feed ends one."""
    return StringIO(text, newline="\n").readlines()


def _marked(mine: str, theirs: str) -> str:
    return MINE + _ended(mine) + MIDDLE + _ended(theirs) + THEIRS


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"
