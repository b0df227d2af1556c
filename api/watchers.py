"""Who watches sessions through this process: ends streams whose access was taken back, and shows people each other.

A round every two seconds asks the database about all open streams at once.
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from typing import Final

import structlog

from api.auth import Principal
from schemas.sharing import Presence
from schemas.sharing import Watcher as PresentWatcher
from storage.database import Database, is_transient
from storage.watchers import OpenStream, WatcherRows

ROUND_SECONDS: Final = 2.0
SOON_SECONDS: Final = 0.1
"""How long somebody who comes or goes waits for others to do the same, so that they share a round."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("api")


class Watching:
    """One open stream."""

    def __init__(self, stream: OpenStream) -> None:
        self.stream = stream
        self.ended = False
        self.shown: list[PresentWatcher] | None = None
        self.frame = b""
        """A presence frame to be sent, empty when there is none."""


class Watchers:
    """The open streams of this process. `stir` wakes the readers of a session. `start()` before, `aclose()` after."""

    def __init__(self, database: Database, stir: Callable[[str], None]) -> None:
        self._rows = WatcherRows(database)
        self._stir = stir
        self._open: dict[str, Watching] = {}
        self._closed: set[str] = set()
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._keep())

    async def aclose(self) -> None:
        """Stop, and say that the streams of this process are closed."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._closed |= self._open.keys()
        self._open.clear()
        if self._closed:
            with suppress(Exception):
                await asyncio.wait_for(self._rows.seen([], self._closed), 1)

    async def watch(
        self, principal: Principal, session_id: str, frames: AsyncGenerator[bytes, None]
    ) -> AsyncGenerator[bytes, None]:
        """The frames of a session for one reader, and who else is there, until the access is taken back."""
        connection = secrets.token_hex(12)
        stream = OpenStream(connection, session_id, principal.user_id, principal.sign_in_id, principal.api_key_id)
        watching = self._open[connection] = Watching(stream)
        self._changed.set()
        try:
            async with aclosing(frames):
                async for piece in frames:
                    if watching.ended:
                        return
                    yield piece
                    if watching.frame:
                        frame, watching.frame = watching.frame, b""
                        yield frame
        finally:
            del self._open[connection]
            self._closed.add(connection)
            self._changed.set()

    async def present(self, session_id: str) -> Presence:
        """Who watches a session now, through any process."""
        found = await self._rows.present([session_id])
        return Presence(watchers=found.get(session_id, []))

    async def _keep(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(ROUND_SECONDS):
                    await self._changed.wait()
                    await asyncio.sleep(SOON_SECONDS)
            self._changed.clear()
            if not self._open and not self._closed:
                continue
            try:
                await self._round()
            except Exception as error:
                if not is_transient(error):
                    log.error("watching over streams failed", error=f"{type(error).__name__}: {error}"[:300])
                await asyncio.sleep(ROUND_SECONDS)

    async def _round(self) -> None:
        watching = dict(self._open)
        streams = [each.stream for each in watching.values()]
        if streams:
            allowed = await self._rows.still_allowed(streams)
            for connection in watching.keys() - allowed:
                watching[connection].ended = True
                self._stir(watching[connection].stream.session_id)
            streams = [stream for stream in streams if stream.connection in allowed]
        closed = frozenset(self._closed | {c for c, each in watching.items() if each.ended})
        await self._rows.seen(streams, closed)
        self._closed -= closed
        self._show(watching, await self._rows.present({stream.session_id for stream in streams}))

    def _show(self, watching: dict[str, Watching], present: dict[str, list[PresentWatcher]]) -> None:
        """Tell those who see another picture than the one now."""
        for each in watching.values():
            now = present.get(each.stream.session_id, [])
            if not each.ended and each.shown != now:
                each.shown = now
                each.frame = b"event: presence\ndata: %b\n\n" % Presence(watchers=now).model_dump_json().encode()
                self._stir(each.stream.session_id)
