"""The events of a session over HTTP, as the browser's EventSource understands them."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from time import monotonic
from typing import Final, cast

import anyio
from sse_starlette import EventSourceResponse
from sse_starlette.sse import SendTimeoutError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Send

from api.stream import Stream

SEND_SECONDS: Final = 60.0
"""A reader that takes nothing for so long is gone, or asleep: it comes back with its Last-Event-ID."""

WATCH_SECONDS: Final = 10.0
"""How often a reader is looked at for that."""

ENDING_SECONDS: Final = 1.0
"""How long a stream may take to end when the server shuts down, before it is broken off."""

HEADERS: Final = {
    "Cache-Control": "no-store, no-transform",  # a proxy that compresses would also buffer
    "X-Accel-Buffering": "no",
}


Frames = AsyncGenerator[bytes, None]


def event_stream(stream: Stream, frames: Frames) -> Response:
    """Answer with encoded events, many in one piece, that bring their own heartbeat.

    They pass through sse-starlette as they are, which looks after disconnects and notices the server's shutdown, upon
    which all readers of `stream` end.
    """
    return EventStream(
        frames,
        headers=HEADERS,
        ping=WATCH_SECONDS,
        shutdown_event=cast(anyio.Event, _Ending(stream)),
        shutdown_grace_period=ENDING_SECONDS,
    )


def event_id_of(request: Request) -> int | None:
    """The last event that the caller has.

    A `Last-Event-ID` goes before the query's `after`: a browser that comes back repeats the address it began with.
    """
    return parse_event_id(request.headers.get("last-event-id") or request.query_params.get("after"))


class EventStream(EventSourceResponse):
    """Sends pieces as they are, and watches with one timer for a reader that takes none.

    sse-starlette sets a timer for every piece, which costs as much as sending it; here its ping is what watches.
    """

    _sending_since: float | None = None

    async def _stream_response(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        pieces = cast(AsyncGenerator[bytes, None], self.body_iterator)
        async with aclosing(pieces):
            async for piece in pieces:
                self._sending_since = monotonic()
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                self._sending_since = None
        self.active = False
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _ping(self, send: Send) -> None:
        while self.active:
            await anyio.sleep(self.ping_interval)
            if self._sending_since is not None and monotonic() - self._sending_since > SEND_SECONDS:
                raise SendTimeoutError


class _Ending:
    """Stands in for the event that sse-starlette sets when the server shuts down: it is only ever set."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def set(self) -> None:
        self._stream.close_readers()


def parse_event_id(text: str | None) -> int | None:
    """The number of an event, or None for what is not one: the reader then gets a fresh snapshot."""
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else None
