"""Whether a process does anything: what tells one that is slow from one that is stuck."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")


def effort(pid: int) -> float | None:
    """Seconds for which a process and its descendants have run, or have waited for a processor, since they started.

    None where this system does not tell.
    """
    total, told = 0.0, False
    for each in _family(pid):
        for thread in (PROC / str(each) / "task").glob("*/schedstat"):
            with contextlib.suppress(OSError, ValueError):  # ended meanwhile
                ran, waited, _ = thread.read_text().split()
                total, told = total + (int(ran) + int(waited)) / 1e9, True
    return total if told else None


def _family(pid: int) -> Iterator[int]:
    yield pid
    for thread in (PROC / str(pid) / "task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, thread.read_text().split()):
                yield from _family(child)
