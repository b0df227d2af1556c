"""Bad days: Postgres or Temporal gone or frozen, no worker. The answer comes in time and says which part is missing."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import NamedTuple
from unittest import mock

import httpx
import pytest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from api.health import Readiness
from schemas.http import Problem, SessionSnapshot
from schemas.session import Progress, StateInfo
from storage.database import Database
from storage.sessions import SessionRecord, Sessions
from tests.api.conftest import Service, running
from tests.api.relay import Relay, postgres_relay, tcp_relay

IN_TIME = 3.0

ROUTES = [
    ("GET", "/api/sessions"),
    ("GET", "/api/sessions/session-1"),
    ("GET", "/api/sessions/session-1/files"),
    ("GET", "/api/sessions/session-1/files/a.ts"),
    ("GET", "/api/sessions/session-1/screenshots/0.png"),
    ("GET", "/api/sessions/session-1/export.zip"),
    ("POST", "/api/sessions/session-1/messages"),
    ("POST", "/api/sessions/session-1/stop"),
    ("POST", "/api/sessions/session-1/resume"),
]


class Fragile(NamedTuple):
    """A service whose wires to Postgres and Temporal can be frozen and cut."""

    service: Service
    postgres: Relay
    temporal: Relay


@asynccontextmanager
async def fragile(dsn: str, environment: WorkflowEnvironment) -> AsyncIterator[Fragile]:
    address = environment.client.service_client.config.target_host
    async with postgres_relay(dsn) as (postgres, relayed_dsn), tcp_relay(address) as temporal:
        client = await Client.connect(f"127.0.0.1:{temporal.port}", data_converter=pydantic_data_converter, lazy=True)
        database = await Database.connect(relayed_dsn)
        try:
            async with running(database, client) as service:
                yield Fragile(service, postgres, temporal)
        finally:
            database.pool.terminate()


@pytest.fixture
async def bad_day(database_dsn: str, temporal_environment: WorkflowEnvironment) -> AsyncIterator[Fragile]:
    async with fragile(database_dsn, temporal_environment) as parts:
        assert (await parts.service.anonymous.get("/readyz")).status_code == 200
        await Sessions(parts.service.database).create(
            SessionRecord(id="session-1", prompt="An app", mode="deterministic")
        )
        yield parts


@pytest.fixture
def impatient() -> Iterator[None]:
    """For tests that are not about the time it takes to give up."""
    with mock.patch("api.session_workflows.ANSWER_SECONDS", 0.5):
        yield


async def ask(service: Service, method: str, path: str) -> tuple[httpx.Response, Problem]:
    bodies = {"messages": {"text": "Hello"}, "sessions": {"prompt": "An app"}}
    body = bodies.get(path.rpartition("/")[2]) if method == "POST" else None
    began = time.perf_counter()
    answer = await service.signed_in.request(method, path, json=body)
    assert time.perf_counter() - began < IN_TIME
    problem = Problem.model_validate_json(answer.content)
    assert problem.status == answer.status_code
    assert "Traceback" not in answer.text
    assert "127.0.0.1" not in answer.text
    return answer, problem


async def test_postgres_is_gone(bad_day: Fragile) -> None:
    await bad_day.postgres.cut()
    for method, path in ROUTES:
        answer, problem = await ask(bad_day.service, method, path)
        assert (answer.status_code, problem.code) == (503, "database_unavailable"), path
        assert int(answer.headers["retry-after"]) > 0
    await bad_day.postgres.listen()
    assert (await bad_day.service.signed_in.get("/api/sessions")).status_code == 200


async def test_postgres_is_frozen(bad_day: Fragile) -> None:
    bad_day.postgres.freeze()
    answers = await asyncio.gather(*(ask(bad_day.service, method, path) for method, path in ROUTES[:4]))
    assert {(answer.status_code, problem.code) for answer, problem in answers} == {(503, "timeout")}


async def test_temporal_is_gone(bad_day: Fragile) -> None:
    await bad_day.temporal.cut()
    routes = [("POST", "/api/sessions"), *ROUTES[1:2], *ROUTES[-3:]]
    answers = await asyncio.gather(*(ask(bad_day.service, method, path) for method, path in routes))
    assert {(answer.status_code, problem.code) for answer, problem in answers} == {(503, "temporal_unavailable")}
    assert all(int(answer.headers["retry-after"]) > 0 for answer, _ in answers)
    assert (await bad_day.service.signed_in.get("/api/sessions")).status_code == 200


async def test_temporal_is_frozen(bad_day: Fragile) -> None:
    bad_day.temporal.freeze()
    routes = [("POST", "/api/sessions"), *ROUTES[1:2], *ROUTES[-3:]]
    answers = await asyncio.gather(*(ask(bad_day.service, method, path) for method, path in routes))
    assert {(answer.status_code, problem.code) for answer, problem in answers} == {(503, "temporal_unavailable")}


@pytest.mark.usefixtures("impatient")
async def test_temporal_was_never_there(database: Database) -> None:
    client = await Client.connect("127.0.0.1:1", data_converter=pydantic_data_converter, lazy=True)
    async with running(database, client) as service:
        answer, problem = await ask(service, "POST", "/api/sessions")
        assert (answer.status_code, problem.code) == (503, "temporal_unavailable")
        ready, problem = await ask(service, "GET", "/readyz")
        assert "temporal" in problem.detail
        assert ready.json()["parts"][2] == {
            "name": "temporal",
            "ready": False,
            "detail": "The workflow service does not answer.",
        }


async def test_readiness_names_each_part(bad_day: Fragile) -> None:
    ready = Readiness.model_validate_json((await bad_day.service.anonymous.get("/readyz")).content)
    assert [(part.name, part.ready) for part in ready.parts] == [
        ("postgres", True),
        ("migrations", True),
        ("temporal", True),
    ]
    await bad_day.service.database.pool.execute("DELETE FROM schema_migrations WHERE number = 1")
    answer, problem = await ask(bad_day.service, "GET", "/readyz")
    assert problem.detail == "migrations: Not applied yet: 0001_sessions.sql."
    await bad_day.postgres.cut()
    answer, problem = await ask(bad_day.service, "GET", "/readyz")
    assert answer.status_code == 503
    assert [part["ready"] for part in answer.json()["parts"]] == [False, False, True]
    assert (await bad_day.service.anonymous.get("/healthz")).status_code == 200


async def test_an_empty_database_is_not_ready(bad_day: Fragile) -> None:
    await bad_day.service.database.pool.execute("DROP TABLE schema_migrations")
    _, problem = await ask(bad_day.service, "GET", "/readyz")
    assert problem.detail.startswith("migrations: Not applied yet: 0001_sessions.sql, 0002")


@pytest.mark.usefixtures("impatient")
class TestWithoutWorker:
    """Temporal keeps what it is told; what needs an answer from a worker says that there is none."""

    async def test_a_session_starts_and_takes_messages(self, bad_day: Fragile, temporal: Client) -> None:
        service = bad_day.service
        created = await service.signed_in.post("/api/sessions", json={"prompt": "An app"})
        session_id = created.json()["id"]
        message = await service.signed_in.post(f"/api/sessions/{session_id}/messages", json={"text": "Hello"})
        assert message.status_code == 202
        routes = [("GET", ""), ("POST", "/stop"), ("POST", "/resume")]
        answers = await asyncio.gather(
            *(ask(service, method, f"/api/sessions/{session_id}{path}") for method, path in routes)
        )
        assert {(answer.status_code, problem.code) for answer, problem in answers} == {(503, "no_worker")}
        assert answers[1][1].detail.endswith("The session stops as soon as one is back.")
        handle = temporal.get_workflow_handle(session_id)
        events = [event.workflow_execution_signaled_event_attributes async for event in handle.fetch_history_events()]
        assert [event.signal_name for event in events if event.signal_name] == ["message", "stop"]
        await handle.terminate()

    async def test_what_is_stored_is_shown_and_called_old(self, bad_day: Fragile, temporal: Client) -> None:
        service = bad_day.service
        session_id = (await service.signed_in.post("/api/sessions", json={"prompt": "An app"})).json()["id"]
        sessions = Sessions(service.database)
        record = await sessions.create(SessionRecord(id=session_id, prompt="An app", mode="deterministic"))
        assert record.created_at is not None
        state = StateInfo(name="generating", since=record.created_at, reason="Writing.")
        progress = Progress(
            session_id=session_id,
            title="Kanban",
            prompt="An app",
            mode="deterministic",
            state=state,
            created_at=record.created_at,
        )
        await sessions.save_progress(session_id, progress)
        began = time.perf_counter()
        answer = await service.signed_in.get(f"/api/sessions/{session_id}")
        assert time.perf_counter() - began < IN_TIME
        shown = SessionSnapshot.model_validate_json(answer.content)
        assert shown.progress == progress
        assert shown.stale is not None
        assert timedelta(0) <= timedelta(seconds=shown.stale.age) < timedelta(seconds=30)
        assert shown.stale.reason == "No worker answers."
        said = await service.signed_in.post(f"/api/sessions/{session_id}/messages", json={"text": "Bye", "id": "m-1"})
        assert said.status_code == 202
        answer = await service.signed_in.get(f"/api/sessions/{session_id}")
        shown = SessionSnapshot.model_validate_json(answer.content)
        assert [(turn.id, turn.text, turn.state) for turn in shown.conversation] == [("m-1", "Bye", "queued")]
        async with service.signed_in.stream("GET", f"/api/sessions/{session_id}/events") as stream:
            async for line in stream.aiter_lines():
                if line.startswith("data: "):
                    watched = SessionSnapshot.model_validate_json(line.removeprefix("data: "))
                    break
        assert watched.stale is not None
        assert watched.conversation == shown.conversation
        await temporal.get_workflow_handle(session_id).terminate()
