"""How a command line becomes one that runs contained.

With bubblewrap: own user, mount, pid, ipc, uts, cgroup and network namespaces, an empty environment, a read-only root
of /usr and a few files of /etc, only the given mounts, resource limits and a system call filter. A service that runs as
root drops to an unprivileged user id first, because bubblewrap started as root would open its mounts as root.

Without bubblewrap nothing runs, unless the settings allow `unsafe_local`: then commands run as the service's own user
with a clean environment and resource limits, mounts become symbolic links, and nothing else protects the machine.
"""

import hashlib
import os
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.errors import SandboxUnavailable
from sandbox.seccomp import filter_program
from sandbox.settings import MEBIBYTE, Limits

WORKSPACE = "/workspace"
_SYSTEM_PATHS = ("/etc/alternatives", "/etc/ld.so.cache", "/etc/nsswitch.conf", "/etc/hosts")
_FIRST_USER, _USERS = 30_000, 25_000


@dataclass(frozen=True)
class Mount:
    """A folder or file of the host and where it appears inside."""

    source: Path
    target: str
    writable: bool = False


@dataclass(frozen=True)
class Box:
    """The world one command sees. `owner` is the user id it runs under when the service is root.

    `system_call_filter` and `nested` differ for the browser only, which builds namespaces of its own for its pages.
    """

    mounts: Sequence[Mount]
    owner: int
    limits: Limits
    environment: Mapping[str, str] = field(default_factory=dict)
    workdir: str = WORKSPACE
    nested: bool = False
    shared_memory: int = 64 * MEBIBYTE


def owner_of(name: str) -> int:
    """The unprivileged user id for a session or a service part of that name, the same on every host."""
    digest = hashlib.sha256(name.encode()).digest()
    return _FIRST_USER + int.from_bytes(digest[:4], "big") % _USERS


class Isolation:
    """Builds command lines. One instance serves a process; `unsafe_local` never applies where bubblewrap works."""

    def __init__(self, unsafe_local: bool) -> None:
        self._bwrap = shutil.which("bwrap")
        self._setpriv = shutil.which("setpriv")
        self._prlimit = shutil.which("prlimit")
        self._root = os.geteuid() == 0
        self.contained = self._bwrap is not None or not unsafe_local

    def require(self) -> None:
        """Raise SandboxUnavailable, saying what to install, where commands cannot be contained."""
        if self._prlimit is None or (self._root and self._setpriv is None):
            raise SandboxUnavailable("setpriv and prlimit are missing: install the package util-linux.")
        if not self.contained:
            return
        if self._bwrap is None:
            raise SandboxUnavailable(
                "bubblewrap is missing, so generated code cannot be run safely: install the package bubblewrap, "
                "or set STICH_UNSAFE_LOCAL=1 to run it without protection on your own machine."
            )
        filter_program()

    def give(self, path: Path, owner: int) -> None:
        """Hand a file or folder to the user id that will write to it; nothing to do unless the service is root."""
        if self._root:
            os.chown(path, owner, owner, follow_symlinks=False)

    def place(self, box: Box, target: str) -> str:
        """Where a path of the box is found by the command: the same inside a sandbox, the source without one."""
        if self.contained:
            return target
        matching = [m for m in box.mounts if target == m.target or target.startswith(m.target + "/")]
        if not matching:
            return target
        mount = max(matching, key=lambda m: len(m.target))
        return str(mount.source) + target[len(mount.target) :]

    def command(self, argv: Sequence[str], box: Box) -> tuple[list[str], list[int], str | None]:
        """Return (command line, file descriptors to pass and then to close, working directory on the host).

        Raises SandboxUnavailable.
        """
        self.require()
        limited = [*self._limits(box.limits), "--", *argv]
        if not self.contained:
            environment = [f"{key}={value}" for key, value in self._environment(box).items()]
            self._link_mounts(box)
            return ["/usr/bin/env", "-i", *environment, *limited], [], self.place(box, box.workdir)
        assert self._bwrap is not None
        line: list[str] = []
        if self._root:
            identity = str(box.owner)
            line += [str(self._setpriv), "--reuid", identity, "--regid", identity, "--clear-groups", "--no-new-privs"]
        line += [self._bwrap, *self._namespaces(box), *self._filesystem(box)]
        descriptors = []
        if not box.nested:
            descriptor = _memory_file(filter_program())
            descriptors.append(descriptor)
            line += ["--seccomp", str(descriptor)]
        line += ["--chdir", box.workdir, "--", *limited]
        return line, descriptors, None

    def _namespaces(self, box: Box) -> list[str]:
        line = [
            "--unshare-user",
            "--unshare-ipc",
            "--unshare-pid",
            "--unshare-uts",
            "--unshare-cgroup",
            "--unshare-net",
        ]
        if not box.nested:
            line.append("--disable-userns")
        line += ["--die-with-parent", "--new-session", "--hostname", "sandbox", "--clearenv"]
        for key, value in self._environment(box).items():
            line += ["--setenv", key, value]
        return line

    def _filesystem(self, box: Box) -> list[str]:
        line = ["--ro-bind", "/usr", "/usr"]
        for name in ("bin", "sbin", "lib", "lib64"):
            folder = Path("/", name)
            if folder.is_symlink():
                line += ["--symlink", f"usr/{name}", str(folder)]
            elif folder.is_dir():
                line += ["--ro-bind", str(folder), str(folder)]
        line += ["--ro-bind-try", "/etc/ssl", "/etc/ssl"]
        for path in _SYSTEM_PATHS:
            line += ["--ro-bind-try", path, path]
        line += [
            "--proc",
            "/proc",
            "--dev",
            "/dev",
            "--size",
            str(256 * MEBIBYTE),
            "--tmpfs",
            "/tmp",
            "--dir",
            "/tmp/home",
        ]
        for mount in box.mounts:
            line += ["--bind" if mount.writable else "--ro-bind", str(mount.source), mount.target]
        line += ["--size", str(box.shared_memory), "--tmpfs", "/dev/shm", "--remount-ro", "/dev", "--remount-ro", "/"]
        return line

    def _environment(self, box: Box) -> dict[str, str]:
        tools = self.place(box, "/opt/stich/bin")
        modules = self.place(box, f"{WORKSPACE}/node_modules/.bin")
        return {
            "PATH": f"{modules}:{tools}:/usr/local/bin:/usr/bin:/bin",
            "HOME": "/tmp/home" if self.contained else "/tmp",
            "LANG": "C.UTF-8",
            "CI": "1",
            "NO_COLOR": "1",
            "NODE_OPTIONS": "--max-old-space-size=1024",
            **box.environment,
        }

    def _limits(self, limits: Limits) -> list[str]:
        return [
            str(self._prlimit),
            f"--nproc={limits.processes}" if self.contained else "--core=0",
            f"--cpu={limits.cpu_seconds}",
            f"--fsize={limits.file_bytes}",
            f"--nofile={limits.open_files}",
            f"--data={limits.data_bytes}",
            "--core=0",
        ]

    def _link_mounts(self, box: Box) -> None:
        for mount in box.mounts:
            if mount.target.startswith(WORKSPACE + "/"):
                link = Path(self.place(box, str(Path(mount.target).parent)), Path(mount.target).name)
                if link.is_symlink() and link.readlink() == mount.source:
                    continue
                if link.is_dir() and not link.is_symlink():
                    shutil.rmtree(link, ignore_errors=True)
                # Commands of one project run side by side: whoever is second replaces the link with the same one.
                fresh = link.with_name(f"{link.name}.{uuid.uuid4().hex}")
                fresh.symlink_to(mount.source)
                fresh.replace(link)


def _memory_file(content: bytes) -> int:
    descriptor = os.memfd_create("sandbox")
    os.write(descriptor, content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
