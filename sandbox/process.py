"""Runs one contained command: bounded in time, memory, disk and output, and gone with all its children at the end.

Commands are started from the event loop's own thread: bubblewrap dies with the thread that started it.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import structlog

from sandbox.family import held
from sandbox.isolation import Box, Isolation
from sandbox.settings import Limits

log = structlog.get_logger(__name__)

_WATCH_SECONDS = 0.2
_POLL_SECONDS = 0.03
_LINE_BYTES = 64 * 1024

Tasks: TypeAlias = Sequence[asyncio.Task[None]] | Sequence[asyncio.Task[tuple[bytes, bool]]]
Overfull = Callable[[int], Awaitable[bool]]
"""Whether there is more on disk than may be, given the bytes of it that no path leads to."""


class Ending(StrEnum):
    """Why a command ended."""

    EXITED = "exited"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    DISK = "disk"
    OUTPUT = "output"


@dataclass(frozen=True)
class Finished:
    """What a command left. A negative `exit_code` is the signal that ended it. `truncated` says that output was cut."""

    exit_code: int
    stdout: str
    stderr: str
    ending: Ending
    truncated: bool
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether it ended by itself with status 0."""
        return self.ending is Ending.EXITED and self.exit_code == 0

    def explain(self) -> str:
        """One plain sentence on how it ended."""
        match self.ending:
            case Ending.TIMEOUT:
                return f"It was stopped after {self.seconds:.0f} s."
            case Ending.MEMORY:
                return "It was stopped because it used too much memory."
            case Ending.DISK:
                return "It was stopped because it filled its disk space."
            case Ending.OUTPUT:
                return "It was stopped because it printed without end."
            case Ending.EXITED:
                return f"It ended with status {self.exit_code}."


class Process:
    """A running contained command. Use `spawn`."""

    def __init__(self, inner: asyncio.subprocess.Process, contained: bool) -> None:
        self._inner = inner
        self._contained = contained
        self.ending = Ending.EXITED

    @property
    def pid(self) -> int:
        return self._inner.pid

    @property
    def returncode(self) -> int | None:
        return self._inner.returncode

    @property
    def stdout(self) -> asyncio.StreamReader:
        assert self._inner.stdout is not None
        return self._inner.stdout

    @property
    def stderr(self) -> asyncio.StreamReader:
        assert self._inner.stderr is not None
        return self._inner.stderr

    def kill(self, ending: Ending = Ending.EXITED) -> None:
        """End the whole process tree at once. The pid namespace dies with bubblewrap; without one, the group does."""
        if self._inner.returncode is None and self.ending is Ending.EXITED:
            self.ending = ending
        with contextlib.suppress(ProcessLookupError):
            if not self._contained:
                os.killpg(self._inner.pid, signal.SIGKILL)
            elif self._inner.returncode is None:
                self._inner.kill()

    async def wait(self) -> int:
        """Wait for the end and return the exit code."""
        if self._contained:
            return await self._inner.wait()
        # Without a pid namespace children may live on and hold the pipes, which asyncio would wait for.
        closed = asyncio.ensure_future(self._inner.wait())
        try:
            while self._inner.returncode is None:
                await asyncio.wait({closed}, timeout=_POLL_SECONDS)
        finally:
            closed.cancel()
        self.kill()
        return self._inner.returncode

    async def watch(self, limits: Limits, overfull: Overfull | None, every: float = _WATCH_SECONDS) -> None:
        """Kill the tree when its memory or its disk space passes the bounds. Runs until the process ends."""
        try:
            while self._inner.returncode is None:
                now = await asyncio.to_thread(held, self._inner.pid)
                if now.memory > limits.memory_bytes or now.too_many_files:
                    self.kill(Ending.MEMORY)
                elif overfull is not None and await overfull(now.nameless):
                    self.kill(Ending.DISK)
                await asyncio.sleep(every)
        except Exception:  # what cannot be watched may not run
            log.exception("a sandboxed command could not be watched")
            self.kill(Ending.MEMORY)


async def spawn(isolation: Isolation, argv: Sequence[str], box: Box, sockets: Sequence[int] = ()) -> Process:
    """Start a command with its output piped. `sockets` are file descriptors it inherits under their own numbers.

    Raises SandboxUnavailable.
    """
    line, descriptors, workdir = isolation.command(argv, box)
    try:
        inner = await asyncio.create_subprocess_exec(
            *line,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            # bubblewrap's own environment is readable inside as that of process 1.
            env={},
            cwd=workdir or "/",
            pass_fds=(*descriptors, *sockets),
            start_new_session=not isolation.contained,
        )
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    return Process(inner, isolation.contained)


async def run(isolation: Isolation, argv: Sequence[str], box: Box, overfull: Overfull | None = None) -> Finished:
    """Run a command to its end within the limits of its box. Cancelling kills it at once.

    Raises SandboxUnavailable.
    """
    begun = time.monotonic()
    limits = box.limits
    process = await spawn(isolation, argv, box)
    flood = _Flood(limits.flood_bytes, process)
    outputs = [
        asyncio.create_task(_collect(stream, limits.output_bytes, flood)) for stream in (process.stdout, process.stderr)
    ]
    watcher = asyncio.create_task(process.watch(limits, overfull))
    try:
        try:
            async with asyncio.timeout(limits.seconds or None):
                await process.wait()
        except TimeoutError:
            process.kill(Ending.TIMEOUT)
            await process.wait()
        # A child that left the tree could hold the pipe open where there is no pid namespace.
        done, _ = await asyncio.wait(outputs, timeout=2.0)
        texts = [task.result() if task in done else (b"", True) for task in outputs]
    finally:
        await end(process, outputs, [watcher])
    return Finished(
        exit_code=process.returncode if process.returncode is not None else -signal.SIGKILL,
        stdout=texts[0][0].decode(errors="replace"),
        stderr=texts[1][0].decode(errors="replace"),
        ending=process.ending,
        truncated=texts[0][1] or texts[1][1],
        seconds=time.monotonic() - begun,
    )


async def end(process: Process, readers: Tasks, others: Tasks) -> None:
    """Kill what is left of a process and wait until it is gone, its pipes are read out and its tasks are over."""
    process.kill()
    for task in others:
        task.cancel()
    await process.wait()
    await asyncio.wait(readers, timeout=1.0)
    for reader in readers:
        reader.cancel()
    await asyncio.gather(*readers, *others, return_exceptions=True)


@dataclass
class _Flood:
    left: int
    process: Process

    def count(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            self.process.kill(Ending.OUTPUT)


async def _collect(stream: asyncio.StreamReader, keep: int, flood: _Flood) -> tuple[bytes, bool]:
    """Read to the end; keep the first half and the last half of `keep` bytes."""
    head = bytearray()
    tail: deque[bytes] = deque()
    tail_size, cut = 0, False
    half = keep // 2
    while chunk := await stream.read(65536):
        flood.count(len(chunk))
        if room := max(0, half - len(head)):
            head += chunk[:room]
            chunk = chunk[room:]
        if chunk:
            tail.append(chunk)
            tail_size += len(chunk)
        while tail_size > half and tail:
            tail_size -= len(tail.popleft())
            cut = True
    middle = b"\n[... output cut ...]\n" if cut else b""
    return bytes(head) + middle + b"".join(tail), cut


async def lines(stream: asyncio.StreamReader) -> AsyncIterator[str]:
    """Yield the lines of a stream; longer ones than 64 KiB come in pieces."""
    rest = b""
    while chunk := await stream.read(65536):
        rest += chunk
        *whole, rest = rest.split(b"\n")
        for line in whole:
            yield line.decode(errors="replace")
        if len(rest) > _LINE_BYTES:
            yield rest.decode(errors="replace")
            rest = b""
    if rest:
        yield rest.decode(errors="replace")
