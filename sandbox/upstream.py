"""Connections to development servers, kept open and used again. What they answer is untrusted.

Written with callbacks: a task and two streams per request would cost as much as a small file of the server itself.
"""

import asyncio
import contextlib
from typing import Final, Protocol, cast

from sandbox.http1 import Answer, Body, Malformed, take_head

_MOST_IDLE: Final = 16
_MOST_HINTS: Final = 8

CLOSED: Final = "the development server closed the connection"
NOT_HTTP: Final = "the development server answered with something that is not HTTP"
UNREACHABLE: Final = "the development server cannot be reached"


class Receiver(Protocol):
    """Who asked."""

    def answered(self, answer: Answer, piece: bytes, complete: bool) -> None:
        """The head has come, with the body's first piece; `complete` says that this is all of it."""

    def continued(self, piece: bytes, complete: bool) -> None:
        """More of the body, or of what goes through a WebSocket."""

    def cut(self, reason: str, untouched: bool) -> None:
        """Nothing more will come; `untouched` where an idle connection was found closed before it answered."""

    def relieve(self, full: bool) -> None:
        """The server takes no more for now, or takes more again."""


class Link(asyncio.Protocol):
    """One connection."""

    def __init__(self, pool: "Upstream") -> None:
        self._pool = pool
        self._transport: asyncio.Transport | None = None
        self._receiver: Receiver | None = None
        self._used = self._held = False
        self._end()

    def _end(self) -> None:
        self._receiver = None
        self._method = b""
        self._upgrading = self._tunnel = self._sent = False
        self._buffer = b""
        self._answer: Answer | None = None
        self._body: Body | None = None

    @property
    def alive(self) -> bool:
        """Whether it can be written to."""
        return self._transport is not None and not self._transport.is_closing()

    def ask(self, receiver: Receiver, method: bytes, head: bytes, *, upgrading: bool, complete: bool) -> None:
        """Send a request's head, with a body to follow unless `complete`; the receiver hears of the answer."""
        assert self._transport is not None
        self._receiver, self._method, self._upgrading, self._sent = receiver, method, upgrading, complete
        self._transport.write(head)

    def write(self, data: bytes, complete: bool = False) -> None:
        """Send a piece of the request's body, framed, or of what goes through a WebSocket."""
        assert self._transport is not None
        self._sent = complete
        self._transport.write(data)

    def hold(self, on: bool) -> None:
        """Stop reading, or read on."""
        self._held = on
        if self._transport is not None and not self._transport.is_closing():
            if on:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def drop(self) -> None:
        """Close it, whatever is under way."""
        self._receiver = None
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are no subclass of it

    def data_received(self, data: bytes) -> None:
        receiver = self._receiver
        if receiver is None:
            self.drop()  # nobody asked
            return
        try:
            if self._tunnel:
                receiver.continued(data, False)
            elif self._body is None:
                self._head(receiver, self._buffer + data if self._buffer else data)
            else:
                self._continue(receiver, self._body, data)
        except Malformed:
            self.drop()
            receiver.cut(NOT_HTTP, False)

    def _head(self, receiver: Receiver, data: bytes) -> None:
        for _ in range(_MOST_HINTS):
            found = take_head(data)
            if found is None:
                self._buffer = data
                return
            head, data = found
            answer = Answer(head, self._method)
            if answer.status >= 200 or answer.status == 101:
                break
        else:
            raise Malformed
        self._buffer = b""
        if answer.status == 101:
            if not self._upgrading:
                raise Malformed
            self._tunnel = True
            receiver.answered(answer, data, False)
            return
        self._answer = answer
        if len(data) == answer.fields.length and not answer.bodiless:  # most answers come whole
            self._settle(answer, b"")
            receiver.answered(answer, data, True)
            return
        body = self._body = Body(0, False) if answer.bodiless else Body(answer.fields.length, answer.fields.chunked)
        piece, rest = body.feed(data)
        if body.complete:
            self._settle(answer, rest)
        receiver.answered(answer, piece, body.complete)

    def _continue(self, receiver: Receiver, body: Body, data: bytes) -> None:
        piece, rest = body.feed(data)
        if body.complete:
            assert self._answer is not None
            self._settle(self._answer, rest)
        if piece or body.complete:
            receiver.continued(piece, body.complete)

    def _settle(self, answer: Answer, rest: bytes) -> None:
        """The exchange is over: go back to the pool, unless a part of it is still to come or too much came."""
        if answer.lasting and self._sent and not rest and self.alive:
            self._end()
            if self._held:
                self.hold(False)
            self._used = True
            self._pool.give_back(self)
        else:
            self.drop()

    def connection_lost(self, error: Exception | None) -> None:
        receiver, self._receiver = self._receiver, None
        self._pool.forget(self)
        if receiver is None:
            return
        unframed = self._answer is not None and self._answer.fields.length is None and not self._answer.fields.chunked
        if self._body is not None and unframed and error is None:
            receiver.continued(b"", True)  # the end of the connection is the end of such a body
        else:
            receiver.cut(CLOSED, self._used and self._answer is None and not self._buffer and not self._tunnel)

    def pause_writing(self) -> None:
        if self._receiver is not None:
            self._receiver.relieve(True)

    def resume_writing(self) -> None:
        if self._receiver is not None:
            self._receiver.relieve(False)


class Upstream:
    """Connections to one unix socket, or to host:port."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._idle: list[Link] = []

    def take(self) -> Link | None:
        """An idle connection, None where there is none."""
        while self._idle:
            link = self._idle.pop()
            if link.alive:
                return link
        return None

    async def connect(self) -> Link:
        """A new connection. Raises OSError."""
        loop = asyncio.get_running_loop()
        if self.address.startswith("/"):
            _, link = await loop.create_unix_connection(lambda: Link(self), self.address)
        else:
            host, _, port = self.address.rpartition(":")
            _, link = await loop.create_connection(lambda: Link(self), host, int(port))
        return link

    def give_back(self, link: Link) -> None:
        if len(self._idle) < _MOST_IDLE:
            self._idle.append(link)
        else:
            link.drop()

    def forget(self, link: Link) -> None:
        with contextlib.suppress(ValueError):
            self._idle.remove(link)

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().drop()
