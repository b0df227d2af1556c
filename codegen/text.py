"""Lines of a text with their endings kept apart, the places where a block of lines occurs, and moving indentation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

MAX_LINES = 1_000_000  # each distinct line gets a code point of its own below, and there are 1.1 million
MAX_PLACES = 1_000  # more places than this are not told apart
MAX_CHECKED_LINES = 1_000_000  # nor are places whose indentation would take longer to compare
MAX_SHIFT_LINES = 50  # to each side, from which a change of indentation is learnt


class TooManyLines(ValueError):
    """The text has more than MAX_LINES lines."""


@dataclass(frozen=True, slots=True)
class Edit:
    """Lines `start` up to `stop` become `lines`. Of `ends`, '' means: the ending that is usual there."""

    start: int
    stop: int
    lines: Sequence[str]
    ends: Sequence[str] = ()


class Lines:
    """A text as `bodies`, its lines without their ends, and `ends`: newline, CRLF, or '' at the end of the text."""

    def __init__(self, text: str) -> None:
        bodies = text.split("\n")
        last = bodies.pop()
        if len(bodies) > MAX_LINES:
            raise TooManyLines(f"The text has more than {MAX_LINES:,} lines.")
        if "\r" in text:
            self.ends = ["\r\n" if body.endswith("\r") else "\n" for body in bodies]
            self.bodies = [body.removesuffix("\r") for body in bodies]
        else:
            self.ends = ["\n"] * len(bodies)
            self.bodies = bodies
        if last:
            self.bodies.append(last)
            self.ends.append("")

    def spliced(self, edits: Sequence[Edit], final_newline: bool | None = None) -> str:
        """The text with `edits` made, which come in order and do not overlap.

        The last line keeps its newline or its lack of one (a new text has one), unless `final_newline` tells.
        """
        if final_newline is None:
            final_newline = not self.ends or self.ends[-1] != ""
        bodies: list[str] = []
        ends: list[str] = []
        position = 0
        for edit in edits:
            bodies += self.bodies[position : edit.start]
            ends += self.ends[position : edit.start]
            usual = self._usual_end(edit.start)
            bodies += edit.lines
            ends += [end or usual for end in edit.ends or [""] * len(edit.lines)]
            position = edit.stop
        bodies += self.bodies[position:]
        ends += self.ends[position:]
        if not bodies:
            return ""
        if self.ends and self.ends[-1] == "":  # the line that had no newline may no longer be the last
            usual = self._usual_end(len(self.ends) - 1)
            ends = [end or usual for end in ends]
        if not final_newline:
            ends[-1] = ""
        elif not ends[-1]:
            ends[-1] = "\n"
        return "".join([part for line in zip(bodies, ends, strict=True) for part in line])

    def _usual_end(self, at: int) -> str:
        """The end for a new line at index `at`: of the line it replaces, or else of a neighbour."""
        neighbours = (self.ends[index] for index in (at, at - 1, at + 1) if 0 <= index < len(self.ends))
        return next((end for end in neighbours if end), "\n")


class Likeness(IntEnum):
    """How far two lines may differ and still be taken for the same, from not at all."""

    EXACT = 0
    TRAILING = 1  # up to trailing whitespace
    INDENTED = 2  # and up to an indentation common to the block
    SPACED = 3  # up to any whitespace

    def key(self, line: str) -> str:
        """What of the line counts: lines with the same key are the same."""
        return _KEYS[self](line)


_KEYS: dict[Likeness, Callable[[str], str]] = {
    Likeness.EXACT: str,
    Likeness.TRAILING: str.rstrip,
    Likeness.INDENTED: str.strip,
    Likeness.SPACED: lambda line: "".join(line.split()),
}


class Places:
    """Finds blocks of lines within `bodies`, at each likeness.

    Distinct lines become distinct characters, so that finding a block is finding a string: linear, and in C.
    """

    def __init__(self, bodies: Sequence[str]) -> None:
        self.bodies = bodies
        self._encoded: dict[Likeness, tuple[dict[str, int], str]] = {}

    def of(self, block: Sequence[str], likeness: Likeness) -> list[int]:
        """Where the non-empty `block` begins, in order; at most MAX_PLACES places."""
        text, wanted = self._encode(block, likeness)
        places: list[int] = []
        at = text.find(wanted) if wanted else -1
        while at >= 0 and len(places) < MAX_PLACES:
            places.append(at)
            at = text.find(wanted, at + 1)
        if likeness is Likeness.INDENTED and (len(places) == 1 or len(places) * len(block) < MAX_CHECKED_LINES):
            places = [at for at in places if same_shift(block, self.bodies[at : at + len(block)])]
        return places

    def nearest(self, block: Sequence[str], target: int) -> int | None:
        """The exact place that is nearest to line `target`, or None where two are equally near."""
        text, wanted = self._encode(block, Likeness.EXACT)
        before = text.rfind(wanted, 0, target + len(wanted))
        after = text.find(wanted, target)
        if before < 0 or after < 0:
            return max(before, after)
        if before != after and target - before == after - target:
            return None
        return before if target - before < after - target else after

    def _encode(self, block: Sequence[str], likeness: Likeness) -> tuple[str, str]:
        """The whole text and the block as characters; '' for a block with a line that occurs nowhere."""
        key = _KEYS[likeness]
        if likeness not in self._encoded:
            codes: dict[str, int] = {}
            text = "".join([chr(codes.setdefault(key(body), len(codes))) for body in self.bodies])
            self._encoded[likeness] = codes, text
        codes, text = self._encoded[likeness]
        wanted = [codes.get(key(line)) for line in block]
        return text, "" if None in wanted else "".join([chr(code) for code in wanted if code is not None])


def indentation(line: str) -> str:
    """The whitespace that a line starts with."""
    return line[: len(line) - len(line.lstrip())]


def same_shift(block: Sequence[str], found: Sequence[str]) -> bool:
    """Whether lines that are equal but for their indentation are shifted as one block."""
    pairs = [
        (indentation(ours), indentation(theirs)) for ours, theirs in zip(block, found, strict=True) if ours.strip()
    ]
    ours = _common_start([pair[0] for pair in pairs])
    theirs = _common_start([pair[1] for pair in pairs])
    return all(first[ours:] == second[theirs:] for first, second in pairs)


class Shift:
    """How the indentation of a block maps to that of the place where it was found.

    It is learnt from their lines, those around line `near` first.
    """

    def __init__(self, block: Sequence[str], found: Sequence[str], near: int = 0) -> None:
        self._known: dict[str, str] = {}
        begin, end = max(0, near - MAX_SHIFT_LINES), near + MAX_SHIFT_LINES
        pairs = list(enumerate(zip(block[begin:end], found[begin:end], strict=True), begin))
        pairs.sort(key=lambda pair: abs(pair[0] - near))
        for _, (ours, theirs) in pairs:
            if ours.strip():
                self._known.setdefault(indentation(ours), indentation(theirs))
        self._step = self._smallest_step()

    def applied(self, lines: Sequence[str]) -> list[str]:
        """The lines with the indentation that they have at the place."""
        return [self._applied(line) for line in lines]

    def _applied(self, line: str) -> str:
        lead = indentation(line)
        if not self._known or not line.strip() or self._known.get(lead) == lead:
            return line
        return self._moved(lead) + line[len(lead) :]

    def _moved(self, lead: str) -> str:
        base = max((known for known in self._known if lead.startswith(known)), key=len, default=None)
        if base is not None:
            return self._known[base] + self._translated(lead[len(base) :])
        base = min(self._known, key=len)
        if not base.startswith(lead):
            return lead
        less = self._translated(base[len(lead) :])
        target = self._known[base]
        return target.removesuffix(less) if target.endswith(less) else target[: max(0, len(target) - len(less))]

    def _translated(self, extra: str) -> str:
        """Indentation beyond what is known: in steps of the place's own, where both have steps."""
        ours, theirs = self._step
        times = len(extra) // len(ours) if ours else 0
        return theirs * times if times and ours * times == extra else extra

    def _smallest_step(self) -> tuple[str, str]:
        steps = [
            (inner[len(outer) :], self._known[inner][len(self._known[outer]) :])
            for outer in self._known
            for inner in self._known
            if inner != outer and inner.startswith(outer) and self._known[inner].startswith(self._known[outer])
        ]
        return min((step for step in steps if step[1]), key=lambda step: len(step[0]), default=("", ""))


def _common_start(leads: Sequence[str]) -> int:
    """How many characters all of `leads` have in common at their start."""
    if not leads:
        return 0
    first, last = min(leads), max(leads)
    return next((at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
