"""The development server of one session: started on demand, watched, restarted with backoff, stopped when idle.

The service makes a listening unix socket and hands it over as a file descriptor, so requests queue while the server
starts, and code in the sandbox can neither choose nor replace the address.
"""

import asyncio
import os
import secrets
import socket
import time
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from sandbox.errors import PreviewFailed
from sandbox.process import Process, end, lines
from sandbox.serverlog import ServerLog
from sandbox.settings import Limits

_READY_SECONDS = 30.0
_HEALTH_EVERY = 5.0
_HEALTH_SECONDS = 4.0
_STEADY_SECONDS = 20.0
_FIRST_DELAY, _LONGEST_DELAY = 0.3, 15.0
_MOST_FAILURES = 5


class ServerState(StrEnum):
    """Where a development server is in its life."""

    STOPPED = "stopped"
    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"


class Served(Protocol):
    """What a development server needs of a workspace."""

    session_id: str

    @property
    def server_limits(self) -> Limits: ...

    async def start_server(self, listener: int) -> Process: ...

    async def overfull(self, nameless: int) -> bool: ...


class DevServer:
    """One session's development server. `log` holds its last lines, untrusted text."""

    def __init__(self, served: Served, sockets: Path) -> None:
        self.served = served
        self.state = ServerState.STOPPED
        self.failure = ""
        self.restarts = 0
        self.last_used = time.monotonic()
        self.log = ServerLog()
        self._users = 0
        self._sockets = sockets
        self._name = f"{secrets.token_hex(8)}.sock"
        self._listener: socket.socket | None = None
        self._folder: int | None = None
        self._process: Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._changed = asyncio.Condition()

    @property
    def address(self) -> str:
        """Path of the unix socket, for this process only."""
        # Through the folder's descriptor: a socket's path must be shorter than 108 bytes, a home's need not be.
        return f"/proc/self/fd/{self._folder}/{self._name}"

    @property
    def pid(self) -> int | None:
        """The process id of the running server's sandbox."""
        return self._process.pid if self._process is not None else None

    @property
    def in_use(self) -> bool:
        """Whether someone holds a connection to it."""
        return self._users > 0

    def hold(self) -> None:
        """Note that it is in use, by a request or a connection, until `let_go`."""
        self._users += 1

    def let_go(self) -> None:
        """Note that one use of it is over."""
        self._users -= 1
        self.last_used = time.monotonic()

    def start(self) -> None:
        """Begin starting where it does not run. Returns at once."""
        self.last_used = time.monotonic()
        if self._keeper is None or self._keeper.done():
            self._open()
            self.state, self.failure = ServerState.STARTING, ""
            self._keeper = asyncio.create_task(self._keep(), name=f"preview {self.served.session_id}")

    async def ready(self, timeout: float = _READY_SECONDS) -> None:
        """Start it where needed and wait until it answers. Raises PreviewFailed, SandboxUnavailable."""
        self.start()
        try:
            async with asyncio.timeout(timeout), self._changed:
                await self._changed.wait_for(lambda: self.state is not ServerState.STARTING)
        except TimeoutError:
            raise PreviewFailed(f"The preview did not start within {timeout:.0f} s.") from None
        if self.state is not ServerState.READY:
            raise PreviewFailed(self.failure or "The preview was stopped while it started.")

    async def stop(self) -> None:
        """End the server and everything it started."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
        self._close()
        await self._enter(ServerState.STOPPED)

    def _open(self) -> None:
        if self._listener is not None:
            return
        self._folder = os.open(self._sockets, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.address)
        self._listener.listen(256)

    def _close(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        (self._sockets / self._name).unlink(missing_ok=True)
        if self._folder is not None:
            os.close(self._folder)
            self._folder = None

    async def _enter(self, state: ServerState, failure: str = "") -> None:
        async with self._changed:
            self.state, self.failure = state, failure
            self._changed.notify_all()

    async def _keep(self) -> None:
        """Run the server, again and again, until it fails too often in a row."""
        failures = 0
        try:
            while True:
                begun = time.monotonic()
                reason = await self._serve_once()
                failures = 1 if time.monotonic() - begun > _STEADY_SECONDS else failures + 1
                self.log.append(f"[stich] {reason}")
                if failures >= _MOST_FAILURES:
                    await self._enter(ServerState.FAILED, f"The preview stopped {failures} times in a row. {reason}")
                    return
                self.restarts += 1
                await self._enter(ServerState.STARTING)
                await asyncio.sleep(min(_LONGEST_DELAY, _FIRST_DELAY * 2 ** (failures - 1)))
        except asyncio.CancelledError:
            raise
        except Exception as error:  # whatever it is, waiting requests must hear of it
            await self._enter(ServerState.FAILED, str(error))

    async def _serve_once(self) -> str:
        """Run one process to its end; return why it ended."""
        assert self._listener is not None
        process = self._process = await self.served.start_server(self._listener.fileno())
        readers = [asyncio.create_task(self._read(stream)) for stream in (process.stdout, process.stderr)]
        watchers = [
            asyncio.create_task(self._check_health(process)),
            asyncio.create_task(process.watch(self.served.server_limits, self.served.overfull, every=1.0)),
        ]
        try:
            code = await process.wait()
        finally:
            self._process = None
            await end(process, readers, watchers)
        return f"The development server ended ({process.ending.value}, status {code})."

    async def _read(self, stream: asyncio.StreamReader) -> None:
        async for line in lines(stream):
            self.log.append(line)

    async def _check_health(self, process: Process) -> None:
        """Tell when the server answers first, and kill it when it stops answering."""
        begun = time.monotonic()
        silent = 0
        while process.returncode is None:
            if await self._answers():
                silent = 0
                if self.state is not ServerState.READY:
                    await self._enter(ServerState.READY)
                await asyncio.sleep(_HEALTH_EVERY)
                continue
            silent += 1
            if self.state is ServerState.READY and silent >= 3:
                self.log.append("[stich] The development server does not answer; it is started again.")
                process.kill()
                return
            if time.monotonic() - begun > _READY_SECONDS and self.state is not ServerState.READY:
                self.log.append("[stich] The development server did not come up.")
                process.kill()
                return
            await asyncio.sleep(0.2)

    async def _answers(self) -> bool:
        try:
            async with asyncio.timeout(_HEALTH_SECONDS):
                reader, writer = await asyncio.open_unix_connection(self.address)
                try:
                    writer.write(b"GET /__stich/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                    return (await reader.readline()).startswith(b"HTTP/1.1 200")
                finally:
                    writer.close()
        except (OSError, TimeoutError, ValueError):
            return False
