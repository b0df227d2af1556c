"""How much a host carries at once: its memory and disk, given out before anything runs.

Every bound of a command, a development server or a workspace is set aside as a whole, so that all of them together fit
however much each takes. What is one too many waits (steps, in Temporal's queue) or takes the place of what was used
longest ago (previews, workspaces).
"""

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from sandbox.settings import MEBIBYTE, SandboxSettings

COMMANDS_AT_ONCE: Final = 2  # of one step: type checker and linter
_QUEUES: Final = 2  # each polls with one step in hand, so there may be one more than asked for
BROWSER_BYTES: Final = 1536 * MEBIBYTE
_OWN_BYTES: Final = 512 * MEBIBYTE  # the worker itself
_KEPT_BACK: Final = 0.1  # of disk and memory, for everything else
LEAST_COMMAND_BYTES: Final = 640 * MEBIBYTE  # a production build of an ordinary project takes some 420
LEAST_SERVER_BYTES: Final = 512 * MEBIBYTE


def fitted(settings: SandboxSettings) -> SandboxSettings:
    """The settings, with less memory for a command and a server where the host does not carry one step and one server.

    Not less than an ordinary project needs: a host that has not even that (5 GiB) gives out more than it has.
    """
    command, server = settings.command.memory_bytes, settings.server.memory_bytes
    share = _left(settings) / (_QUEUES * COMMANDS_AT_ONCE * command + server)
    if share >= 1:
        return settings
    command = min(command, max(LEAST_COMMAND_BYTES, int(command * share)))
    server = min(server, max(LEAST_SERVER_BYTES, int(server * share)))
    return replace(
        settings,
        command=replace(settings.command, memory_bytes=command),
        server=replace(settings.server, memory_bytes=server),
    )


@dataclass(frozen=True)
class Capacity:
    """Steps, development servers and workspaces that a host has at once. At least one of each, however small it is."""

    steps: int
    servers: int
    workspaces: int

    @classmethod
    def of(cls, settings: SandboxSettings) -> "Capacity":
        """From the bounds in the settings and what the machine has, or what was declared instead."""
        disk = settings.disk_bytes or int(_disk(settings.cache) * (1 - _KEPT_BACK))
        step = COMMANDS_AT_ONCE * settings.command.memory_bytes
        server = settings.server.memory_bytes
        left = _left(settings)
        # A preview of its own for every step comes first; then what is left goes to further previews.
        fitting = (left - (_QUEUES - 1) * step) // (step + server)
        steps = max(1, min(os.cpu_count() or 1, fitting))
        servers = (left - (steps + _QUEUES - 1) * step) // server
        return cls(
            steps=steps,
            servers=max(1, min(settings.max_servers, servers)),
            workspaces=max(1, disk // settings.quota_bytes),
        )


def _left(settings: SandboxSettings) -> int:
    """What the host's memory leaves for steps and servers, in bytes; below nothing where there is too little of it."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return (settings.memory_bytes or int(machine * (1 - _KEPT_BACK))) - BROWSER_BYTES - _OWN_BYTES


def _disk(cache: Path) -> int:
    folder = next(parent for parent in (cache, *cache.parents) if parent.exists())
    return shutil.disk_usage(folder).free
