"""A small HTTP/1.1 client for development servers on unix sockets, with connections kept open.

A general client costs twice the time of the request itself on a page of a hundred small modules.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence

import httptools

_MOST_IDLE = 16
_CHUNK = 256 * 1024

Headers = list[tuple[bytes, bytes]]


class UpstreamError(Exception):
    """The development server closed the connection or answered with something that is not HTTP."""


class Answer:
    """A response whose body is read while it arrives. `read` it to the end, then call `release`."""

    def __init__(self, connection: "_Connection", pool: "Upstream", bodiless: bool) -> None:
        self.status = connection.status
        self.headers = connection.headers
        self._connection = connection
        self._pool = pool
        self._bodiless = bodiless
        self._done = False

    async def read(self) -> tuple[bytes, bool]:
        """Return (the next piece of the body, whether more will come). Raises UpstreamError where it is cut."""
        connection = self._connection
        if self._bodiless:
            return b"", False
        while not (connection.pending or connection.complete):
            await connection.receive()
        piece = connection.take()
        if connection.complete and connection.reusable:
            self._done = True
            self._pool.give_back(connection)
        return piece, not connection.complete

    def release(self) -> None:
        """Give up on the rest of the body, if any. Call it in any case."""
        if not self._done:
            self._done = True
            self._connection.close()


class _Connection:
    """One connection; the methods named on_* are called by the parser."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._begin()

    def _begin(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self.status = 0
        self.headers: Headers = []
        self._pieces: list[bytes] = []
        self._headed = False
        self.complete = False
        self._lasting = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        if self.status == 100:
            self.headers = []
        else:
            self._headed = True
            self._lasting = self._parser.should_keep_alive()  # asked later, the parser has forgotten

    def on_body(self, body: bytes) -> None:
        self._pieces.append(body)

    def on_message_complete(self) -> None:
        self.complete = self._headed

    @property
    def pending(self) -> bool:
        return bool(self._pieces)

    @property
    def reusable(self) -> bool:
        return self.complete and self._lasting and not self._reader.at_eof()

    @property
    def alive(self) -> bool:
        return not self._reader.at_eof() and not self._writer.is_closing()

    async def send(self, head: bytes, body: AsyncIterator[bytes] | None, chunked: bool) -> None:
        self._begin()
        self._writer.write(head)
        if body is not None:
            async for piece in body:
                if piece:
                    self._writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
                    await self._writer.drain()
            if chunked:
                self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()

    async def receive_head(self) -> None:
        while not self._headed:
            await self.receive()

    async def receive(self) -> None:
        data = await self._reader.read(_CHUNK)
        if not data:
            if self._headed and not self.complete and not self._delimited():
                self.complete = True  # the end of the connection is the end of such a body
                return
            raise UpstreamError("the development server closed the connection")
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as error:
            raise UpstreamError("the development server changed the protocol") from error
        except httptools.HttpParserError as error:
            raise UpstreamError("the development server answered with something that is not HTTP") from error

    def _delimited(self) -> bool:
        return any(name in (b"content-length", b"transfer-encoding") for name, _ in self.headers)

    def take(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        self._writer.close()


class Upstream:
    """Connections to one unix socket."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._idle: list[_Connection] = []

    async def request(
        self, method: str, target: bytes, headers: Sequence[tuple[bytes, bytes]], body: AsyncIterator[bytes] | None
    ) -> Answer:
        """Send a request; `body` is None where there is none. Raises UpstreamError."""
        lengths = [value for name, value in headers if name == b"content-length"]
        chunked = body is not None and not lengths
        lines = [b"%b %b HTTP/1.1" % (method.encode("latin-1"), target)]
        lines += [b"%b: %b" % pair for pair in headers]
        if chunked:
            lines.append(b"transfer-encoding: chunked")
        head = b"\r\n".join(lines) + b"\r\n\r\n"
        while self._idle:
            connection = self._idle.pop()
            if not connection.alive:
                connection.close()
                continue
            try:
                return await self._exchange(connection, head, body, chunked, method)
            except (UpstreamError, OSError):
                # The server may have closed a connection just as it was taken; only what is safe is sent twice.
                if method not in ("GET", "HEAD", "OPTIONS") or body is not None:
                    raise UpstreamError("the development server closed the connection") from None
        try:
            reader, writer = await asyncio.open_unix_connection(self._address, limit=_CHUNK)
            return await self._exchange(_Connection(reader, writer), head, body, chunked, method)
        except OSError as error:
            raise UpstreamError("the development server cannot be reached") from error

    async def _exchange(
        self, connection: _Connection, head: bytes, body: AsyncIterator[bytes] | None, chunked: bool, method: str
    ) -> Answer:
        try:
            await connection.send(head, body, chunked)
            await connection.receive_head()
        except BaseException:
            connection.close()
            raise
        return Answer(connection, self, bodiless=method == "HEAD")

    def give_back(self, connection: _Connection) -> None:
        if len(self._idle) < _MOST_IDLE:
            self._idle.append(connection)
        else:
            connection.close()

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().close()
