"""A whole stich as people run it: the command `stich up` on a home of its own, and what it leaves behind."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx

from stich.home import Home, RunningUp
from stich.processes.roles import PACKAGES

READY_SECONDS = 120.0  # on a busy machine; a quiet one needs 5
STOP_SECONDS = 20.0


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", "stich", *arguments]


def environment(home: Path, **more: str) -> dict[str, str]:
    """No key of a provider, no HOME: what is needed and nothing else."""
    plain = {"PATH": os.environ["PATH"], "STICH_HOME": str(home), "PYTHONPATH": str(PACKAGES), "PORT": "0"}
    return {**plain, "STICH_DEMO_SPEED": "instant", **more}


class Up:
    """A running `stich up`."""

    def __init__(self, home: Path, output: Path, **env: str) -> None:
        self.home = home
        self._output = output
        self.started = time.monotonic()
        with output.open("wb") as out:
            self.process = subprocess.Popen(
                command("up"), stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=environment(home, **env), cwd="/"
            )

    @property
    def output(self) -> str:
        return self._output.read_text()

    def wait_ready(self) -> RunningUp:
        until(lambda: "Ctrl-C stops everything" in self.output or self.process.poll() is not None, READY_SECONDS)
        assert self.process.poll() is None, self.output
        running = Home(self.home).running()
        assert running is not None
        return running

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        """The exit status, once it has ended."""
        return self.process.wait(STOP_SECONDS)

    def child(self, name: str) -> int:
        """The process id of a part; where several processes make one up, of that with this name."""
        found = [pid for pid in self.children(name.partition("-")[0]) if name[:3] != "api" or _is_called(pid, name)]
        assert len(found) == 1, (name, found)
        return found[0]

    def children(self, part: str) -> list[int]:
        """The process ids of a part."""
        needle = {
            "worker": b"stich\0worker",
            "api": b"stich\0api",
            "demo": b"stich.demo",
            "temporal": b"start-dev",
            "postgres": os.fsencode(self.home / "postgres" / "data"),
        }[part]
        return [pid for pid in children(self.process.pid) if needle in read(pid, "cmdline")]

    def close(self) -> None:
        """End it, whatever state it is in."""
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.end()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def _is_called(pid: int, name: str) -> bool:
    return f"/{name}.ready\0".encode() in read(pid, "environ")


def until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)


def read(pid: int, what: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{what}").read_bytes()
    except OSError:
        return b""


def parents() -> dict[int, int]:
    """Every living process with its parent."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (stat := read(int(entry.name), "stat")):
            state, parent = stat.rsplit(b")", 1)[1].split()[:2]
            if state not in (b"Z", b"X"):
                found[int(entry.name)] = int(parent)
    return found


def children(pid: int) -> list[int]:
    return [child for child, parent in parents().items() if parent == pid]


def descendants(pid: int) -> list[int]:
    tree = parents()
    found = [pid]
    for one in found:
        found += [child for child, parent in tree.items() if parent == one]
    return found[1:]


def belonging_to(home: Path) -> list[str]:
    """Command lines of processes that name this home or were told of it."""
    needle = os.fsencode(home)
    return [
        read(pid, "cmdline").replace(b"\0", b" ").decode(errors="replace")
        for pid in parents()
        if pid != os.getpid() and (needle in read(pid, "cmdline") or needle in read(pid, "environ"))
    ]


@contextlib.contextmanager
def signed_in(running: RunningUp) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {running.token}"}
    with httpx.Client(base_url=running.local_url, headers=headers, timeout=20, trust_env=False) as client:
        yield client


def address_in(output: str) -> str:
    found = re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+", output)
    assert found is not None, output
    return found[0]
