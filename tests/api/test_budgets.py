"""Budgets and limits over HTTP: who may set what, and what is answered to those who ask too much."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from temporalio.client import Client

from schemas.budgets import Budgets, SessionBudget
from schemas.limits import LimitRules
from storage.database import Database
from storage.ledger import Ledger
from storage.sessions import SessionRecord, Sessions
from tests.api.conftest import Service, running
from tests.api.people import signed_in
from tests.storage.test_ledger import record


async def test_own_budgets_are_set_and_shown(service: Service) -> None:
    spent = record(user_id="local", session_id="b1", price=Decimal(3), started_at=datetime.now(UTC))
    await Ledger(service.database).settle(spent)
    answer = await service.signed_in.put("/api/budgets", json={"day": 5, "month": "50.5", "cheaper_near_limit": True})
    assert answer.status_code == 200, answer.text
    budgets = Budgets.model_validate_json(answer.content)
    day = next(budget for budget in budgets.budgets if budget.kind == "day")
    assert (day.limit_usd, day.spent_usd, day.percent, day.source) == (5, 3, 60, "user")
    assert budgets.cheaper_near_limit and budgets.own_limits == {"day": 5, "month": Decimal("50.5")}
    await service.signed_in.put("/api/budgets", json={"day": None})
    again = Budgets.model_validate_json((await service.signed_in.get("/api/budgets")).content)
    assert again.own_limits == {"month": Decimal("50.5")}


@pytest.mark.parametrize("body", [{"day": -1}, {"day": "much"}, {"week": 3}, {"day": 10**9}])
async def test_what_is_no_budget_is_refused(service: Service, body: dict[str, object]) -> None:
    answer = await service.signed_in.put("/api/budgets", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_operators_set_the_limits_of_others(accounts: Service) -> None:
    async with signed_in(accounts, "ada@example.org") as ada, signed_in(accounts, "ops@example.org", "operator") as ops:
        assert (await ada.browser.put("/api/budgets/defaults", json={"day": 9})).status_code == 403
        assert (await ada.browser.put(f"/api/users/{ops.id}/budgets", json={"day": 9})).status_code == 403
        assert (await ops.browser.put("/api/budgets/defaults", json={"day": 9})).json() == {"limits": {"day": "9"}}
        await ops.browser.put(f"/api/users/{ada.id}/budgets", json={"day": 2})
        await ada.browser.put("/api/budgets", json={"day": 100})
        standing = Budgets.model_validate_json((await ada.browser.get("/api/budgets")).content)
        day = next(budget for budget in standing.budgets if budget.kind == "day")
        assert (day.limit_usd, day.source) == (2, "operator")
        assert (await ops.browser.get("/api/users/nobody/budgets")).status_code == 404


async def test_a_sessions_budget_is_its_owners(accounts: Service) -> None:
    async with signed_in(accounts, "eve@example.org") as eve, signed_in(accounts, "bob@example.org") as bob:
        await Sessions(accounts.database).create(
            SessionRecord(id="bobs", user_id=bob.id, prompt="An app", mode="deterministic")
        )
        answer = await bob.browser.put("/api/sessions/bobs/budget", json={"limit_usd": "1.5"})
        first = SessionBudget.model_validate_json(answer.content).budgets[0]
        assert (first.kind, first.limit_usd) == ("session", Decimal("1.5"))
        assert (await eve.browser.get("/api/sessions/bobs/budget")).status_code == 404
        assert (await eve.browser.put("/api/sessions/bobs/budget", json={"limit_usd": 9})).status_code == 404


@pytest.fixture
async def strict(database: Database, temporal: Client) -> AsyncIterator[Service]:
    rules = LimitRules.parse("requests=5/hour, session_starts=2/hour")
    async with running(database, temporal, limits=rules) as strict_service:
        yield strict_service


async def test_requests_beyond_the_limit_are_told_when_to_come_back(strict: Service) -> None:
    paths = ["/api/sessions", "/api/sessions/none", *["/api/sessions"] * 4]
    answers = [await strict.signed_in.get(path) for path in paths]
    assert [answer.status_code for answer in answers] == [200, 404, 200, 200, 200, 429]
    assert answers[0].headers["RateLimit-Policy"] == '"requests";q=5;w=3600'
    assert answers[0].headers["RateLimit"].startswith('"requests";r=4;t=7')
    assert answers[1].status_code == 404 and answers[1].headers["RateLimit"].startswith('"requests";r=3;')
    refused = answers[-1]
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["code"] == "limit_reached"
    assert 600 < int(refused.headers["Retry-After"]) <= 720
    assert refused.headers["RateLimit"].startswith('"requests";r=0;')
    assert (await strict.anonymous.get("/healthz")).status_code == 200


async def test_session_starts_are_limited(strict: Service, worker: None) -> None:
    body = {"prompt": "An app"}
    for key in ("one", "two"):
        answer = await strict.signed_in.post("/api/sessions", json=body, headers={"Idempotency-Key": key})
        assert answer.status_code == 201, answer.text
    refused = await strict.signed_in.post("/api/sessions", json=body, headers={"Idempotency-Key": "three"})
    assert (refused.status_code, refused.json()["code"]) == (429, "limit_reached")
    assert refused.headers["RateLimit-Policy"] == '"session-starts";q=2;w=3600'
