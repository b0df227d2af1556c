"""What operators see of sessions and providers, and that nobody else does."""

from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client

from schemas.overview import OperatorSessionList, ProviderHealthList
from schemas.session import State
from storage.breakers import Breakers
from storage.database import Database
from storage.sessions import SessionRecord, Sessions
from tests.api.conftest import Service, running

CALL = """INSERT INTO model_attempts (session_id, operation_id, attempt, action, provider, model, credential, outcome,
            error_code, price, time_to_first_token, started_at)
          VALUES ($1, $2, 1, 'blueprint', $3, 'm', 'platform', $4, $5, $6::text::numeric, $7,
            now() - make_interval(mins => $8))"""


@pytest.fixture
async def busy(database: Database, temporal: Client) -> AsyncIterator[Service]:
    sessions = Sessions(database)
    people: tuple[tuple[str, str, State], ...] = (
        ("at-work", "ann", "generating"),
        ("finished", "bob", "completed"),
        ("broken", "bob", "failed"),
    )
    for name, user, state in people:
        await sessions.create(SessionRecord(id=name, user_id=user, prompt="A board", mode="smart", state=state))
    calls = [
        ("at-work", "a", "openai", "succeeded", None, "0.25", 0.5, 1),
        ("at-work", "b", "openai", "succeeded", None, "0.50", 1.5, 2),
        ("at-work", "c", "groq", "failed", "rate_limited", None, None, 1),
        ("at-work", "d", "groq", "cancelled", None, None, None, 1),
        ("at-work", "e", "cerebras", "failed", "timeout", None, None, 600),
    ]
    for call in calls:
        await database.pool.execute(CALL, *call)
    await Breakers(database).failed("anthropic/claude", "overloaded", 60.0)
    async with running(database, temporal, temporal_ui="http://127.0.0.1:8233/") as service:
        yield service


async def test_sessions_of_everybody_with_cost_and_the_way_to_their_workflow(busy: Service) -> None:
    live = OperatorSessionList.model_validate_json((await busy.signed_in.get("/api/operator/sessions")).content)
    (one,) = live.sessions
    assert (one.id, one.user_id, one.title, str(one.cost_usd)) == ("at-work", "ann", "A board", "0.75")
    assert one.temporal_url == "http://127.0.0.1:8233/namespaces/default/workflows/at-work"
    assert live.counts == {"generating": 1, "completed": 1, "failed": 1}
    failed = await busy.signed_in.get("/api/operator/sessions?show=failed")
    assert [session["id"] for session in failed.json()["sessions"]] == ["broken"]
    everything = await busy.signed_in.get("/api/operator/sessions?show=all&limit=2")
    assert len(everything.json()["sessions"]) == 2


async def test_providers_with_calls_failures_and_breakers(busy: Service) -> None:
    answer = await busy.signed_in.get("/api/operator/providers")
    health = {each.id: each for each in ProviderHealthList.model_validate_json(answer.content).providers}
    assert (health["openai"].status, health["openai"].calls, health["openai"].first_token_seconds) == ("well", 2, 1.0)
    assert (health["groq"].status, health["groq"].calls, health["groq"].failed) == ("failing", 2, 1)
    assert [(error.code, error.count) for error in health["groq"].errors] == [("rate_limited", 1)]
    assert health["anthropic"].status == "resting"
    assert health["anthropic"].breakers[0].last_error == "overloaded"
    assert "cerebras" not in health, "its call is older than an hour"
    day = await busy.signed_in.get("/api/operator/providers?hours=24")
    assert "cerebras" in {each["id"] for each in day.json()["providers"]}


async def test_nobody_but_operators(busy: Service) -> None:
    made = await busy.signed_in.post("/api/me/api-keys", json={"name": "k", "scopes": ["read", "sessions:write"]})
    key = {"Authorization": f"Bearer {made.json()['key']}"}
    for path in ("/api/operator/sessions", "/api/operator/providers"):
        assert (await busy.anonymous.get(path)).status_code == 401
        assert (await busy.anonymous.get(path, headers=key)).status_code == 403
