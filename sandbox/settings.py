"""Settings of the sandbox, and where its files lie.

Everything the sandbox keeps on disk can be made again from the stored files of a session and the package registry, so
all of it lies in one cache folder of the machine, shared by all stich homes: tools, template dependencies, workspaces.
That folder must be reachable for the unprivileged user ids that untrusted code runs under, which a home below a private
folder is not.
"""

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """Bounds of one sandboxed command. Memory counts the resident pages of its whole process tree."""

    seconds: float = 60.0
    cpu_seconds: int = 120
    memory_bytes: int = 2048 * MEBIBYTE
    data_bytes: int = 3072 * MEBIBYTE
    processes: int = 256
    open_files: int = 4096
    file_bytes: int = 200 * MEBIBYTE
    output_bytes: int = 1 * MEBIBYTE
    flood_bytes: int = 64 * MEBIBYTE


@dataclass(frozen=True)
class SandboxSettings:
    """`home` is the stich home; `cache` the machine's folder for everything that can be made again.

    `unsafe_local` runs code without isolation, for one's own machine only. `quota_bytes` and `quota_files` bound what a
    session may keep in its workspace. `idle_seconds` is how long a preview server lives after its last request,
    `workspace_seconds` how long an unused workspace stays on disk. `memory_bytes` and `disk_bytes` are what the host
    gives to sandboxes, None for what the machine has.
    """

    home: Path
    cache: Path = field(default_factory=lambda: default_cache())
    unsafe_local: bool = False
    command: Limits = Limits()
    server: Limits = Limits(seconds=0.0, cpu_seconds=3600, memory_bytes=1024 * MEBIBYTE)
    installer: Limits = Limits(seconds=180.0, file_bytes=1024 * MEBIBYTE)
    quota_bytes: int = 256 * MEBIBYTE
    quota_files: int = 20_000
    idle_seconds: float = 600.0
    workspace_seconds: float = 24 * 3600.0
    max_servers: int = 8
    memory_bytes: int | None = None
    disk_bytes: int | None = None

    @property
    def tools(self) -> Path:
        """Programs that run inside the sandbox: bun, node where it is not under /usr, the launchers."""
        return self.cache / "tools"

    @property
    def store(self) -> Path:
        """Installed dependencies, one folder per exact set of packages, and the installer's download cache."""
        return self.cache / "store"

    @property
    def prepared(self) -> Path:
        """Templates made ready to be used: their files and the pre-bundled dependencies of the development server."""
        return self.cache / "templates"

    @property
    def workspaces(self) -> Path:
        """The workspaces of this home's sessions."""
        return self.cache / "workspaces" / hashlib.sha256(bytes(self.home.resolve())).hexdigest()[:16]


def default_cache() -> Path:
    """The machine's folder for root, the user's otherwise; `STICH_SANDBOX_CACHE` names another."""
    if chosen := os.environ.get("STICH_SANDBOX_CACHE"):
        return Path(chosen).resolve()
    if os.geteuid() == 0:
        return Path("/var/cache/stich")
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "stich"
