"""The events of a session over HTTP, as the browser's EventSource understands them."""

from typing import Final, cast

import anyio
from sse_starlette import EventSourceResponse
from starlette.requests import Request
from starlette.responses import Response

from api.stream import SnapshotSource, Stream

SEND_SECONDS: Final = 60.0
"""A reader that takes nothing for so long is gone, or asleep: it comes back with its Last-Event-ID."""

ENDING_SECONDS: Final = 1.0
"""How long a stream may take to end when the server shuts down, before it is broken off."""

HEADERS: Final = {
    "Cache-Control": "no-store, no-transform",  # a proxy that compresses would also buffer
    "X-Accel-Buffering": "no",
}


def session_events(request: Request, stream: Stream, session_id: str, snapshot: SnapshotSource) -> Response:
    """Answer a request for the events of a session, which exists and which the caller may see.

    A `Last-Event-ID` goes before the query's `after`: a browser that comes back repeats the address it began with.
    The stream brings its own heartbeat and its events are encoded already, many in one piece, so they pass through
    sse-starlette as they are; it looks after disconnects and notices the server's shutdown, upon which all streams end.
    """
    after = parse_event_id(request.headers.get("last-event-id") or request.query_params.get("after"))
    return EventSourceResponse(
        stream.follow(session_id, after, snapshot),
        headers=HEADERS,
        ping=0,
        send_timeout=SEND_SECONDS,
        shutdown_event=cast(anyio.Event, _Ending(stream)),
        shutdown_grace_period=ENDING_SECONDS,
    )


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
