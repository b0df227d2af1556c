"""Watching a session: its events as they come."""

from functools import partial
from typing import Final

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from api.access import Session
from api.admission import admit_in_time, admit_soon
from api.auth import principal_of
from api.endpoints import Answer, Endpoint
from api.limits import headers_of
from api.problems import DATABASE_AWAY, NO_SESSION, TEMPORAL_AWAY, TOO_SLOW, Refusal
from api.services import services_of
from api.snapshots import fresh_snapshot
from api.sse import Frames, event_id_of, event_stream
from schemas.events import Event
from schemas.http import Problem, SessionSnapshot
from schemas.sharing import Presence


class EventsQuery(BaseModel):
    """Query of `GET /api/sessions/{id}/events`."""

    after: str | None = Field(default=None, description="As `Last-Event-ID`, for clients that cannot send headers.")


class EventsHeaders(BaseModel):
    """Headers of `GET /api/sessions/{id}/events`."""

    last_event_id: str | None = Field(
        default=None,
        alias="last-event-id",
        description="Number of the last event seen: the stream goes on after it; without it, with `snapshot`.",
    )


async def events(request: Request) -> Response:
    services = services_of(request)
    answer = await admit_soon(request, "view", "read")
    if isinstance(answer, Refusal):
        waiting = admit_in_time(request, "view", "read", answer, partial(_watch, request))
        return event_stream(services.stream, waiting)
    response = event_stream(services.stream, _watch(request, answer.session))
    if answer.standing is not None:
        response.headers.update(headers_of("requests", answer.standing))
    return response


def _watch(request: Request, session: Session) -> Frames:
    services = services_of(request)
    snapshot = partial(fresh_snapshot, services, session.id)
    frames = services.stream.follow(session.id, event_id_of(request), snapshot)
    return services.watchers.watch(principal_of(request), session.id, frames)


ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/api/sessions/{session_id}/events",
        handler=events,
        name="watch_session",
        summary="The session as server-sent events: first a snapshot, then every event, each with its number as id",
        query=EventsQuery,
        headers=EventsHeaders,
        answer=Answer(
            description="`event:` is the type, `data:` the object described here, `id:` the number to come back with. "
            "While a part is away that has to prove your access, the stream begins with `unavailable`, whose data is a "
            "problem; then comes `available` and the rest, or `refused` with a problem, and the end.",
            media_type="text/event-stream",
            schema=SessionSnapshot | Event | Presence | Problem,
        ),
        problems=(NO_SESSION, DATABASE_AWAY, TEMPORAL_AWAY, TOO_SLOW),
        seconds=None,
        proves=True,
    ),
)
