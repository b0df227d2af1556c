"""The end of a session over HTTP: put away, taken out again, deleted for good."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from api.access import session_of
from api.audit import note
from api.auth import principal_of
from api.bodies import read_nothing
from api.endpoints import Answer, Endpoint
from api.problems import DATABASE_AWAY, NO_SESSION, TEMPORAL_AWAY, TOO_SLOW
from api.services import services_of
from storage.erasure import forgotten


async def archive(request: Request) -> Response:
    return await _set_archived(request, True)


async def unarchive(request: Request) -> Response:
    return await _set_archived(request, False)


async def _set_archived(request: Request, archived: bool) -> Response:
    await read_nothing(request)
    session = await session_of(request, "own")
    await services_of(request).sessions.set_archived(session.id, archived)
    return Response(status_code=204)


async def delete(request: Request) -> Response:
    session, services = await session_of(request, "own"), services_of(request)
    await services.workflows.erase(session.id, principal_of(request).user_id)
    await note(request, "session_deleted", subject=forgotten(session.id))
    return Response(status_code=202)


AWAY: Final = (NO_SESSION, DATABASE_AWAY, TOO_SLOW)

ENDPOINTS: Final = (
    Endpoint(
        method="POST",
        path="/api/sessions/{session_id}/archive",
        handler=archive,
        name="archive_session",
        summary="Put a session away: it is kept, and listed with `show=archived` only",
        answer=Answer(status=204, description="The session is put away."),
        problems=AWAY,
    ),
    Endpoint(
        method="POST",
        path="/api/sessions/{session_id}/unarchive",
        handler=unarchive,
        name="unarchive_session",
        summary="List a session among the others again",
        answer=Answer(status=204, description="The session is listed again."),
        problems=AWAY,
    ),
    Endpoint(
        method="DELETE",
        path="/api/sessions/{session_id}",
        handler=delete,
        name="delete_session",
        summary="Delete a session for good: its work, files, conversation, published sites and history",
        answer=Answer(status=202, description="The session is being deleted, whatever breaks meanwhile."),
        problems=(TEMPORAL_AWAY, *AWAY),
    ),
)
