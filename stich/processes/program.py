"""A program run as a child: started, watched, restarted when it dies, stopped, with its output in a log file."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from stich.errors import StichError
from stich.processes.effort import effort
from stich.processes.launch import CANNOT_MAP

LAUNCHER: Final = Path(__file__).with_name("launch.py")
PROBE_SECONDS: Final = 0.05
LONGEST_PROBE_PAUSE: Final = 0.5
"""Answering probes must not look like work: they become rarer."""
TELL_SECONDS: Final = 10.0
"""How often it is said that a program is still starting."""
LEAST_EFFORT: Final = 0.01
"""Of a processor: who wants less than that, and writes nothing, does nothing."""
LARGEST_LOG: Final = 10_000_000
LONGEST_WORDS: Final = 300
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 10.0
STEADY_SECONDS: Final = 30.0
"""A program that ran this long is restarted without waiting."""


@dataclass(frozen=True)
class Program:
    """What to run and how to treat it. Times are seconds.

    name: of the part, with a number where several processes make up one (`api-2`).
    ready: asked again and again until it says yes. A start takes as long as it takes while the program does something:
    one that does nothing for `idle_within`, or is not ready within `ready_within`, has failed. before: runs before each
    start, to clear away what an earlier run left. failed: runs after a restart that failed. ends_with_us: the signal it
    gets from the kernel when we are killed. appear_as: see `launch.py`.
    """

    name: str
    title: str
    command: list[str]
    environment: Mapping[str, str]
    ready: Callable[[], Awaitable[bool]]
    idle_within: float = 60.0
    ready_within: float = 1800.0
    before: Callable[[], None] | None = None
    failed: Callable[[], None] | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_within: float = 5.0
    kill_signal: signal.Signals = signal.SIGKILL
    ends_with_us: signal.Signals = signal.SIGKILL
    appear_as: int = 0
    files: tuple[int, ...] = ()
    cannot_map: str = field(default="this machine allows no user namespaces", repr=False)

    @property
    def part(self) -> str:
        return self.name.partition("-")[0]


class Watch:
    """Tells a program that is slow from one that is stuck, by what it writes and how much it wants to run."""

    def __init__(self, pid: int, log: Path, idle_within: float) -> None:
        self._pid = pid
        self._log = log
        self._idle_within = idle_within
        self._since = time.monotonic()
        self._written, self._spent = self._look()

    def is_idle(self) -> bool:
        """Whether it has done nothing for too long."""
        now, (written, spent) = time.monotonic(), self._look()
        wanted = None if spent is None or self._spent is None else spent - self._spent
        if written != self._written or (wanted is not None and wanted > LEAST_EFFORT * self._idle_within):
            self._since, self._written, self._spent = now, written, spent
        return now - self._since > self._idle_within

    def _look(self) -> tuple[int, float | None]:
        return self._log.stat().st_size, effort(self._pid)


class Child:
    """A running `Program`. `report` receives a line when it died and when it is back; `ended` runs when it has died."""

    def __init__(
        self, program: Program, logs: Path, report: Callable[[str], None], ended: Callable[[], Awaitable[None]]
    ) -> None:
        self.program = program
        self.log = logs / f"{program.name}.log"
        self._report = report
        self._ended = ended
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self) -> None:
        """Start it and wait until it is ready, however slow the machine is. Raises StichError, with the end of its log,
        when it ended or is stuck."""
        await self._launch()
        await self._wait_ready()

    def keep(self) -> None:
        """From now on, start it again when it ends by itself."""
        self._keeper = asyncio.create_task(self._keep_running(), name=f"keep {self.program.name}")

    async def stop(self) -> None:
        """End it: with the signal it wants, and with the one it cannot ignore when that took too long."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
        if self._process is None:
            return
        if self._process.returncode is None:
            self._signal(self.program.stop_signal)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), self.program.stop_within)
        if self._process.returncode is None:
            self._signal(self.program.kill_signal)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), 2)
        await self._process.wait()

    def kill(self) -> None:
        """End it at once, for good."""
        if self._keeper is not None:
            self._keeper.cancel()
        self._signal(self.program.kill_signal)

    async def _launch(self) -> None:
        program = self.program
        if program.before is not None:
            await asyncio.to_thread(program.before)
        if self.log.exists() and self.log.stat().st_size > LARGEST_LOG:
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            self._process = await asyncio.create_subprocess_exec(
                *launcher(program.ends_with_us, program.appear_as),
                *program.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(program.environment),
                pass_fds=program.files,
                process_group=0,
            )

    async def _wait_ready(self) -> None:
        assert self._process is not None
        program, began, pause = self.program, time.monotonic(), PROBE_SECONDS
        watch, told = Watch(self._process.pid, self.log, program.idle_within), began
        while self._process.returncode is None:
            if await program.ready():
                return
            waited = time.monotonic() - began
            if watch.is_idle():
                raise self._not_ready(waited, f"has done nothing for {program.idle_within:.0f} s")
            if waited > program.ready_within:
                raise self._not_ready(waited, "is still at it")
            if began + waited - told >= TELL_SECONDS:
                told = began + waited
                self._report(f"{program.title} is still starting ({waited:.0f} s)")
            await asyncio.sleep(pause)
            pause = min(pause * 1.1, LONGEST_PROBE_PAUSE)
        raise StichError(f"{program.title} did not start: {self._last_words()} (log: {self.log}).")

    def _not_ready(self, waited: float, why: str) -> StichError:
        words = f" Its last words: {last}" if (last := self._log_end()) else ""
        return StichError(f"{self.program.title} is not ready after {waited:.0f} s and {why} (log: {self.log}).{words}")

    async def _keep_running(self) -> None:
        pause = 0.0
        while True:
            assert self._process is not None
            since = time.monotonic()
            code = await self._process.wait()
            await self._ended()
            pause = 0.0 if time.monotonic() - since > STEADY_SECONDS else longer(pause)
            self._report(f"{self.program.title} ended ({describe_exit(code)}); starting it again (log: {self.log})")
            while True:
                await asyncio.sleep(pause)
                try:
                    await self.start()
                    break
                except StichError as error:
                    self._report(str(error))
                    await self._end_failed_start()
                    if self.program.failed is not None:
                        self.program.failed()
                    pause = longer(pause)
            self._report(f"{self.program.title} is back")

    async def _end_failed_start(self) -> None:
        assert self._process is not None
        if self._process.returncode is None:
            self._signal(self.program.kill_signal)
            await self._process.wait()

    def _last_words(self) -> str:
        assert self._process is not None and self._process.returncode is not None
        if self._process.returncode == CANNOT_MAP and self.program.appear_as:
            return self.program.cannot_map
        return self._log_end() or describe_exit(self._process.returncode)

    def _log_end(self) -> str:
        """The last line that was written since the start."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            lines = log.read(100_000).decode(errors="replace").strip().splitlines()
        if not lines:
            return ""
        words = lines[-1].strip()
        return words if len(words) <= LONGEST_WORDS else f"… {words[-LONGEST_WORDS:]}"  # the cause stands at the end

    def _signal(self, number: signal.Signals) -> None:
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


def longer(pause: float) -> float:
    """The pause after this one: a program that keeps dying is started less and less often."""
    return min(max(pause * 2, FIRST_PAUSE), LONGEST_PAUSE)


def launcher(ends_with_us: signal.Signals, appear_as: int = 0) -> list[str]:
    """The beginning of a command line that makes the rest of it end with this process."""
    return [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), str(int(ends_with_us)), str(appear_as)]


def describe_exit(code: int) -> str:
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"killed by {signal.Signals(-code).name}"
    return f"exit status {code}"
