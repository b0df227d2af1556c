"""Which files of a phase can be written by calls that run side by side.

A file is written after those it uses, so that whoever writes it sees them; files that do not need each other may be
written at once. A call beside another sends the whole context again and knows nothing of what the other writes: it must
save much time to be worth that.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from schemas.blueprint import PlannedFile

Wave = list[list[str]]
"""Calls that run side by side, each the paths of the files it writes."""

CALL_WEIGHT: Final = 1  # what a call costs before its first line, in the same measure as `_weight`
LEAST: Final = 4  # what a call should have to write
MOST_CALLS: Final = 5  # of one phase: each is a step of the workflow
SAVING: Final = 0.25  # of the time of one call: the least that is worth several


def waves(files: Sequence[PlannedFile], at_once: int) -> list[Wave]:
    """The calls that write `files`, wave after wave, with at most `at_once` calls in each.

    One wave of one call where the plan does not say what uses what, or where several would save too little.
    """
    one_call = [[[file.path for file in files]]]
    uses = _uses(files)
    if at_once < 2 or not any(uses.values()):
        return one_call
    planned = _joined([_shared_out(level, at_once) for level in _levels(uses)])
    if sum(map(len, planned)) > MOST_CALLS:
        return waves(files, at_once - 1)
    return planned if _time(planned) <= (1 - SAVING) * _time(one_call) else one_call


def _uses(files: Sequence[PlannedFile]) -> dict[str, set[str]]:
    paths = {file.path for file in files}
    return {file.path: (set(file.uses) & paths) - {file.path} for file in files}


def _levels(uses: Mapping[str, set[str]]) -> list[list[str]]:
    """Files by how many others have to be there first. Of a circle, the first named goes first."""
    levels: dict[str, int] = {}

    def level(path: str, above: tuple[str, ...]) -> int:
        if path not in levels:
            needed = [level(other, (*above, path)) for other in sorted(uses[path]) if other not in (*above, path)]
            levels.setdefault(path, 1 + max(needed, default=-1))
        return levels[path]

    for path in uses:
        level(path, ())
    return [[path for path in uses if levels[path] == number] for number in range(max(levels.values()) + 1)]


def _shared_out(paths: list[str], at_once: int) -> Wave:
    """The files in groups of about the same weight, the heavy ones shared out first."""
    worth = sum(map(_weight, paths)) // LEAST
    groups: Wave = [[] for _ in range(max(1, min(at_once, len(paths), worth)))]
    for path in sorted(paths, key=_weight, reverse=True):
        min(groups, key=lambda group: sum(map(_weight, group))).append(path)
    return groups


def _joined(planned: list[Wave]) -> list[Wave]:
    """Waves that would save less than the call they cost are written in one call with the wave before."""
    found: list[Wave] = []
    for wave in planned:
        if found and _time([[_flat(found[-1]) + _flat(wave)]]) <= _time([found[-1], wave]):
            found[-1] = [_flat(found[-1]) + _flat(wave)]
        else:
            found.append(wave)
    return found


def _flat(wave: Wave) -> list[str]:
    return [path for group in wave for path in group]


def _time(planned: list[Wave]) -> int:
    """How long the waves take, in the measure of `_weight`."""
    return sum(CALL_WEIGHT + max(sum(map(_weight, group)) for group in wave) for wave in planned)


def _weight(path: str) -> int:
    """Roughly how long a file takes to write: a component is some three times as long as what it uses."""
    return 3 if path.endswith((".tsx", ".jsx", ".vue", ".svelte")) else 1
