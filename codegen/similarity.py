"""The runs of lines of a text that are most like a given run, in bounded time."""

from collections.abc import Sequence
from itertools import accumulate, compress
from operator import sub
from typing import NamedTuple

ENOUGH = 0.9
GAP = 0.05  # by which the best must be ahead of any other

MAX_WORK = 60_000  # steps of comparing characters in one search: about 10 ms
MAX_LENGTHS = 100_000  # lengths of lines compared first, the longest of each run before the others: about 10 ms


class Window(NamedTuple):
    """A run of lines that begins at index `start`. 1.0 is equality, whitespace around the lines aside."""

    start: int
    likeness: float


class OutOfWork(Exception):
    """Too many runs are too much alike to compare them all; `found` of those compared are like enough."""

    def __init__(self, found: int = 0) -> None:
        super().__init__(found)
        self.found = found


def similar_windows(bodies: Sequence[str], block: Sequence[str]) -> list[Window]:
    """The run of as many lines as `block` that is most like it, if at least ENOUGH, then those within GAP of it.

    Lines are compared one to one. Likeness is the share of characters that they have in common, in order, of all
    characters of both runs. Raises OutOfWork.
    """
    comparison = _Comparison(bodies, block)
    best = comparison.windows(ENOUGH)
    if not best:
        return []
    return comparison.windows(best[0].likeness - GAP)


def common_subsequence(a: str, b: str) -> int:
    """Length of the longest common subsequence, in one step on an integer of len(a) bits per character of `b`."""
    masks: dict[str, int] = {}
    for at, character in enumerate(a):
        masks[character] = masks.get(character, 0) | 1 << at
    full = (1 << len(a)) - 1
    row = full
    for character in b:
        hit = row & masks.get(character, 0)
        row = ((row + hit) | (row - hit)) & full
    return len(a) - row.bit_count()


class _Comparison:
    def __init__(self, bodies: Sequence[str], block: Sequence[str]) -> None:
        self._wanted = [line.strip() for line in block]
        self._weight = sum(map(len, self._wanted))
        self._lines = [body.strip() for body in bodies]
        self._longest_first = sorted(range(len(block)), key=lambda at: -len(self._wanted[at]))
        self._trigrams: dict[int, set[tuple[str, str, str]]] = {}
        self._losses: dict[tuple[int, str], int] = {}
        self._work = MAX_WORK

    def windows(self, floor: float) -> list[Window]:
        """The runs at least `floor` like the wanted one, the most alike first."""
        found: list[Window] = []
        try:
            for start in self._candidates(floor):
                likeness = self._likeness(start, floor)
                if likeness >= floor:
                    found.append(Window(start, likeness))
        except OutOfWork:
            raise OutOfWork(len(found)) from None
        return sorted(found, key=lambda window: (-window.likeness, window.start))

    def _candidates(self, floor: float) -> list[int]:
        """Where the lengths of the lines, which bound what two runs have in common, allow for so much likeness."""
        size, weight = len(self._wanted), self._weight
        least, most = weight * floor / (2 - floor), weight * (2 - floor) / floor
        allowed = (1 - floor) * (weight + most)
        if size > len(self._lines) or not weight:
            return []
        lengths = list(map(len, self._lines))
        ends = list(accumulate(lengths, initial=0))
        totals = map(sub, ends[size:], ends)
        starts = [start for start, total in enumerate(totals) if least <= total <= most]
        lost = [0] * len(starts)
        looks = MAX_LENGTHS
        for at in self._longest_first:
            looks -= len(starts)
            if looks < 0:
                break
            length = len(self._wanted[at])
            lost = [so_far + abs(length - lengths[start + at]) for start, so_far in zip(starts, lost, strict=True)]
            if max(lost, default=0) > allowed:
                fits = [value <= allowed for value in lost]
                starts, lost = list(compress(starts, fits)), list(compress(lost, fits))
        return starts

    def _likeness(self, start: int, floor: float) -> float:
        """Likeness of the run at `start`, or 0.0 as soon as it is known to be less than `floor`."""
        theirs = self._lines[start : start + len(self._wanted)]
        total = self._weight + sum(map(len, theirs))
        allowed = (1 - floor) * total + 1e-9
        self._spend(15 + len(theirs) // 4)
        lost = 0
        for at in self._longest_first:
            if self._wanted[at] != theirs[at]:
                lost += self._loss(at, theirs[at], allowed - lost)
                if lost > allowed:
                    return 0.0
        return 1 - lost / total

    def _loss(self, at: int, theirs: str, allowed: float) -> int:
        """Characters that the wanted line and theirs do not have in common, or any number above `allowed`."""
        loss = self._losses.get((at, theirs))
        if loss is None:
            ours = self._wanted[at]
            loss = self._least_loss(at, theirs)
            if loss > allowed:
                return loss
            start, stop = _common_edges(ours, theirs)
            a, b = ours[start : len(ours) - stop], theirs[start : len(theirs) - stop]
            self._spend((len(a) + len(b)) * (1 + len(a) // 1024))
            loss = len(a) + len(b) - 2 * common_subsequence(a, b)
            self._losses[at, theirs] = loss
        return loss

    def _least_loss(self, at: int, theirs: str) -> int:
        """A bound by counting: each character lost or added takes at most three of the runs of three with it."""
        ours = self._wanted[at]
        if at not in self._trigrams:
            self._spend(len(ours) // 4)
            self._trigrams[at] = set(zip(ours, ours[1:], ours[2:], strict=False))
        self._spend(len(theirs) // 4)
        shared = sum(map(self._trigrams[at].__contains__, zip(theirs, theirs[1:], theirs[2:], strict=False)))
        return max(abs(len(ours) - len(theirs)), -((shared + 2 - len(theirs)) // 3))

    def _spend(self, steps: int) -> None:
        self._work -= steps
        if self._work < 0:
            raise OutOfWork


def _common_edges(a: str, b: str) -> tuple[int, int]:
    """How many characters two lines have in common at their start and, after those, at their end."""
    start = _common_start(a, b)
    return start, _common_start(a[start:][::-1], b[start:][::-1])


def _common_start(a: str, b: str) -> int:
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
