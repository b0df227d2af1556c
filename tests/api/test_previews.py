"""Previews over HTTP: the way in, taking it back, steering the server, its log."""

import pytest

from schemas.checks import Issue, IssueSource, Severity
from schemas.http import Problem
from schemas.previews import PreviewInfo, PreviewLogs, ServerReport
from storage.preview_access import PreviewAccess, viewer_of
from storage.preview_reports import PreviewReports
from storage.sessions import SessionRecord, Sessions
from tests.api.conftest import Service
from tests.api.test_sessions import start

pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture
async def session_id(service: Service, sessions: Sessions) -> str:
    """A session that is stored, as the first step of its workflow does it."""
    started = await start(service)
    await sessions.create(SessionRecord(id=started, prompt="x", mode="deterministic"))
    return started


async def test_a_way_in_is_given_and_taken_back(service: Service, session_id: str) -> None:
    path, access = f"/api/sessions/{session_id}/preview", PreviewAccess(service.database)
    closed = PreviewInfo.model_validate_json((await service.signed_in.get(path)).content)
    assert (closed.preview.status, closed.server) == ("none", "stopped")
    assert closed.entrance is not None  # watchers may hear of a preview before the workflow does
    assert (await service.signed_in.post(path, json={"action": "start"})).json()["status"] == "ready"
    answer = await service.signed_in.get(path)
    assert answer.headers["cache-control"] == "no-store"
    shown = PreviewInfo.model_validate_json(answer.content)
    assert shown.preview.status == "ready"
    assert shown.entrance == f"entrance of {session_id} at 0 for {viewer_of('local')}"
    assert shown.expires_at is not None
    assert await access.revision(session_id, viewer_of("local")) == 0

    assert (await service.signed_in.post(f"{path}/revoke")).status_code == 204
    assert await access.revision(session_id, viewer_of("local")) == 1
    shown = PreviewInfo.model_validate_json((await service.signed_in.get(path)).content)
    assert shown.entrance == f"entrance of {session_id} at 1 for {viewer_of('local')}"


async def test_signing_out_takes_the_ways_in_back(service: Service, session_id: str) -> None:
    access = PreviewAccess(service.database)
    assert (await service.signed_in.post("/api/sign-out")).status_code == 204
    assert await access.revision(session_id, viewer_of("local")) == 1


async def test_strangers_get_nothing(service: Service, session_id: str) -> None:
    access = PreviewAccess(service.database)
    assert await access.revision(session_id, viewer_of("somebody-else")) is None
    assert await access.revision(session_id, "sign-in-of-nobody") is None
    assert await access.revision("session-none") is None
    for path in ("preview", "preview/logs"):
        assert (await service.anonymous.get(f"/api/sessions/{session_id}/{path}")).status_code == 401
        assert (await service.signed_in.get(f"/api/sessions/session-none/{path}")).status_code == 404
    assert (await service.anonymous.post(f"/api/sessions/{session_id}/preview/revoke")).status_code == 401
    refused = await service.signed_in.post(f"/api/sessions/{session_id}/preview", json={"action": "explode"})
    assert Problem.model_validate_json(refused.content).code == "invalid_request"


async def test_logs_of_server_and_pages_are_read_anywhere(service: Service, session_id: str) -> None:
    path, reports = f"/api/sessions/{session_id}/preview/logs", PreviewReports(service.database)
    empty = PreviewLogs.model_validate_json((await service.signed_in.get(path)).content)
    assert (empty.server, empty.issues, empty.seen_at) == ([], [], None)
    issue = Issue(code="console-error", severity=Severity.ERROR, source=IssueSource.BROWSER, message="no \0", count=40)
    await reports.put_server(session_id, ServerReport(status="ready", restarts=2, lines=["one (seen 3 times)", "\0"]))
    await reports.put_pages(session_id, [issue])
    logs = PreviewLogs.model_validate_json((await service.signed_in.get(path)).content)
    assert logs.server == ["one (seen 3 times)", "\0"]
    assert logs.issues == [issue]
    shown = PreviewInfo.model_validate_json((await service.signed_in.get(path.removesuffix("/logs"))).content)
    assert (shown.server, shown.restarts) == ("ready", 2)
    await reports.put_pages(session_id, [])
    assert PreviewLogs.model_validate_json((await service.signed_in.get(path)).content).issues == []
