"""How much a host carries at once: its memory and disk, given out before anything runs.

Every bound of a command, a development server or a workspace is set aside as a whole, so that all of them together fit
however much each takes. What is one too many waits (steps, in Temporal's queue) or takes the place of what was used
longest ago (previews, workspaces).
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox.settings import MEBIBYTE, SandboxSettings

COMMANDS_AT_ONCE: Final = 2  # of one step: type checker and linter
_QUEUES: Final = 2  # each polls with one step in hand, so there may be one more than asked for
BROWSER_BYTES: Final = 1536 * MEBIBYTE
_OWN_BYTES: Final = 512 * MEBIBYTE  # the worker itself
_KEPT_BACK: Final = 0.1  # of disk and memory, for everything else


@dataclass(frozen=True)
class Capacity:
    """Steps, development servers and workspaces that a host has at once. At least one of each, however small it is."""

    steps: int
    servers: int
    workspaces: int

    @classmethod
    def of(cls, settings: SandboxSettings) -> "Capacity":
        """From the bounds in the settings and what the machine has, or what was declared instead."""
        memory = settings.memory_bytes or int(_memory() * (1 - _KEPT_BACK))
        disk = settings.disk_bytes or int(_disk(settings.cache) * (1 - _KEPT_BACK))
        step = COMMANDS_AT_ONCE * settings.command.memory_bytes
        server = settings.server.memory_bytes
        left = memory - BROWSER_BYTES - _OWN_BYTES
        # A preview of its own for every step comes first; then what is left goes to further previews.
        fitting = (left - (_QUEUES - 1) * step) // (step + server)
        steps = max(1, min(os.cpu_count() or 1, fitting))
        servers = (left - (steps + _QUEUES - 1) * step) // server
        return cls(
            steps=steps,
            servers=max(1, min(settings.max_servers, servers)),
            workspaces=max(1, disk // settings.quota_bytes),
        )


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _disk(cache: Path) -> int:
    folder = next(parent for parent in (cache, *cache.parents) if parent.exists())
    return shutil.disk_usage(folder).free
