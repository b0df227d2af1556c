"""The HTTP/1.1 server of the gateway: takes requests from browsers, has them routed, relays what comes back.

Everything of a request that goes to a running server happens in callbacks, without a task of its own; what has to wait
(a server that starts, a grant that is looked up) is done in one.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Final, cast

import structlog

from sandbox.http1 import HOP, LAST_CHUNK, Answer, Body, Malformed, Request, chunk, take_head
from sandbox.inspector import Insertion, belongs_into
from sandbox.routes import Handler, Permission, Reply, Route
from sandbox.upstream import UNREACHABLE, Link

log = structlog.get_logger(__name__)

_MOST_CONNECTIONS: Final = 4_096
_MOST_AHEAD: Final = 64 * 1024
_HEAD_SECONDS: Final = 15.0
_IDLE_SECONDS: Final = 75.0
_DRAIN_SECONDS: Final = 2.0
_TICK_SECONDS: Final = 1.0
_LONG_SECONDS: Final = 2.0
_SAFE: Final = frozenset({b"GET", b"HEAD", b"OPTIONS"})
_REASONS: Final = {status.value: status.phrase.encode() for status in HTTPStatus}
_NOT_DOWN: Final = HOP | {b"set-cookie", b"x-frame-options", b"server", b"strict-transport-security"}
_NOT_DOWN_CHANGED: Final = _NOT_DOWN | {b"content-length"}
_UPGRADED: Final = b"connection: Upgrade\r\nupgrade: websocket\r\n"


class Front(asyncio.Protocol):
    """One connection of a browser."""

    def __init__(self, handler: Handler, all_of_them: "set[Front]") -> None:
        self._handler = handler
        self._all = all_of_them
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._since = time.monotonic()
        self._closing = self._draining = False
        self._end()

    def _end(self) -> None:
        """No request is under way (any more)."""
        self._request: Request | None = None
        self._incoming: Body | None = None
        self._route: Route | None = None
        self._link: Link | None = None
        self._waiting: asyncio.Task[None] | None = None
        self._insertion: Insertion | None = None
        self._begun = self._chunked = self._tunnel = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are no subclass of it
        if len(self._all) >= _MOST_CONNECTIONS:
            self._transport.abort()
            return
        self._all.add(self)
        connection = transport.get_extra_info("socket")
        if connection is not None and connection.family != socket.AF_UNIX:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def connection_lost(self, error: Exception | None) -> None:
        self._all.discard(self)
        self._give_up()

    def data_received(self, data: bytes) -> None:
        if self._draining:
            return
        if self._tunnel and self._link is not None:
            self._link.write(data)
            return
        begins = not self._buffer
        self._buffer = data if begins else self._buffer + data
        if self._request is None:
            if begins:
                self._since = time.monotonic()
            self._next()
        elif self._link is not None and self._incoming is not None:
            self._pump()
        elif len(self._buffer) > _MOST_AHEAD:
            self._read(False)

    def pause_writing(self) -> None:
        if self._link is not None:
            self._link.hold(True)

    def resume_writing(self) -> None:
        if self._link is not None:
            self._link.hold(False)

    def tick(self, now: float) -> None:
        """Close what is idle, or sends no whole head, for too long."""
        patience = _DRAIN_SECONDS if self._draining else _HEAD_SECONDS if self._buffer else _IDLE_SECONDS
        if self._request is None and now - self._since > patience:
            self.leave()

    def long_permission(self, now: float) -> Permission | None:
        """What an answer or WebSocket that lasts was permitted by."""
        lasting = self._route is not None and now - self._since > _LONG_SECONDS
        return self._route.permission if lasting and self._route is not None else None

    def leave(self) -> None:
        """End the connection."""
        self._give_up()
        if self._transport is not None:
            self._transport.abort()

    def _next(self) -> None:
        """Begin with the next request where its head is there."""
        try:
            found = take_head(self._buffer)
            if found is None:
                return
            head, self._buffer = found
            request = self._request = Request(head)
        except Malformed as error:
            self._refuse(error.status)
            return
        self._since = time.monotonic()
        self._incoming = Body(request.fields.length or 0, request.fields.chunked) if request.has_body else None
        route = self._handler.route(request)
        if route is not None:
            self._relay(request, route)
        else:
            self._waiting = asyncio.create_task(self._decide(request))

    async def _decide(self, request: Request) -> None:
        try:
            outcome = await self._handler.answer(request)
        except Exception:  # whatever it is, the browser must hear of it
            log.exception("a request of a preview failed")
            outcome = Reply(500, b"cache-control: no-store\r\n")
        if isinstance(outcome, Reply):
            self._reply(outcome)
        else:
            self._waiting = None
            self._relay(request, outcome)

    def _relay(self, request: Request, route: Route) -> None:
        self._route = route
        if route.held is not None:
            route.held.hold()
        link = route.upstream.take()
        if link is not None:
            self._send(link, request, route)
        else:
            self._waiting = asyncio.create_task(self._connect(request, route))

    async def _connect(self, request: Request, route: Route) -> None:
        try:
            link = await route.upstream.connect()
        except OSError:
            self._reply(route.failed(UNREACHABLE))
            return
        self._waiting = None
        self._send(link, request, route)

    def _send(self, link: Link, request: Request, route: Route) -> None:
        self._link = link
        head = b"%b %b HTTP/1.1\r\n%b" % (request.method, request.target, route.up)
        if request.upgrades:
            head += _UPGRADED
        elif request.fields.chunked:
            head += b"transfer-encoding: chunked\r\n"
        link.ask(self, request.method, head + b"\r\n", upgrading=request.upgrades, complete=self._incoming is None)
        if self._incoming is not None:
            if request.fields.get(b"expect") and not self._buffer:
                self._write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._read(True)
            self._pump()

    def _pump(self) -> None:
        """Pass on what has come of the request's body."""
        body, link, request = self._incoming, self._link, self._request
        if body is None or link is None or request is None or body.complete:
            return
        try:
            piece, self._buffer = body.feed(self._buffer)
        except Malformed as error:
            link.drop()
            self._refuse(error.status)
            return
        if request.fields.chunked:
            framed = (chunk(piece) if piece else b"") + (LAST_CHUNK if body.complete else b"")
        else:
            framed = piece
        if framed:
            link.write(framed, body.complete)

    # What the server answers.

    def answered(self, answer: Answer, piece: bytes, complete: bool) -> None:
        request, route = self._request, self._route
        assert request is not None
        assert route is not None
        self._begun = True
        if complete:
            self._link = None  # it may serve another already
        dropped = _NOT_DOWN
        if route.framed and belongs_into(answer):
            self._insertion = Insertion()
            piece = self._insertion.feed(piece, not complete)
            dropped = _NOT_DOWN_CHANGED
        elif answer.status == 204:
            dropped = _NOT_DOWN_CHANGED
        lines = [
            b"HTTP/1.1 %d %b\r\n" % (answer.status, _REASONS.get(answer.status, b"")),
            answer.fields.kept(dropped),
            route.added,
        ]
        if answer.status == 101:
            self._tunnel = True
            lines.append(_UPGRADED)
        elif not answer.bodiless and (dropped is _NOT_DOWN_CHANGED or answer.fields.length is None):
            if complete:
                lines.append(b"content-length: %d\r\n" % len(piece))
            elif request.modern:
                self._chunked = True
                lines.append(b"transfer-encoding: chunked\r\n")
            else:
                self._closing = True
        if complete and self._last():
            lines.append(b"connection: close\r\n")
        lines += (b"\r\n", chunk(piece) if self._chunked and piece else piece)
        self._write(b"".join(lines))
        if self._tunnel:
            buffered, self._buffer = self._buffer, b""
            if buffered and self._link is not None:
                self._link.write(buffered)
        if complete:
            self._finish()

    def continued(self, piece: bytes, complete: bool) -> None:
        if complete:
            self._link = None
        if self._insertion is not None:
            piece = self._insertion.feed(piece, not complete)
        if self._chunked:
            piece = (chunk(piece) if piece else b"") + (LAST_CHUNK if complete else b"")
        if piece:
            self._write(piece)
        if complete:
            self._finish()

    def cut(self, reason: str, untouched: bool) -> None:
        request, route = self._request, self._route
        self._link = None
        if request is None or route is None:
            return
        if self._tunnel and self._transport is not None:
            self._transport.close()
        elif self._begun:
            self.leave()  # the head is out: ending without the rest tells the browser that the body is cut
        elif untouched and request.method in _SAFE and not request.has_body and not request.upgrades:
            # The server closed an idle connection just as it was taken; only what is safe is sent twice.
            self._waiting = asyncio.create_task(self._connect(request, route))
        else:
            self._reply(route.failed(reason))

    def relieve(self, full: bool) -> None:
        self._read(not full)

    # The end of a request.

    def _reply(self, reply: Reply) -> None:
        head = b"HTTP/1.1 %d %b\r\n%bcontent-length: %d\r\n" % (
            reply.status,
            _REASONS.get(reply.status, b""),
            reply.headers,
            len(reply.body),
        )
        if self._last():
            head += b"connection: close\r\n"
        bodiless = self._request is not None and self._request.method == b"HEAD"
        self._write(head + b"\r\n" + (b"" if bodiless else reply.body))
        self._finish()

    def _refuse(self, status: int) -> None:
        self._closing = True
        self._reply(Reply(status, b"cache-control: no-store\r\n"))

    def _last(self) -> bool:
        """Whether the connection ends with this answer: told to, or the rest of the request is still to come."""
        request, incoming = self._request, self._incoming
        return (
            self._closing or request is None or not request.lasting or (incoming is not None and not incoming.complete)
        )

    def _finish(self) -> None:
        last, incoming = self._last(), self._incoming
        rude = self._closing or (incoming is not None and not incoming.complete)
        self._let_go()
        self._end()
        if self._transport is None or self._transport.is_closing():
            return
        self._read(True)
        if rude:
            # Closed at once, with bytes unread, the connection would be reset, and the answer lost on its way.
            self._draining, self._since = True, time.monotonic()
            self._transport.write_eof()
            return
        if last:
            self._transport.close()
            return
        self._since = time.monotonic()
        if self._buffer:
            self._next()

    def _give_up(self) -> None:
        """Nobody waits for an answer any more."""
        if self._waiting is not None and self._waiting is not asyncio.current_task():
            self._waiting.cancel()
        if self._link is not None:
            self._link.drop()
        self._let_go()
        self._end()

    def _let_go(self) -> None:
        if self._route is not None and self._route.held is not None:
            self._route.held.let_go()
        self._route = None

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _read(self, on: bool) -> None:
        if self._transport is not None and not self._transport.is_closing():
            if on:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()


@contextlib.asynccontextmanager
async def serving(handler: Handler, listener: socket.socket) -> AsyncIterator[asyncio.Task[None]]:
    """Serve on a listening socket until the block is left. The task ends early only when serving failed."""
    fronts: set[Front] = set()
    listener.setblocking(False)
    server = await asyncio.get_running_loop().create_server(lambda: Front(handler, fronts), sock=listener, backlog=1024)
    watching = asyncio.create_task(_watch(fronts), name="previews")
    try:
        yield watching
    finally:
        watching.cancel()
        server.close()
        for front in list(fronts):
            front.leave()
        await asyncio.gather(watching, return_exceptions=True)


async def _watch(fronts: set[Front]) -> None:
    """Close what waits for too long, and what goes on after its permission was taken back."""
    while True:
        await asyncio.sleep(_TICK_SECONDS)
        now = time.monotonic()
        for front in list(fronts):
            front.tick(now)
        for front in list(fronts):
            permission = front.long_permission(now)
            if permission is None:
                continue
            try:
                holds = await permission.holds()
            except Exception:  # nobody can tell: then nobody may look
                log.exception("the grant of an open connection could not be looked up")
                holds = False
            if not holds and front.long_permission(now) is permission:
                front.leave()
