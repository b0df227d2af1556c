"""The log of requests: one line each, with the id that the client sees, and nothing that must stay secret."""

import pytest
import structlog
from temporalio.client import Client

from schemas.http import Problem
from tests.api.conftest import TOKEN, Service

REQUEST = {"Authorization": f"Bearer {TOKEN}"}


async def test_a_request_is_one_line_without_secrets(service: Service) -> None:
    with structlog.testing.capture_logs() as lines:
        answer = await service.signed_in.post(f"/api/sessions?token={TOKEN}", json={"prompt": "", "x": "my secret"})
        await service.anonymous.get(f"/?token={TOKEN}")
    requests = [line for line in lines if line["event"] == "request"]
    assert [(line["method"], line["path"], line["status"]) for line in requests] == [
        ("POST", "/api/sessions", 422),
        ("GET", "/", 303),
    ]
    assert all(line["ms"] >= 0 for line in requests)
    assert TOKEN not in str(lines)
    assert "my secret" not in str(lines)
    assert answer.headers["x-request-id"] == answer.json()["request_id"]


@pytest.mark.parametrize("ticket", ["0123456789abcdef" * 4, "decode-this", "x%2Fy"])
@pytest.mark.parametrize("act", ["decode", "encode", "other"])
async def test_the_codec_s_ticket_is_in_no_line(service: Service, ticket: str, act: str) -> None:
    with structlog.testing.capture_logs() as lines:
        await service.anonymous.post(f"/codec/{ticket}/{act}?token={TOKEN}", json={"payloads": []})
    assert ticket not in str(lines) and "x/y" not in str(lines) and TOKEN not in str(lines)
    assert [line["path"].startswith("/codec/…") for line in lines if line["event"] == "request"] == [True]


async def test_the_id_is_in_the_line(service: Service) -> None:
    seen: list[object] = []

    def note(logger: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        seen.append(event.get("request_id"))
        raise structlog.DropEvent

    before = structlog.get_config()["processors"]
    structlog.configure(processors=[structlog.contextvars.merge_contextvars, note])
    try:
        answer = await service.anonymous.get("/healthz", headers={"X-Request-ID": "from-the-proxy.1"})
    finally:
        structlog.configure(processors=before)
    assert answer.headers["x-request-id"] == "from-the-proxy.1"
    assert "from-the-proxy.1" in seen


@pytest.mark.parametrize("sent", ["", "a b", "x" * 65, "{}", "é"])
async def test_an_odd_id_is_replaced(service: Service, sent: str) -> None:
    answer = await service.anonymous.get("/healthz", headers={"X-Request-ID": sent.encode()})  # type: ignore[arg-type]
    assert answer.headers["x-request-id"].isalnum()
    assert len(answer.headers["x-request-id"]) == 16


async def test_a_surprise_is_an_internal_error_without_details(service: Service, temporal: Client) -> None:
    """A database whose tables were taken away is an error that no handler knows."""
    await service.database.pool.execute("ALTER TABLE sessions RENAME TO sessions_away")
    try:
        with structlog.testing.capture_logs() as lines:
            answer = await service.signed_in.get("/api/sessions")
    finally:
        await service.database.pool.execute("ALTER TABLE sessions_away RENAME TO sessions")
    assert answer.status_code == 500
    problem = Problem.model_validate_json(answer.content)
    assert problem.code == "internal_error"
    assert "sessions" not in problem.detail
    assert "content-security-policy" in answer.headers
    [failure] = [line for line in lines if line["event"] == "request failed"]
    assert failure["error"].startswith("UndefinedTableError")
    assert any("sessions.py" in frame for frame in failure["where"])
