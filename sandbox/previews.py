"""All development servers of this process: no more than the machine carries, none that nobody looks at."""

import asyncio
import time
from pathlib import Path

from sandbox.preview import DevServer, Served
from sandbox.runs import RunFolder
from sandbox.settings import SandboxSettings

_REAP_SECONDS = 5.0


class Previews:
    """Development servers by session."""

    def __init__(self, settings: SandboxSettings, most: int) -> None:
        self._settings = settings
        self._most = most
        self._servers: dict[str, DevServer] = {}
        self._reaper: asyncio.Task[None] | None = None
        self._sockets: RunFolder | None = None

    def find(self, session_id: str) -> DevServer | None:
        """The session's server where one was started."""
        return self._servers.get(session_id)

    def running(self) -> list[DevServer]:
        """All servers that were started and not stopped."""
        return list(self._servers.values())

    async def begin(self, served: Served) -> DevServer:
        """Return the project's server, starting it where it does not run; does not wait for it to answer."""
        server = self._servers.get(served.session_id)
        if server is not None and server.served is not served:
            await self.stop(served.session_id)
            server = None
        if server is None:
            await self._make_room()
            server = self._servers[served.session_id] = DevServer(served, self._socket_folder())
        if self._reaper is None:
            self._reaper = asyncio.create_task(self._reap(), name="idle previews")
        server.start()
        return server

    async def stop(self, session_id: str) -> None:
        """Stop the session's server; nothing to do where none runs."""
        if server := self._servers.pop(session_id, None):
            await server.stop()

    async def close(self) -> None:
        """Stop all servers."""
        reaper, self._reaper = self._reaper, None
        if reaper is not None:
            reaper.cancel()
            await asyncio.gather(reaper, return_exceptions=True)
        servers = list(self._servers.values())
        self._servers.clear()
        await asyncio.gather(*(server.stop() for server in servers))
        if self._sockets is not None:
            self._sockets.close()
            self._sockets = None

    def _socket_folder(self) -> Path:
        if self._sockets is None:
            self._sockets = RunFolder(self._settings, 0o700)
        return self._sockets.path

    async def _make_room(self) -> None:
        """Stop the server that was used longest ago where there are as many as may be."""
        if len(self._servers) >= self._most:
            oldest = min(self._servers.values(), key=lambda server: (server.in_use, server.last_used))
            await self.stop(oldest.served.session_id)

    async def _reap(self) -> None:
        while True:
            await asyncio.sleep(min(_REAP_SECONDS, self._settings.idle_seconds / 4))
            latest = time.monotonic() - self._settings.idle_seconds
            for session_id, server in list(self._servers.items()):
                if not server.in_use and server.last_used < latest:
                    await self.stop(session_id)
