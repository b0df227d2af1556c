"""Applying blocks of search and replace as models write them, and reporting on each.

    <<<<<<< SEARCH
    lines that are in the file
    =======
    lines to stand there instead
    >>>>>>> REPLACE

A block is looked for exactly, then up to trailing whitespace, then up to a common indentation (the replacement gets
the indentation of the place), then by likeness: at least 0.9, and 0.05 ahead of any other run of lines. Blocks apply
one after the other; one that fails changes nothing and does not keep the others from applying.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import nlargest
from typing import Literal, TypeAlias

from codegen.similarity import OutOfWork, similar_windows
from codegen.text import MAX_PLACES, Edit, Likeness, Lines, Places, Shift

How: TypeAlias = Literal["exact", "trailing_whitespace", "indentation", "similarity", "new_file"]
Why: TypeAlias = Literal["missing", "ambiguous", "empty_search", "malformed"]

LONGEST = 8  # lines whose absence rules a place out at little cost
MAX_READINGS = 4  # of a block in which more than one line looks like its separator

_MARK = re.compile(r"(?P<sign>[<=>])(?P=sign){4,8}(?:\s*+(?P<word>SEARCH|REPLACE))?+", re.IGNORECASE)
_FENCE = re.compile(r"\s*(?:```|~~~)")
_MOVING = ("indentation", "similarity")
_HOW: dict[Likeness, How] = {
    Likeness.EXACT: "exact",
    Likeness.TRAILING: "trailing_whitespace",
    Likeness.INDENTED: "indentation",
}


@dataclass(frozen=True, slots=True)
class BlockReport:
    """What became of one block: `how` it was found or, where it was not `applied`, `why` and a sentence, `reason`.

    `number` counts blocks and `line` the lines of the input, both from 1; `candidates` is how many places it fits.
    """

    number: int
    line: int
    search: str
    replace: str
    applied: bool
    how: How | None = None
    why: Why | None = None
    reason: str = ""
    candidates: int = 0


@dataclass(frozen=True, slots=True)
class EditReport:
    """The text with every block applied that could be, and a report on each block."""

    text: str
    blocks: tuple[BlockReport, ...]

    @property
    def content(self) -> str:
        """The same as `text`."""
        return self.text

    @property
    def failed(self) -> tuple[BlockReport, ...]:
        """The blocks that were not applied."""
        return tuple(block for block in self.blocks if not block.applied)

    @property
    def ok(self) -> bool:
        """Whether there are blocks and all of them were applied."""
        return bool(self.blocks) and not self.failed


def apply_search_replace(text: str, blocks: str) -> EditReport:
    """Apply all `blocks` to `text`, which is empty for a new file. Line endings and a missing final newline are kept.

    A block that is malformed, missing or ambiguous is reported. Text between the blocks is ignored.
    Raises TooManyLines for a text of more than a million lines.
    """
    target = _Target(text)
    reports: list[BlockReport] = []
    for number, block in enumerate(_read(blocks), 1):
        outcome = _Outcome(why="malformed", reason=block.problem) if block.problem else _apply(target, block)
        search, replace = outcome.reading or block.readings()[0]
        reports.append(
            BlockReport(
                number=number,
                line=block.line,
                search="\n".join(search),
                replace="\n".join(replace),
                applied=outcome.how is not None,
                how=outcome.how,
                why=outcome.why,
                reason=outcome.reason,
                candidates=outcome.candidates,
            )
        )
    return EditReport(target.text, tuple(reports))


Rows: TypeAlias = Sequence[str]


@dataclass(slots=True)
class _Block:
    line: int
    width: int  # of the opening mark
    rows: list[str] = field(default_factory=list)  # between the outer marks
    separators: list[tuple[int, int]] = field(default_factory=list)  # index into rows, width
    problem: str = ""

    def readings(self) -> list[tuple[Rows, Rows]]:
        """What to search and what to put there, in every way the block can be read, the plainest first.

        A line of equal signs may be content, and a code fence may enclose the lines rather than be one of them.
        """
        separators = sorted(self.separators, key=lambda separator: separator[1] != self.width)[:MAX_READINGS]
        splits = [(self.rows[:at], self.rows[at + 1 :]) for at, _ in separators] or [(self.rows, [])]
        fenced = [(_unfenced(search), _unfenced(replace)) for search, replace in splits if _is_fenced(search)]
        return [*splits, *fenced]


@dataclass(frozen=True, slots=True)
class _Outcome:
    how: How | None = None
    why: Why | None = None
    reason: str = ""
    candidates: int = 0
    reading: tuple[Rows, Rows] | None = None


class _Target:
    """The text as it becomes, and where to find blocks of lines in it."""

    def __init__(self, text: str) -> None:
        self._take(text)

    def edit(self, start: int, stop: int, lines: Rows) -> None:
        """Put `lines` in the place of the lines `start` up to `stop`."""
        self._take(self._lines.spliced([Edit(start, stop, lines)]))

    def places_of(self, search: Rows, likeness: Likeness) -> list[int]:
        """Where it begins; without a close look where one of its longest lines occurs nowhere."""
        if not search or any(row.strip() not in self.text for row in nlargest(LONGEST, search, key=len)):
            return []
        return self._places.of(search, likeness)

    def _take(self, text: str) -> None:
        self.text = text
        self._lines = Lines(text)
        self.bodies = self._lines.bodies
        self._places = Places(self.bodies)


# Reading the blocks


def _read(blocks: str) -> list[_Block]:
    """The blocks, well formed or not, in order."""
    found: list[_Block] = []
    block: _Block | None = None
    for number, row in enumerate(blocks.split("\n"), 1):
        mark = _MARK.fullmatch(row.strip())
        sign, word = (mark["sign"], (mark["word"] or "").upper()) if mark else ("", "")
        if (sign, word) == ("<", "SEARCH"):
            if block is not None:
                block.problem = "The next block begins before this one has ended."
            block = _Block(number, row.count("<"))
            found.append(block)
        elif block is None:
            continue
        elif (sign, word) == (">", "REPLACE"):
            if not block.separators:
                block.problem = "There is no ======= between what to search and what to put there."
            block = None
        else:
            if (sign, word) == ("=", ""):
                block.separators.append((len(block.rows), row.count("=")))
            block.rows.append(row.removesuffix("\r"))
    if block is not None:
        block.problem = "The block does not end with >>>>>>> REPLACE."
    return found


def _is_fenced(rows: Rows) -> bool:
    return len(rows) >= 2 and _FENCE.match(rows[0]) is not None and rows[-1].strip() in ("```", "~~~")


def _unfenced(rows: Rows) -> Rows:
    return rows[1:-1] if _is_fenced(rows) else rows


# Applying one


def _apply(target: _Target, block: _Block) -> _Outcome:
    readings = block.readings()
    if not any(row.strip() for row in readings[0][0]):
        return _append(target, readings[0][1])
    for likeness, how in _HOW.items():
        places = [target.places_of(search, likeness) for search, _ in readings]
        fitting = [at for at, found in enumerate(places) if len(found) == 1]
        if fitting:  # of several readings that fit, the one that says most about the place
            best = max(fitting, key=lambda at: len(readings[at][0]))
            return _put(target, places[best][0], *readings[best], how)
        if places[0]:
            return _ambiguous(len(places[0]), at_least=len(places[0]) == MAX_PLACES)
    return _apply_similar(target, *readings[-1])


def _append(target: _Target, replace: Rows) -> _Outcome:
    if target.text.strip():
        return _Outcome(why="empty_search", reason="There is nothing to search, and the file is not empty.")
    target.edit(len(target.bodies), len(target.bodies), replace)
    return _Outcome(how="new_file", candidates=1)


def _apply_similar(target: _Target, search: Rows, replace: Rows) -> _Outcome:
    try:
        windows = similar_windows(target.bodies, search)
    except OutOfWork as error:
        if error.found > 1:
            return _ambiguous(error.found, at_least=True)
        return _Outcome(why="missing", reason="It is not in the file as written, and too much of the file is like it.")
    if not windows:
        wanted = next((row.strip() for row in search if row.strip()), "")
        return _Outcome(why="missing", reason=f"It is not in the file, and nothing like it: '{wanted[:100]}' ...")
    if len(windows) > 1:
        return _ambiguous(len(windows))
    return _put(target, windows[0].start, search, replace, "similarity")


def _put(target: _Target, start: int, search: Rows, replace: Rows, how: How) -> _Outcome:
    stop = start + len(search)
    moved = Shift(search, target.bodies[start:stop]).applied(replace) if how in _MOVING else replace
    target.edit(start, stop, moved)
    return _Outcome(how=how, candidates=1, reading=(search, replace))


def _ambiguous(count: int, *, at_least: bool = False) -> _Outcome:
    many = f"{count:,} or more" if at_least else f"{count:,}"
    reason = f"It fits {many} places; it needs more lines around it to tell them apart."
    return _Outcome(why="ambiguous", reason=reason, candidates=count)
