"""Analytics over HTTP, from a ledger with known rows, beside a local server that speaks Cloudflare's interface."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from temporalio.client import Client

from inference.gateway_analytics import GatewayAddress, parse_gateway_url
from inference.settings import GatewaySettings
from schemas.analytics import Analytics, ErrorAnalytics, ModelAnalytics
from storage.database import Database
from storage.ledger import Ledger
from storage.sessions import SessionRecord, Sessions
from tests.api.conftest import DEMO, Service, bound_socket, running, serve
from tests.api.people import signed_in
from tests.storage.test_ledger import record


async def fill(database: Database, user_id: str, session_id: str) -> None:
    ledger, now = Ledger(database), datetime.now(UTC)

    async def call(number: int, **changes: Any) -> None:
        facts = {"user_id": user_id, "session_id": session_id, "operation_id": f"o{number}", "started_at": now}
        await ledger.settle(record(**(facts | {"price": Decimal("0.01")} | changes)))

    await call(1)
    await call(2, model="openai/gpt-4.1", duration=8.0, started_at=now - timedelta(days=1))
    await call(3, outcome="failed", error_code="rate_limited", price=None)
    await call(4, outcome="cancelled", error_code="cancelled")
    await call(5, credential="user", price=Decimal("0.5"))
    await call(6, started_at=now - timedelta(days=40))


async def test_my_calls_are_summed_in_every_way(accounts: Service) -> None:
    async with (
        signed_in(accounts, "ann@example.org") as ann,
        signed_in(accounts, "boss@example.org", "operator") as boss,
    ):
        await fill(accounts.database, ann.id, "anns")
        mine = Analytics.model_validate_json((await ann.browser.get("/api/analytics/me")).content)
        totals = mine.totals
        assert (totals.calls, totals.succeeded, totals.failed, totals.stopped) == (5, 3, 1, 1)
        assert (totals.cost_usd, totals.own_keys_usd) == (Decimal("0.03"), Decimal("0.5"))
        assert totals.success_rate == 0.75
        assert (totals.duration.p50, totals.first_token.p50) == (2.0, 1.0)
        assert totals.cache_savings_usd is not None and totals.cache_savings_usd > 0
        assert {part.name: part.tally.calls for part in mine.models} == {
            "[openai]openai/gpt-5": 4, "[openai]openai/gpt-4.1": 1,
        }  # fmt: skip
        assert [part.tally.calls for part in mine.days] == [1, 4]
        assert [part.name for part in mine.sessions] == ["anns"] and mine.users == []
        longer = Analytics.model_validate_json((await ann.browser.get("/api/analytics/me?days=60")).content)
        assert longer.totals.calls == 6
        errors = ErrorAnalytics.model_validate_json((await ann.browser.get("/api/analytics/errors")).content).errors
        assert [(e.code, e.count, e.share, e.actions) for e in errors] == [("rate_limited", 1, 1 / 3, ["blueprint"])]

        assert (await ann.browser.get("/api/analytics/all")).status_code == 403
        assert (await ann.browser.get(f"/api/analytics/me?user={boss.id}")).status_code == 403
        assert (await ann.browser.get("/api/analytics/me?days=0")).status_code == 422
        everybody = Analytics.model_validate_json((await boss.browser.get("/api/analytics/all")).content)
        assert ann.id in [part.name for part in everybody.users]
        hers = ModelAnalytics.model_validate_json(
            (await boss.browser.get(f"/api/analytics/models?user={ann.id}")).content
        )
        assert sum(part.tally.calls for part in hers.models) == 5
        assert (await boss.browser.get("/api/analytics/me")).json()["totals"]["calls"] == 0


async def test_a_sessions_calls_are_its_owners_to_see(accounts: Service) -> None:
    async with signed_in(accounts, "kim@example.org") as kim, signed_in(accounts, "max@example.org") as other:
        await Sessions(accounts.database).create(
            SessionRecord(id="kims", user_id=kim.id, prompt="An app", mode="deterministic")
        )
        await fill(accounts.database, kim.id, "kims")
        found = Analytics.model_validate_json((await kim.browser.get("/api/analytics/sessions/kims")).content)
        assert found.totals.calls == 5 and found.actions[0].name == "blueprint"
        assert (await other.browser.get("/api/analytics/sessions/kims")).status_code == 404
        newest = (await kim.browser.get("/api/sessions/kims/calls?limit=1")).json()["calls"]
        assert [(call["model"], call["context_window"]) for call in newest] == [("openai/gpt-5", 400_000)]
        assert (await other.browser.get("/api/sessions/kims/calls")).status_code == 404


# ---------------------------------------------------------------- the gateway's own counts


class Cloudflare:
    """A server that speaks the part of the interface that is asked for."""

    def __init__(self) -> None:
        self.questions: list[dict[str, Any]] = []
        self.tokens: list[str] = []
        self.status = 200

    async def answer(self, request: Request) -> Response:
        self.questions.append(json.loads(await request.body()))
        self.tokens.append(request.headers["authorization"])
        sums = {"cost": 0.42, "cachedRequests": 2, "erroredRequests": 1, "uncachedTokensIn": 90}
        sums |= {"uncachedTokensOut": 30, "cachedTokensIn": 10, "cachedTokensOut": 5}
        account = {
            "total": [{"count": 7, "sum": sums}],
            "last": [{"dimensions": {"datetimeMinute": "2026-01-15T09:30:00Z"}}],
        }
        return JSONResponse({"data": {"viewer": {"accounts": [account]}}, "errors": None}, self.status)


@pytest.fixture
async def cloudflare() -> AsyncIterator[tuple[Cloudflare, str]]:
    double = Cloudflare()
    app = Starlette(routes=[Route("/graphql", double.answer, methods=["POST"])])
    async with serve(app, bound_socket()) as url:
        yield double, f"{url}/graphql"


async def test_the_gateways_counts_stand_beside_ours(
    database: Database, temporal: Client, cloudflare: tuple[Cloudflare, str]
) -> None:
    double, url = cloudflare
    gateway = GatewaySettings(
        url="https://gateway.ai.cloudflare.com/v1/acct/gate", analytics_token=SecretStr("cf-read"), analytics_url=url
    )
    async with running(database, temporal, DEMO.model_copy(update={"gateway": gateway})) as service:
        found = Analytics.model_validate_json((await service.signed_in.get("/api/analytics/me?days=300")).content)
        assert found.gateway is not None and found.gateway_problem is None
        assert (found.gateway.requests, found.gateway.input_tokens, found.gateway.output_tokens) == (7, 100, 35)
        assert found.gateway.cost_usd == Decimal("0.42") and found.gateway.last_request_at is not None
        (asked,) = double.questions
        assert (asked["variables"]["account"], asked["variables"]["value"]) == ("acct", "local")
        assert "local" not in asked["query"], "what is asked for travels as a variable"
        span = datetime.fromisoformat(asked["variables"]["until"]) - datetime.fromisoformat(asked["variables"]["since"])
        assert span <= timedelta(days=31) and double.tokens == ["Bearer cf-read"]
        double.status = 403
        told = Analytics.model_validate_json((await service.signed_in.get("/api/analytics/me")).content)
        assert told.gateway is None and told.gateway_problem == "Cloudflare answered with status 403."


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://gateway.ai.cloudflare.com/v1/a1/my-staging", GatewayAddress("a1", "my-staging", False)),
        ("https://gateway.ai.staging.cloudflare.com/v1/a1/g/", GatewayAddress("a1", "g", True)),
        ("https://staging-gateway.ai.cloudflare.com/v1/a1/g/openai", GatewayAddress("a1", "g", True)),
        ("https://gateway.example.org/v2/a1/g", None),
        ("https://gateway.example.org/v1/a1", None),
        ("nothing", None),
    ],
)
def test_gateway_addresses_are_read(url: str, address: GatewayAddress | None) -> None:
    assert parse_gateway_url(url) == address
