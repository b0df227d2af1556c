"""What a process and its descendants hold of the machine, read from /proc.

Resident pages are not all of it: files that no path leads to any more keep their disk space while they are open, and
sockets keep what nobody has received.
"""

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_MOST_PROCESSES: Final = 10_000
_MOST_DESCRIPTORS: Final = 16_384  # of a whole family: a development server has some forty
_SOCKET_BYTES: Final = 208 * 1024  # what the kernel lets a socket keep whose buffers nobody enlarged


@dataclass(frozen=True)
class Held:
    """Bytes of memory, bytes of disk in files without a name, and whether there are more open files than allowed."""

    memory: int
    nameless: int
    too_many_files: bool


def held(pid: int) -> Held:
    """What a process and all its descendants hold now."""
    memory = nameless = descriptors = 0
    seen: set[tuple[int, int]] = set()
    for process in _family(pid):
        memory += _resident(process)
        with contextlib.suppress(OSError), os.scandir(process / "fd") as entries:
            for entry in entries:
                descriptors += 1
                if descriptors > _MOST_DESCRIPTORS:
                    return Held(memory, nameless, too_many_files=True)
                with contextlib.suppress(OSError):
                    facts = entry.stat()
                    if (facts.st_dev, facts.st_ino) in seen:
                        continue
                    if stat.S_ISSOCK(facts.st_mode):
                        memory += _SOCKET_BYTES
                    elif stat.S_ISREG(facts.st_mode) and facts.st_nlink == 0:
                        nameless += facts.st_blocks * 512
                    else:
                        continue
                    seen.add((facts.st_dev, facts.st_ino))
    return Held(memory, nameless, too_many_files=False)


def resident_bytes(pid: int) -> int:
    """Resident memory of a process and all its descendants, in bytes."""
    return sum(map(_resident, _family(pid)))


def cpu_seconds(pid: int) -> float:
    """Processor time that a process and all its living descendants have used so far."""
    ticks = 0
    for process in _family(pid):
        with contextlib.suppress(OSError):
            fields = (process / "stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS


def _resident(process: Path) -> int:
    with contextlib.suppress(OSError):
        return int((process / "statm").read_text().split()[1]) * _PAGE
    return 0


def _family(pid: int) -> Iterator[Path]:
    """The folders in /proc of a process and each of its descendants."""
    waiting = [pid]
    for _ in range(_MOST_PROCESSES):
        if not waiting:
            break
        process = Path(f"/proc/{waiting.pop()}")
        with contextlib.suppress(OSError):
            for thread in (process / "task").iterdir():
                waiting += [int(child) for child in (thread / "children").read_text().split()]
            yield process
