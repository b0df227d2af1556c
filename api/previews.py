"""Previews over HTTP: the way in, taking it back, starting and stopping, and what server and pages say."""

from datetime import UTC, datetime, timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from api.access import session_of
from api.auth import principal_of
from api.endpoints import ANSWER_SECONDS, Answer, Endpoint, JsonResponse, body_of, within
from api.examples import EXAMPLE_TIME
from api.problems import AWAY, DATABASE_AWAY, NO_SESSION, NO_WORKER, NOT_NOW, SESSION_ENDED, TOO_SLOW
from api.services import services_of
from api.session_workflows import CARRY_OUT_SECONDS
from api.snapshots import snapshot
from schemas.previews import PreviewControl, PreviewInfo, PreviewLogs
from schemas.session import Preview
from storage.preview_access import viewer_of

ENTRANCE_SECONDS: Final = 4 * 3600.0
"""How long a browser may see a preview before its page fetches a new way in."""
START_SECONDS: Final = 40.0
NO_STORE: Final = {"Cache-Control": "no-store"}

EXAMPLE_URL: Final = "http://session-k3v7-qx2.preview.localhost:8081"
EXAMPLE: Final = PreviewInfo(
    preview=Preview(status="ready", url=EXAMPLE_URL),
    entrance=f"{EXAMPLE_URL}/__stich/enter?grant=...&to=%2F",
    expires_at=EXAMPLE_TIME,
    server="ready",
    detail="",
    restarts=0,
)


async def show(request: Request) -> Response:
    session = await session_of(request, "view")
    services = services_of(request)
    preview = (await snapshot(services, session)).progress.preview
    report = await services.preview_reports.get(session.id)
    entrance = expires_at = None
    principal = principal_of(request)
    viewer = principal.sign_in_id or viewer_of(principal.user_id)
    revision = await services.preview_access.revision(session.id, viewer)
    # Before the workflow knows of a preview, watchers may: its step tells them as soon as it is open.
    if revision is not None and services.settings.preview_entrance is not None:
        entrance = services.settings.preview_entrance(session.id, revision, viewer, ENTRANCE_SECONDS)
        expires_at = datetime.now(UTC) + timedelta(seconds=ENTRANCE_SECONDS)
    info = PreviewInfo(
        preview=preview,
        entrance=entrance,
        expires_at=expires_at,
        server=report.server.status,
        detail=report.server.detail,
        restarts=report.server.restarts,
    )
    return JsonResponse(info, headers=NO_STORE)


async def control(request: Request) -> Response:
    session = await within(ANSWER_SECONDS, session_of(request, "edit"))
    asked = body_of(request, PreviewControl)
    return JsonResponse(await services_of(request).workflows.control_preview(session.id, asked, START_SECONDS))


async def revoke(request: Request) -> Response:
    session = await session_of(request, "own")
    await services_of(request).preview_access.revoke(session.id)
    return Response(status_code=204)


async def logs(request: Request) -> Response:
    session = await session_of(request, "view")
    report = await services_of(request).preview_reports.get(session.id)
    found = PreviewLogs(
        server=report.server.lines, issues=[*report.server.issues, *report.pages], seen_at=report.seen_at
    )
    return JsonResponse(found, headers=NO_STORE)


ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/api/sessions/{session_id}/preview",
        handler=show,
        name="get_preview",
        guests=True,
        summary="How the preview is, and an address that lets this browser see it for some hours",
        answer=Answer(description="The preview.", schema=PreviewInfo, example=EXAMPLE),
        problems=(NO_SESSION, NO_WORKER, *AWAY),
    ),
    Endpoint(
        method="POST",
        path="/api/sessions/{session_id}/preview",
        handler=control,
        name="control_preview",
        summary="Start, restart or stop the preview's development server",
        body=PreviewControl,
        body_example=PreviewControl(action="restart"),
        answer=Answer(description="The preview afterwards.", schema=Preview, example=EXAMPLE.preview),
        problems=(NO_SESSION, NOT_NOW, SESSION_ENDED, NO_WORKER, *AWAY),
        seconds=ANSWER_SECONDS + CARRY_OUT_SECONDS + START_SECONDS,
    ),
    Endpoint(
        method="POST",
        path="/api/sessions/{session_id}/preview/revoke",
        handler=revoke,
        name="revoke_preview",
        summary="Take back every way in that was given to the preview",
        answer=Answer(status=204, description="Nobody sees it any more without a new one."),
        problems=(NO_SESSION, DATABASE_AWAY, TOO_SLOW),
    ),
    Endpoint(
        method="GET",
        path="/api/sessions/{session_id}/preview/logs",
        handler=logs,
        name="preview_logs",
        summary="The end of the development server's log, and what went wrong in the pages",
        answer=Answer(
            description="Lines and issues.",
            schema=PreviewLogs,
            example=PreviewLogs(server=["12:00:01 [vite] page reload index.html"], issues=[], seen_at=EXAMPLE_TIME),
        ),
        problems=(NO_SESSION, DATABASE_AWAY, TOO_SLOW),
    ),
)
