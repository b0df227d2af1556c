"""Analytics over HTTP: one's own calls of models, and for operators everybody's."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

import httpx
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from api.access import session_of
from api.auth import operator_of, principal_of
from api.bodies import read_query
from api.endpoints import Answer, Endpoint, JsonResponse
from api.examples import EXAMPLE_TIME
from api.problems import DATABASE_AWAY, NO_SESSION, NOT_OPERATOR, TOO_SLOW
from api.services import Services, services_of
from inference.catalogue import MODELS
from inference.gateway_analytics import GatewayAnalytics, GatewayAway
from inference.prices import price
from schemas.analytics import (
    Analytics,
    CallInfo,
    CallList,
    ErrorAnalytics,
    ErrorPattern,
    ModelAnalytics,
    Part,
    Percentiles,
    Tally,
)
from schemas.inference import AttemptRecord, Usage
from storage.analytics import LedgerSums, Sums
from storage.ledger import Ledger


class AnalyticsQuery(BaseModel):
    """Query of the analytics."""

    days: int = Field(default=30, ge=1, le=366, description="How many days back.")
    user: str | None = Field(
        default=None, max_length=100, description="Whose calls; operators only. Without it operators see all users'."
    )

    @property
    def since(self) -> datetime:
        return datetime.now(UTC) - timedelta(days=self.days)


async def mine(request: Request) -> Response:
    query, services = read_query(request, AnalyticsQuery), services_of(request)
    user_id = _of_whom(request, query) if query.user is not None else principal_of(request).user_id
    sums = await LedgerSums(services.database).sums(query.since, user_id=user_id)
    found = _analytics(query.since, sums)
    found.users = []
    return JsonResponse(await _with_gateway(services, found, user_id or ""))


async def everybodys(request: Request) -> Response:
    query, services = read_query(request, AnalyticsQuery), services_of(request)
    sums = await LedgerSums(services.database).sums(query.since, user_id=query.user)
    return JsonResponse(_analytics(query.since, sums))


async def of_session(request: Request) -> Response:
    session, services = await session_of(request, "view"), services_of(request)
    query = read_query(request, AnalyticsQuery)
    sums = await LedgerSums(services.database).sums(query.since, session_id=session.id)
    found = _analytics(query.since, sums)
    found.sessions = found.users = []
    return JsonResponse(await _with_gateway(services, found, session.id))


class CallsQuery(BaseModel):
    """Query of a session's calls."""

    limit: int = Field(default=20, ge=1, le=200, description="How many of the latest calls.")


async def calls(request: Request) -> Response:
    session, services = await session_of(request, "view"), services_of(request)
    query = read_query(request, CallsQuery)
    found = await Ledger(services.database).newest(session.id, query.limit)
    return JsonResponse(CallList(calls=[_call(record) for record in found]))


def _call(record: AttemptRecord) -> CallInfo:
    known = MODELS.get(record.model)
    return CallInfo(
        operation_id=record.operation_id,
        action=record.action,
        provider=record.provider,
        model=record.model,
        outcome=record.outcome,
        started_at=record.started_at,
        duration=record.duration,
        input_tokens=record.input_tokens,
        cached_tokens=record.cached_input_tokens,
        output_tokens=record.output_tokens,
        cost_usd=record.price,
        context_window=known.context_window if known else None,
        context_parts=record.context_parts,
    )


async def models(request: Request) -> Response:
    query = read_query(request, AnalyticsQuery)
    sums = await LedgerSums(services_of(request).database).sums(query.since, user_id=_of_whom(request, query))
    return JsonResponse(ModelAnalytics(since=query.since, models=_models(sums)))


async def errors(request: Request) -> Response:
    query = read_query(request, AnalyticsQuery)
    found = await LedgerSums(services_of(request).database).errors(query.since, user_id=_of_whom(request, query))
    return JsonResponse(ErrorAnalytics(since=query.since, errors=found))


def _of_whom(request: Request, query: AnalyticsQuery) -> str | None:
    """Whose calls are asked for: one's own, or for operators those of the user named, or all. Raises Refusal 403."""
    principal = principal_of(request)
    if query.user is not None and query.user != principal.user_id:
        operator_of(request)
        return query.user
    if query.user is None and principal.role == "operator" and "operator" in principal.scopes:
        return None
    return principal.user_id


def _analytics(since: datetime, sums: Sums) -> Analytics:
    parts = _models(sums)
    saved = sum((part.tally.cache_savings_usd or Decimal(0) for part in parts), Decimal(0))
    return Analytics(
        since=since,
        totals=sums.totals.model_copy(update={"cache_savings_usd": saved}),
        actions=sums.actions,
        models=parts,
        providers=sums.providers,
        days=sums.days,
        sessions=sums.sessions,
        users=sums.users,
    )


def _models(sums: Sums) -> list[Part]:
    return [
        Part(
            name=f"[{provider}]{model}",
            tally=tally.model_copy(update={"cache_savings_usd": _savings(provider, model, tally.cached_tokens)}),
        )
        for (provider, model), tally in sums.models
    ]


def _savings(provider: str, model: str, cached: int) -> Decimal:
    """What cached input would have cost more as fresh input, as far as prices are known."""
    known = MODELS.get(model)
    wire_id = known.served.get(provider) if known else None
    if wire_id is None or not cached:
        return Decimal(0)
    fresh, _ = price(provider, wire_id, Usage(input_tokens=cached))
    reused, _ = price(provider, wire_id, Usage(input_tokens=cached, cached_input_tokens=cached))
    return max(fresh - reused, Decimal(0)) if fresh is not None and reused is not None else Decimal(0)


async def _with_gateway(services: Services, found: Analytics, value: str) -> Analytics:
    """`found` beside what the gateway counted, where one is configured. Its silence is no failure of ours."""
    async with httpx.AsyncClient() as client:
        gateway = GatewayAnalytics.of(services.inference.settings.gateway, client)
        if gateway is None or not value:
            return found
        try:
            totals = await gateway.totals(value, found.since, datetime.now(UTC))
        except GatewayAway as error:
            return found.model_copy(update={"gateway_problem": str(error)})
    return found.model_copy(update={"gateway": totals})


AWAY: Final = (DATABASE_AWAY, TOO_SLOW)
EXAMPLE_TALLY: Final = Tally(
    calls=42,
    succeeded=39,
    failed=2,
    stopped=1,
    success_rate=0.951,
    input_tokens=310_000,
    cached_tokens=190_000,
    output_tokens=82_000,
    reasoning_tokens=9_000,
    cost_usd=Decimal("1.8342"),
    cache_savings_usd=Decimal("0.2137"),
    duration=Percentiles(p50=11.2, p95=48.9, p99=61.3),
    first_token=Percentiles(p50=0.8, p95=2.1, p99=4.0),
)
EXAMPLE_ANALYTICS: Final = Analytics(
    since=EXAMPLE_TIME,
    totals=EXAMPLE_TALLY,
    actions=[Part(name="phase_implementation", tally=EXAMPLE_TALLY)],
    models=[Part(name="[openai]openai/gpt-4.1", tally=EXAMPLE_TALLY)],
    providers=[Part(name="openai", tally=EXAMPLE_TALLY)],
    days=[Part(name="2026-01-15", tally=EXAMPLE_TALLY)],
)
EXAMPLE_CALL: Final = CallInfo(
    operation_id="phase-2/implement",
    action="phase_implementation",
    provider="openai",
    model="openai/gpt-4.1",
    outcome="succeeded",
    started_at=EXAMPLE_TIME,
    duration=38.2,
    input_tokens=21_400,
    cached_tokens=9_800,
    output_tokens=6_100,
    cost_usd=Decimal("0.0769"),
    context_window=1_047_576,
    context_parts={"stable prefix": 9_900, "user": 11_500, "of which files": 8_700},
)
EXAMPLE_ERRORS: Final = ErrorAnalytics(
    since=EXAMPLE_TIME,
    errors=[
        ErrorPattern(
            code="rate_limited",
            provider="openai",
            model="openai/gpt-4.1",
            count=2,
            share=0.049,
            sessions=1,
            actions=["phase_implementation"],
            first_at=EXAMPLE_TIME,
            last_at=EXAMPLE_TIME,
        )
    ],
)

ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/api/analytics/me",
        handler=mine,
        name="my_analytics",
        summary="Your calls of models: tokens, money, times, outcomes, by action, model, provider, day and session",
        query=AnalyticsQuery,
        answer=Answer(description="The sums.", schema=Analytics, example=EXAMPLE_ANALYTICS),
        problems=(NOT_OPERATOR, *AWAY),
    ),
    Endpoint(
        method="GET",
        path="/api/analytics/all",
        handler=everybodys,
        name="all_analytics",
        summary="Everybody's calls of models, by user too",
        query=AnalyticsQuery,
        answer=Answer(description="The sums.", schema=Analytics, example=EXAMPLE_ANALYTICS),
        problems=AWAY,
        scope="operator",
    ),
    Endpoint(
        method="GET",
        path="/api/analytics/sessions/{session_id}",
        handler=of_session,
        name="session_analytics",
        summary="A session's calls of models",
        query=AnalyticsQuery,
        answer=Answer(description="The sums.", schema=Analytics, example=EXAMPLE_ANALYTICS),
        problems=(NO_SESSION, *AWAY),
    ),
    Endpoint(
        method="GET",
        path="/api/sessions/{session_id}/calls",
        handler=calls,
        name="session_calls",
        summary="The latest calls of models of a session: what each cost, and what filled its window",
        query=CallsQuery,
        answer=Answer(
            description="The calls, the newest first.", schema=CallList, example=CallList(calls=[EXAMPLE_CALL])
        ),
        problems=(NO_SESSION, *AWAY),
    ),
    Endpoint(
        method="GET",
        path="/api/analytics/models",
        handler=models,
        name="model_analytics",
        summary="What each model cost, how fast it was and how often it succeeded",
        query=AnalyticsQuery,
        answer=Answer(
            description="The models.",
            schema=ModelAnalytics,
            example=ModelAnalytics(since=EXAMPLE_TIME, models=EXAMPLE_ANALYTICS.models),
        ),
        problems=(NOT_OPERATOR, *AWAY),
    ),
    Endpoint(
        method="GET",
        path="/api/analytics/errors",
        handler=errors,
        name="error_analytics",
        summary="What failed, where, how often and in which actions",
        query=AnalyticsQuery,
        answer=Answer(description="The failures.", schema=ErrorAnalytics, example=EXAMPLE_ERRORS),
        problems=(NOT_OPERATOR, *AWAY),
    ),
)
