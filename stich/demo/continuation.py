"""Going on after an interruption: the same SCOF answer without the files that are already there."""

import re
from pathlib import PurePosixPath

_WORD = r"""(?P<{name}>'[^'\n]*'|"[^"\n]*"|[^\s<>|&;'"]+)"""
_PATH = _WORD.format(name="path")
_MARKER = r"<<-?\s*" + _WORD.format(name="marker")
# the ways of opening a block that models use; recordings of real sessions hold all of them
_OPENINGS = [
    re.compile(rf"^\s*(?:[-*]\s+)?cat\s*>>?\s*{_PATH}\s*{_MARKER}", re.IGNORECASE),
    re.compile(rf"^\s*(?:[-*]\s+)?tee\s+{_PATH}\s*{_MARKER}", re.IGNORECASE),
    re.compile(rf"^\s*(?:[-*]\s+)?cat\s*{_MARKER}\s*>>?\s*{_PATH}", re.IGNORECASE),
    re.compile(rf"^\s*(?:[-*]\s+)?cat\s*{_MARKER}\s*\|\s*patch\s+(?:-\S+\s+)*{_PATH}", re.IGNORECASE),
]


def without_files(text: str, written: frozenset[str]) -> str:
    """Drop the blocks of the files in `written`, with the comment lines right above them; keep everything else."""
    if not written:
        return text
    done = {str(PurePosixPath(path)) for path in written}
    kept: list[str] = []
    marker: str | None = None
    dropping = False
    for line in text.splitlines(keepends=True):
        if marker is None:
            opening = next((found for pattern in _OPENINGS if (found := pattern.match(line))), None)
            if opening is not None:
                marker = opening["marker"].strip("'\"")
                dropping = str(PurePosixPath(opening["path"].strip("'\""))) in done
                while dropping and kept and kept[-1].lstrip().startswith("#"):
                    kept.pop()
            if not dropping:
                kept.append(line)
            continue
        if not dropping:
            kept.append(line)
        if line.strip() == marker:
            marker, dropping = None, False
    return "".join(kept)
