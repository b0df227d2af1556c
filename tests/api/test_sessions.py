"""Starting, listing, watching and steering sessions over HTTP."""

import pytest

from schemas.http import SessionCreated, SessionSnapshot
from tests.api.conftest import Service

pytestmark = pytest.mark.usefixtures("worker")


async def start(service: Service, prompt: str = "A kanban board", **headers: str) -> str:
    answer = await service.signed_in.post("/api/sessions", json={"prompt": prompt}, headers=headers)
    assert answer.status_code == 201, answer.text
    created = SessionCreated.model_validate_json(answer.content)
    assert answer.headers["location"] == f"/api/sessions/{created.id}"
    assert created.url == f"{service.url}/s/{created.id}"
    return created.id


async def snapshot(service: Service, session_id: str) -> SessionSnapshot:
    answer = await service.signed_in.get(f"/api/sessions/{session_id}")
    assert answer.status_code == 200, answer.text
    return SessionSnapshot.model_validate_json(answer.content)


async def test_a_new_session_can_be_watched_at_once(service: Service) -> None:
    session_id = await start(service, "  A kanban board ")
    shown = await snapshot(service, session_id)
    assert shown.progress.session_id == session_id
    assert shown.progress.prompt == "A kanban board"
    assert shown.stale is None
