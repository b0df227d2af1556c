"""Applying a unified diff as models write them: hunks are found by their content, line numbers are only hints.

A hunk is looked for in this order, and the first way that finds it decides:

    1. exactly, in one place
    2. exactly, in several: the one nearest to the hinted line, if the hint is plausible (a line of the file, and no
       other hunk of the diff claims the same; two places equally near are ambiguous)
    3. up to trailing whitespace, 4. up to a common indentation, 5. up to any whitespace: in one place. For 4 and 5
       what is added gets the indentation of the place
    6. with less context at its edges: where strictly more of the context fits than anywhere else

Lines of context stay as the file has them, in every way of finding them.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, TypeAlias

from codegen.text import MAX_PLACES, Edit, Likeness, Lines, Places, Shift, TooManyLines, same_shift

DiffCode: TypeAlias = Literal["no_hunk", "missing", "ambiguous", "overlap", "would_empty", "not_emptied", "too_large"]

MAX_EDGE = 50  # lines of context at each edge that are compared when not all of it fits
MAX_SEQUENTIAL_WORK = 5_000_000  # hunks times lines, up to which hunks that build on each other are tried

_RANGES = re.compile(r"@@+\s*-(\d{1,9})(?:,(\d{1,9}))?\s+\+(\d{1,9})(?:,(\d{1,9}))?")


class DiffError(ValueError):
    """A diff that does not apply: `code`, `hunk` (from 1) and its `header`, and in how many places it fits."""

    def __init__(self, code: DiffCode, message: str, hunk: "_Hunk | None" = None, candidates: int = 0) -> None:
        super().__init__(f"Hunk {hunk.number} ({hunk.header}) {message}" if hunk else message)
        self.code: DiffCode = code
        self.hunk = hunk.number if hunk else None
        self.header = hunk.header if hunk else None
        self.candidates = candidates


def apply_unified_diff(text: str, diff: str) -> str:
    """The text with all hunks of the diff applied. Raises DiffError, naming the hunk, when one cannot be.

    An empty text stands for a file that does not exist yet. The text's line endings and its final newline (or lack
    of one) are kept. Only a diff with the header `+++ /dev/null` may leave nothing.
    """
    hunks, empties = _parse(diff)
    if not hunks and not empties:
        raise DiffError("no_hunk", "The diff has no hunk.")
    try:
        result = _apply(text, hunks) if hunks else ""
    except TooManyLines as error:
        raise DiffError("too_large", str(error)) from error
    if text and not result and not empties:
        raise DiffError("would_empty", "The diff would leave the file empty without saying so by '+++ /dev/null'.")
    if result and empties:
        raise DiffError("not_emptied", "The diff says '+++ /dev/null' but does not remove every line of the file.")
    return result


@dataclass(slots=True)
class _Line:
    tag: str  # ' ', '-' or '+'
    text: str
    end: str = ""  # as the diff wrote it; '' where it does not tell line ends apart
    bare: bool = False  # a blank line without the space that context starts with
    last: bool = False  # followed by "\ No newline at end of file"


@dataclass(slots=True)
class _Hunk:
    number: int
    header: str
    hint: int | None = None
    counts: tuple[int, int] | None = None  # of old and new lines, as the header has them
    lines: list[_Line] = field(default_factory=list)

    @property
    def before(self) -> list[str]:
        return [line.text for line in self.lines if line.tag != "+"]

    def seen(self) -> tuple[int, int]:
        """How many old and new lines there are."""
        added = sum(line.tag == "+" for line in self.lines)
        removed = sum(line.tag == "-" for line in self.lines)
        return len(self.lines) - added, len(self.lines) - removed

    def edges(self) -> tuple[int, int]:
        """How many lines of context stand before the first and after the last change."""
        changed = [at for at, line in enumerate(self.lines) if line.tag != " "]
        return (changed[0], len(self.lines) - 1 - changed[-1]) if changed else (len(self.lines), 0)


@dataclass(slots=True)
class _Found:
    """The hunk's first old line stands at `origin` of the file, or would: old lines `first` to `stop` were found."""

    origin: int
    first: int
    stop: int
    likeness: Likeness


# Reading the diff


def _parse(diff: str) -> tuple[list[_Hunk], bool]:
    """The hunks, and whether the diff means to remove the file."""
    rows = _rows(diff)
    hunks: list[_Hunk] = []
    hunk: _Hunk | None = None
    empties = False
    old = new = 0
    if not any(row.startswith("@@") for row in rows):
        headed = len(rows) >= 2 and _is_header(rows[0], rows[1])
        empties = headed and rows[1].startswith("+++ /dev/null")
        rows = ["@@", *(rows[2:] if headed and (empties or len(rows) > 2 or _is_prefixed(*rows)) else rows)]
        if not any(row.startswith(("+", "-")) for row in rows):
            return [], empties
    for at, row in enumerate(rows):
        if row.startswith("@@"):
            hunk = _Hunk(len(hunks) + 1, row.strip())
            hunks.append(hunk)
            old = new = 0
            if ranges := _RANGES.match(row):
                hunk.hint = int(ranges[1])
                hunk.counts = (int(ranges[2] or 1), int(ranges[4] or 1))
        elif hunk is None:
            empties = empties or row.startswith("+++ /dev/null")
        elif row.startswith("diff --git ") or _headers_follow(rows, at, hunk, old, new):
            hunk = None
        elif row.startswith("\\"):
            if hunk.lines:
                hunk.lines[-1].last = True
        else:
            line = _line(row)
            old += line.tag != "+"
            new += line.tag != "-"
            hunk.lines.append(line)
    for hunk in hunks:
        _drop_separators(hunk)
    hunks = [hunk for hunk in hunks if hunk.lines]
    _read_ends(hunks)
    return hunks, empties


def _rows(diff: str) -> list[str]:
    """The diff's lines, without a code fence around them, and without CRs where every line has one."""
    rows = diff.removesuffix("\n").split("\n")
    if len(rows) > 1 and all(row.endswith("\r") for row in rows[:-1]):
        rows = [row.removesuffix("\r") for row in rows]
    filled = [at for at, row in enumerate(rows) if row]
    if filled and rows[filled[0]].startswith("```"):
        end = filled[-1] if rows[filled[-1]].rstrip() == "```" else len(rows)
        return rows[filled[0] + 1 : end]
    return rows[filled[0] :] if filled else []


def _line(row: str) -> _Line:
    if row[:1] in (" ", "-", "+"):
        return _Line(row[0], row[1:])
    return _Line(" ", row, bare=row in ("", "\r"))


def _headers_follow(rows: Sequence[str], at: int, hunk: _Hunk, old: int, new: int) -> bool:
    """Whether the hunk has ended and rows `at` and `at + 1` are the headers of a next one.

    They could as well be a deleted line `-- x` and an added `++ y`. The counts tell, and where they do not, the names.
    """
    if not hunk.lines or at + 2 >= len(rows) or not rows[at + 2].startswith("@@"):
        return False
    if not (rows[at].startswith("--- ") and rows[at + 1].startswith("+++ ")):
        return False
    if hunk.counts is not None and old >= hunk.counts[0] and new >= hunk.counts[1]:
        return True
    return _is_prefixed(rows[at], rows[at + 1]) or (hunk.counts is None and _is_header(rows[at], rows[at + 1]))


def _is_prefixed(first: str, second: str) -> bool:
    return first.startswith("--- a/") and second.startswith("+++ b/")


def _is_header(first: str, second: str) -> bool:
    """Whether two lines name the old and the new file."""
    if not (first.startswith("--- ") and second.startswith("+++ ")):
        return False
    old, new = (row[4:].split("\t")[0].strip() for row in (first, second))
    return "/dev/null" in (old, new) or old.removeprefix("a/") == new.removeprefix("b/")


def _drop_separators(hunk: _Hunk) -> None:
    """Blank lines that end a hunk belong to it only if its counts include them."""
    if hunk.counts is not None and hunk.seen()[0] <= hunk.counts[0]:
        return
    while hunk.lines and hunk.lines[-1].bare:
        hunk.lines.pop()


def _read_ends(hunks: Sequence[_Hunk]) -> None:
    """Take the CR off lines that have one; where some have, all line ends are meant as they stand."""
    lines = [line for hunk in hunks for line in hunk.lines if not line.last]
    if any(line.text.endswith("\r") for line in lines):
        for line in lines:
            line.end = "\r\n" if line.text.endswith("\r") else "\n"
            line.text = line.text.removesuffix("\r")


# Applying it


def _apply(text: str, hunks: Sequence[_Hunk]) -> str:
    try:
        return _apply_at_once(text, hunks)
    except DiffError as error:
        if error.code == "ambiguous" or len(hunks) * text.count("\n") > MAX_SEQUENTIAL_WORK:
            raise
        try:
            return _apply_in_turn(text, hunks)
        except DiffError:
            raise error from None


def _apply_at_once(text: str, hunks: Sequence[_Hunk]) -> str:
    """Find every hunk in the file as it was, which is what a diff describes."""
    lines = Lines(text)
    places = Places(lines.bodies)
    claimed = Counter(hunk.hint for hunk in hunks)
    changes: list[tuple[Edit, _Hunk]] = []
    final_newline: bool | None = None
    for hunk in hunks:
        hint = hunk.hint if claimed[hunk.hint] == 1 else None
        found = _find(hunk, places, hint)
        changes += [(edit, hunk) for edit in _edits(hunk, found, lines)]
        final_newline = _final_newline(hunk, found, lines, final_newline)
    changes.sort(key=lambda change: (change[0].start, change[0].stop))
    for (earlier, _), (later, hunk) in pairwise(changes):
        if earlier.stop > later.start:
            raise DiffError("overlap", "changes lines that another hunk changes too.", hunk)
    return lines.spliced([edit for edit, _ in changes], final_newline)


def _apply_in_turn(text: str, hunks: Sequence[_Hunk]) -> str:
    """Find each hunk in what the hunks before it made."""
    for hunk in hunks:
        text = _apply_at_once(text, [hunk])
    return text


def _find(hunk: _Hunk, places: Places, hint: int | None) -> _Found:
    before = hunk.before
    size = len(places.bodies)
    if not before:
        return _find_bare_addition(hunk, size)
    for likeness in Likeness:
        at = places.of(before, likeness)
        if len(at) > 1 and likeness is Likeness.EXACT and hint is not None and 1 <= hint <= size:
            nearest = places.nearest(before, hint - 1)
            at = at if nearest is None else [nearest]
        if len(at) > 1:
            raise _ambiguous(hunk, len(at))
        if at:
            return _Found(at[0], 0, len(before), likeness)
    return _find_with_less_context(hunk, places)


def _find_bare_addition(hunk: _Hunk, size: int) -> _Found:
    """Added lines alone: all of a new file, or after a line that a header with correct counts names."""
    if size == 0:
        return _Found(0, 0, 0, Likeness.EXACT)
    if hunk.hint is not None and 1 <= hunk.hint <= size and hunk.counts == (0, len(hunk.lines)):
        return _Found(hunk.hint, 0, 0, Likeness.EXACT)
    raise DiffError("missing", "only adds lines, and has no line of context that says where.", hunk)


def _find_with_less_context(hunk: _Hunk, places: Places) -> _Found:
    before = hunk.before
    lead, trail = hunk.edges()
    core = before[lead : len(before) - trail]
    head, tail = before[:lead], before[len(before) - trail :]
    tied = 0
    for likeness in Likeness:
        fits: list[tuple[int, _Found]] = []
        starts = places.of(core, likeness) if core else _anchors(head, tail, places, likeness)
        if len(starts) >= MAX_PLACES:
            raise _ambiguous(hunk, len(starts))
        for start in starts:
            above = _matching(head[::-1], places.bodies, range(start - 1, -1, -1), likeness)
            below = _matching(tail, places.bodies, range(start + len(core), len(places.bodies)), likeness)
            found = _Found(start - lead, lead - above, lead + len(core) + below, likeness)
            ours, theirs = _pairs(before, places.bodies, found)
            if not core and not any(line.strip() for line in ours):
                continue
            if likeness is not Likeness.INDENTED or same_shift(ours, theirs):
                fits.append((above + below, found))
        best = max((score for score, _ in fits), default=0)
        winners = [found for score, found in fits if score == best]
        if len(winners) == 1:
            return winners[0]
        tied = tied or len(winners)
    if tied:
        raise _ambiguous(hunk, tied)
    wanted = next((line.strip() for line in [*core, *before] if line.strip()), "")
    raise DiffError("missing", f"was not found; no place fits its line '{wanted[:100]}' and those around it.", hunk)


def _anchors(head: Sequence[str], tail: Sequence[str], places: Places, likeness: Likeness) -> list[int]:
    """Where an addition could go: after the last line of context before it, or before the first one after it."""
    after = [at + 1 for at in places.of(head[-1:], likeness)] if head else []
    before = places.of(tail[:1], likeness) if tail else []
    return sorted({*after, *before})


def _matching(context: Sequence[str], bodies: Sequence[str], at: range, likeness: Likeness) -> int:
    """How many lines of context fit, outwards from the change."""
    count = 0
    for ours, index in zip(context[:MAX_EDGE], at, strict=False):
        if likeness.key(ours) != likeness.key(bodies[index]):
            break
        count += 1
    return count


def _pairs(before: Sequence[str], bodies: Sequence[str], found: _Found) -> tuple[Sequence[str], Sequence[str]]:
    """The old lines that were found, and what stands there."""
    return before[found.first : found.stop], bodies[found.origin + found.first : found.origin + found.stop]


def _edits(hunk: _Hunk, found: _Found, lines: Lines) -> list[Edit]:
    """The hunk's runs of changed lines, placed."""
    moves = found.likeness >= Likeness.INDENTED
    ours, theirs = _pairs(hunk.before, lines.bodies, found)
    edits: list[Edit] = []
    position = found.origin
    run: list[_Line] = []
    for line in [*hunk.lines, _Line(" ", "")]:
        if line.tag != " ":
            run.append(line)
            continue
        if run:
            added = [change for change in run if change.tag == "+"]
            stop = position + len(run) - len(added)
            texts = [change.text for change in added]
            if moves:
                texts = Shift(ours, theirs, near=position - found.origin - found.first).applied(texts)
            edits.append(Edit(position, stop, texts, [change.end for change in added]))
            position, run = stop, []
        position += 1
    return edits


def _final_newline(hunk: _Hunk, found: _Found, lines: Lines, so_far: bool | None) -> bool | None:
    """Whether the result ends with a newline, where the hunk reaches the end of the file and says so."""
    if found.origin + len(hunk.before) < len(lines.bodies) or not any(line.last for line in hunk.lines):
        return so_far
    return not any(line.last and line.tag != "-" for line in hunk.lines)


def _ambiguous(hunk: _Hunk, count: int) -> DiffError:
    many = f"{count:,} or more" if count >= MAX_PLACES else str(count)
    return DiffError("ambiguous", f"fits {many} places; it needs more context to tell them apart.", hunk, count)
