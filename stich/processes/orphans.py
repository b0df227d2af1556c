"""What children leave behind when they are killed: this process adopts it, and ends it."""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Final

PR_SET_CHILD_SUBREAPER: Final = 36
ROUNDS: Final = 100


def adopt_orphans() -> None:
    """From now on, descendants whose parent ends become children of this process instead of the system's first one."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


async def end_orphans(ours: Collection[int]) -> None:
    """Kill all children of this process but `ours`, and what those leave in turn, for up to 2 seconds."""
    for _ in range(ROUNDS):
        orphans = [pid for pid in children() if pid not in ours]
        if not orphans:
            return
        for pid in orphans:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(0.02)
        for pid in orphans:
            reap(pid)


def reap(pid: int) -> None:
    """Take note of the end of a child, if it has ended, so that it does not stay in the process table."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def children() -> list[int]:
    found: list[int] = []
    for thread in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += map(int, thread.read_text().split())
    return found
