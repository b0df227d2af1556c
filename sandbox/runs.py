"""Folders that live as long as a process: sockets, and what the browser is shown.

A process that was killed leaves its folder behind. Each is locked by its process, and locks end with whoever holds
them, so the next process sees which are nobody's any more.
"""

import contextlib
import fcntl
import secrets
import shutil
import time
from io import FileIO
from pathlib import Path
from typing import Final

from sandbox.settings import SandboxSettings

_LOCK: Final = ".lock"
_BEGINNING_SECONDS: Final = 5.0  # between the making of a lock and its taking
_INSTALL_SECONDS: Final = 3600.0  # far longer than an install may take
_UNLOCKED_SECONDS: Final = 24 * 3600.0  # of versions that knew no lock


class RunFolder:
    """A folder of this process, reachable for sandboxed users who know its name."""

    def __init__(self, settings: SandboxSettings, mode: int) -> None:
        self.path = _parent(settings) / secrets.token_hex(8)
        self.path.mkdir(parents=True)
        self.path.chmod(mode)
        self._lock = FileIO(self.path / _LOCK, "w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def close(self) -> None:
        """Remove it."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()


def sweep_runs(settings: SandboxSettings) -> None:
    """Remove what processes of this machine left behind that are gone: their folders, and installs half done."""
    for parent, abandoned in ((_parent(settings), _abandoned), (settings.store / "staging", _old)):
        with contextlib.suppress(OSError):
            for folder in list(parent.iterdir()):
                with contextlib.suppress(OSError):
                    if abandoned(folder):
                        shutil.rmtree(folder, ignore_errors=True)


def _old(folder: Path) -> bool:
    return _age(folder) > _INSTALL_SECONDS


def _abandoned(folder: Path) -> bool:
    try:
        lock = FileIO(folder / _LOCK, "r")
    except FileNotFoundError:
        return _age(folder) > _UNLOCKED_SECONDS
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return _age(folder / _LOCK) > _BEGINNING_SECONDS


def _age(path: Path) -> float:
    return time.time() - path.stat().st_mtime


def _parent(settings: SandboxSettings) -> Path:
    return settings.cache / "run"
