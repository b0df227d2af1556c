"""A wire between the service and a server behind it, which a test can freeze or cut."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

Wire = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Relay:
    """Passes bytes on between a port of this machine and a server. Frozen, it takes them and passes none on."""

    def __init__(self, connect: Callable[[], Awaitable[Wire]]) -> None:
        self._connect = connect
        self._open = asyncio.Event()
        self._open.set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def freeze(self) -> None:
        """As a server that is stopped by a signal, or behind a network that drops packets."""
        self._open.clear()

    def thaw(self) -> None:
        """What was held back is passed on."""
        self._open.set()

    async def cut(self) -> None:
        """As a server that was killed: connections end, new ones are refused until `listen` is called again."""
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind_reader, behind_writer = await self._connect()
        self._writers |= {writer, behind_writer}
        for source, sink in ((reader, behind_writer), (behind_reader, writer)):
            task = asyncio.create_task(self._pass_on(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                await self._open.wait()
                sink.write(data)
                await sink.drain()
        except OSError:
            pass
        finally:
            sink.close()


@asynccontextmanager
async def postgres_relay(dsn: str) -> AsyncIterator[tuple[Relay, str]]:
    """A relay in front of a Postgres, and the address of that database through it."""
    parts = urlsplit(dsn)
    folder = parse_qs(parts.query).get("host", [None])[0]

    async def connect() -> Wire:
        if folder is not None:
            return await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.5432")
        return await asyncio.open_connection(parts.hostname, parts.port)

    relay = Relay(connect)
    await relay.listen()
    try:
        yield relay, f"postgresql://{parts.username}@127.0.0.1:{relay.port}{parts.path}?sslmode=disable"
    finally:
        await relay.cut()


@asynccontextmanager
async def tcp_relay(address: str) -> AsyncIterator[Relay]:
    """A relay in front of `host:port`."""
    host, _, port = address.rpartition(":")
    relay = Relay(lambda: asyncio.open_connection(host, int(port)))
    await relay.listen()
    try:
        yield relay
    finally:
        await relay.cut()
