"""The operators' page: which sessions are at work for whom, and how the model providers are."""

from decimal import Decimal
from typing import Final, Literal
from urllib.parse import quote

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from api.bodies import read_query
from api.endpoints import Answer, Endpoint, JsonResponse
from api.examples import EXAMPLE_ID, EXAMPLE_TIME
from api.problems import DATABASE_AWAY, TOO_SLOW
from api.services import Services, services_of
from inference.providers import PROVIDERS
from schemas.inference import BreakerState
from schemas.overview import ErrorCount, OperatorSession, OperatorSessionList, ProviderHealth, ProviderHealthList
from schemas.session import State
from storage.breakers import Breakers
from storage.overview import Overview, ProviderCalls

LIVE: Final[tuple[State, ...]] = (
    "starting",
    "planning",
    "generating",
    "reviewing",
    "waiting_for_capacity",
    "waiting_for_budget",
)
"""States in which a session does something by itself, now or as soon as it may."""


class OperatorSessionsQuery(BaseModel):
    """Query of `GET /api/operator/sessions`."""

    show: Literal["live", "failed", "all"] = Field(default="live", description="Which sessions.")
    limit: int = Field(default=100, ge=1, le=500, description="How many sessions at most.")


class ProvidersQuery(BaseModel):
    """Query of `GET /api/operator/providers`."""

    hours: int = Field(default=1, ge=1, le=24 * 7, description="How far to look back.")


async def list_all_sessions(request: Request) -> Response:
    query, services = read_query(request, OperatorSessionsQuery), services_of(request)
    overview = Overview(services.database)
    states: dict[str, tuple[State, ...]] = {"live": LIVE, "failed": ("failed",), "all": ()}
    sessions = await overview.sessions(states[query.show], query.limit)
    linked = [session.model_copy(update={"temporal_url": _workflow_page(services, session.id)}) for session in sessions]
    return JsonResponse(OperatorSessionList(sessions=linked, counts=await overview.counts()))


def _workflow_page(services: Services, session_id: str) -> str | None:
    base = services.settings.temporal_ui
    if base is None:
        return None
    return f"{base.rstrip('/')}/namespaces/{quote(services.workflows.namespace)}/workflows/{quote(session_id, safe='')}"


async def list_provider_health(request: Request) -> Response:
    query, services = read_query(request, ProvidersQuery), services_of(request)
    calls = {each.provider: each for each in await Overview(services.database).provider_calls(query.hours)}
    breakers = await Breakers(services.database).states()
    settings = services.inference.settings
    names = {*calls, *(b.key.partition("/")[0] for b in breakers), *(p for p in PROVIDERS if settings.usable(p))}
    found = [
        _health(
            name,
            calls.get(name, ProviderCalls(name, 0, 0, None, [])),
            [breaker for breaker in breakers if breaker.key.partition("/")[0] == name],
            platform=name in PROVIDERS and settings.usable(name),
        )
        for name in names
    ]
    return JsonResponse(
        ProviderHealthList(hours=query.hours, providers=sorted(found, key=lambda each: (-each.calls, each.id)))
    )


def _health(name: str, calls: ProviderCalls, breakers: list[BreakerState], *, platform: bool) -> ProviderHealth:
    status: Literal["well", "failing", "resting", "quiet"] = "well" if calls.calls else "quiet"
    if any(breaker.state != "closed" for breaker in breakers):
        status = "resting"
    elif calls.failed * 5 >= calls.calls > 0:
        status = "failing"
    return ProviderHealth(
        id=name,
        title=PROVIDERS[name].title if name in PROVIDERS else name,
        platform=platform,
        status=status,
        calls=calls.calls,
        failed=calls.failed,
        first_token_seconds=calls.first_token,
        errors=calls.errors,
        breakers=breakers,
    )


AWAY: Final = (DATABASE_AWAY, TOO_SLOW)
EXAMPLE_SESSIONS: Final = OperatorSessionList(
    sessions=[
        OperatorSession(
            id=EXAMPLE_ID,
            title="Kanban board",
            user_id="user-k3v7q2m5x4h6w2yt",
            user_name="Ada",
            user_email="ada@example.org",
            mode="deterministic",
            demo=False,
            state="generating",
            reason="Writing phase 1 of 3.",
            since=EXAMPLE_TIME,
            cost_usd=Decimal("0.0421"),
            updated_at=EXAMPLE_TIME,
            temporal_url=f"http://127.0.0.1:8233/namespaces/default/workflows/{EXAMPLE_ID}",
        )
    ],
    counts={"generating": 1, "completed": 12},
)
EXAMPLE_HEALTH: Final = ProviderHealthList(
    hours=1,
    providers=[
        ProviderHealth(
            id="openai",
            title="OpenAI",
            platform=True,
            status="failing",
            calls=40,
            failed=9,
            first_token_seconds=0.8,
            errors=[ErrorCount(code="rate_limited", count=9)],
            breakers=[BreakerState(key="openai", state="closed", failures=2, last_error="rate_limited")],
        )
    ],
)

ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/api/operator/sessions",
        handler=list_all_sessions,
        name="list_all_sessions",
        summary="Sessions of everybody: those at work, those that failed, or all",
        query=OperatorSessionsQuery,
        answer=Answer(
            description="The one that changed last first.", schema=OperatorSessionList, example=EXAMPLE_SESSIONS
        ),
        problems=AWAY,
        scope="operator",
    ),
    Endpoint(
        method="GET",
        path="/api/operator/providers",
        handler=list_provider_health,
        name="list_provider_health",
        summary="How calls to each model provider went of late, and the breakers that keep calls away from it",
        query=ProvidersQuery,
        answer=Answer(description="Those with calls first.", schema=ProviderHealthList, example=EXAMPLE_HEALTH),
        problems=AWAY,
        scope="operator",
    ),
)
