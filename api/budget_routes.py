"""Budgets over HTTP: how they stand, and what they are set to. Sessions that wait for one go on when it is raised."""

from decimal import Decimal
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from api.access import session_of
from api.audit import note
from api.auth import principal_of
from api.budget_changes import BudgetTeller
from api.endpoints import Answer, Endpoint, JsonResponse, body_of
from api.examples import EXAMPLE_TIME
from api.problems import DATABASE_AWAY, NO_SESSION, NO_USER, TOO_SLOW, Refusal
from api.services import Services, services_of
from schemas.budgets import (
    BUDGET_KINDS,
    BudgetKind,
    BudgetNotice,
    Budgets,
    BudgetStatus,
    DefaultBudgets,
    SessionBudget,
    SetBudgets,
    SetOwnBudgets,
    SetSessionBudget,
)
from storage.users import UserMissing

EVERYBODY: Final = ""


async def own_budgets(request: Request) -> Response:
    return JsonResponse(await _standing(services_of(request), principal_of(request).user_id))


async def set_own_budgets(request: Request) -> Response:
    services, user_id, body = services_of(request), principal_of(request).user_id, body_of(request, SetOwnBudgets)
    await services.budgets.set(user_id, "user", _named(body))
    if body.cheaper_near_limit is not None:
        await services.budgets.choose_cheaper(user_id, body.cheaper_near_limit)
    _tell(services)
    return JsonResponse(await _standing(services, user_id))


async def budgets_of_user(request: Request) -> Response:
    return JsonResponse(await _standing(services_of(request), await _user_of(request)))


async def set_budgets_of_user(request: Request) -> Response:
    services, user_id, body = services_of(request), await _user_of(request), body_of(request, SetBudgets)
    await services.budgets.set(user_id, "operator", _named(body))
    await note(request, "budget_changed", subject=user_id, kinds=sorted(body.model_fields_set))
    _tell(services)
    return JsonResponse(await _standing(services, user_id))


async def default_budgets(request: Request) -> Response:
    return JsonResponse(DefaultBudgets(limits=await services_of(request).budgets.limits(EVERYBODY, "operator")))


async def set_default_budgets(request: Request) -> Response:
    services, body = services_of(request), body_of(request, SetBudgets)
    await services.budgets.set(EVERYBODY, "operator", _named(body))
    await note(request, "budget_changed", kinds=sorted(body.model_fields_set))
    _tell(services)
    return JsonResponse(DefaultBudgets(limits=await services.budgets.limits(EVERYBODY, "operator")))


async def session_budget(request: Request) -> Response:
    session, services = await session_of(request, "view"), services_of(request)
    owner = session.record.user_id if session.record else principal_of(request).user_id
    standing = await _of_session(services, session.id, owner)
    if session.access != "own":  # what else the owner spends is not for others to see
        standing.budgets = [budget for budget in standing.budgets if budget.kind == "session"]
    return JsonResponse(standing)


async def set_session_budget(request: Request) -> Response:
    session, services = await session_of(request, "own"), services_of(request)
    await services.budgets.set_of_session(session.id, body_of(request, SetSessionBudget).limit_usd)
    _tell(services)
    return JsonResponse(await _of_session(services, session.id, principal_of(request).user_id))


async def _of_session(services: Services, session_id: str, user_id: str) -> SessionBudget:
    return SessionBudget(session_id=session_id, budgets=await services.budgets.of(user_id, session_id))


async def _user_of(request: Request) -> str:
    user_id: str = request.path_params["user_id"]
    try:
        return (await services_of(request).users.get(user_id)).id
    except UserMissing:
        raise Refusal(NO_USER, "There is no user with this id.") from None


async def _standing(services: Services, user_id: str) -> Budgets:
    budgets = services.budgets
    return Budgets(
        user_id=user_id,
        budgets=await budgets.of(user_id),
        own_limits=await budgets.limits(user_id, "user"),
        operator_limits=await budgets.limits(EVERYBODY, "operator") | await budgets.limits(user_id, "operator"),
        cheaper_near_limit=await budgets.cheaper_near_limit(user_id),
        notices=await budgets.notices(user_id),
    )


def _named(body: SetBudgets) -> dict[BudgetKind, Decimal | None]:
    """The limits that a body names."""
    return {kind: getattr(body, kind) for kind in BUDGET_KINDS if kind in body.model_fields_set}


def _tell(services: Services) -> None:
    """Let the sessions look at their budgets at once; who dies here leaves it to the next round of any process."""
    teller = BudgetTeller(services.budgets, services.workflows)
    services.background.start(teller.tell_all(), "telling sessions of a budget")


AWAY: Final = (DATABASE_AWAY, TOO_SLOW)
EXAMPLE_DAY: Final = BudgetStatus(
    kind="day",
    limit_usd=Decimal(5),
    source="user",
    spent_usd=Decimal("2.61"),
    reserved_usd=Decimal("0.4"),
    left_usd=Decimal("1.99"),
    percent=52.2,
    period_start=EXAMPLE_TIME.replace(hour=0, minute=0, second=0),
    resets_at=EXAMPLE_TIME.replace(day=EXAMPLE_TIME.day % 28 + 1, hour=0, minute=0, second=0),
)
EXAMPLE_NOTICE: Final = BudgetNotice(
    id=3,
    kind="day",
    percent=50,
    limit_usd=Decimal(5),
    spent_usd=Decimal("2.61"),
    user_id="user-k3v7q2m5x4h6w2yt",
    session_id="session-k3v7q2m5x4h6w2ytdn3a",
    at=EXAMPLE_TIME,
    resets_at=EXAMPLE_DAY.resets_at,
)
EXAMPLE_BUDGETS: Final = Budgets(
    user_id=EXAMPLE_NOTICE.user_id,
    budgets=[EXAMPLE_DAY],
    own_limits={"day": Decimal(5)},
    operator_limits={"month": Decimal(100)},
    cheaper_near_limit=False,
    notices=[EXAMPLE_NOTICE],
)
EXAMPLE_SESSION: Final = SessionBudget(
    session_id=EXAMPLE_NOTICE.session_id,
    budgets=[
        BudgetStatus(
            kind="session",
            limit_usd=Decimal(2),
            source="user",
            spent_usd=Decimal("0.5"),
            left_usd=Decimal("1.5"),
            percent=25,
        ),
        EXAMPLE_DAY,
    ],
)
EXAMPLE_DEFAULTS: Final = DefaultBudgets(limits={"month": Decimal(100)})

ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/api/budgets",
        handler=own_budgets,
        name="get_budgets",
        summary="Your budgets: what is set, spent, reserved and left, and the latest notices",
        answer=Answer(description="Your budgets.", schema=Budgets, example=EXAMPLE_BUDGETS),
        problems=AWAY,
    ),
    Endpoint(
        method="PUT",
        path="/api/budgets",
        handler=set_own_budgets,
        name="set_budgets",
        summary="Set your own limits; null takes one away. Limits that operators set hold as well",
        body=SetOwnBudgets,
        body_example={"day": 5, "month": 50, "cheaper_near_limit": True},
        answer=Answer(description="Your budgets.", schema=Budgets, example=EXAMPLE_BUDGETS),
        problems=AWAY,
        scope="account",
    ),
    Endpoint(
        method="GET",
        path="/api/budgets/defaults",
        handler=default_budgets,
        name="get_default_budgets",
        summary="The limits that hold for everybody without others of their own",
        answer=Answer(description="The limits.", schema=DefaultBudgets, example=EXAMPLE_DEFAULTS),
        problems=AWAY,
        scope="operator",
    ),
    Endpoint(
        method="PUT",
        path="/api/budgets/defaults",
        handler=set_default_budgets,
        name="set_default_budgets",
        summary="Set the limits that hold for everybody without others of their own; null takes one away",
        body=SetBudgets,
        body_example={"month": 100},
        answer=Answer(description="The limits.", schema=DefaultBudgets, example=EXAMPLE_DEFAULTS),
        problems=AWAY,
        scope="operator",
    ),
    Endpoint(
        method="GET",
        path="/api/users/{user_id}/budgets",
        handler=budgets_of_user,
        name="get_user_budgets",
        summary="Another user's budgets",
        answer=Answer(description="The user's budgets.", schema=Budgets, example=EXAMPLE_BUDGETS),
        problems=(NO_USER, *AWAY),
        scope="operator",
    ),
    Endpoint(
        method="PUT",
        path="/api/users/{user_id}/budgets",
        handler=set_budgets_of_user,
        name="set_user_budgets",
        summary="Set limits for a user, who cannot raise them; null goes back to the default",
        body=SetBudgets,
        body_example={"day": 20, "month": None},
        answer=Answer(description="The user's budgets.", schema=Budgets, example=EXAMPLE_BUDGETS),
        problems=(NO_USER, *AWAY),
        scope="operator",
    ),
    Endpoint(
        method="GET",
        path="/api/sessions/{session_id}/budget",
        handler=session_budget,
        name="get_session_budget",
        summary="Every budget that bounds a session, its own first",
        answer=Answer(description="The budgets.", schema=SessionBudget, example=EXAMPLE_SESSION),
        problems=(NO_SESSION, *AWAY),
    ),
    Endpoint(
        method="PUT",
        path="/api/sessions/{session_id}/budget",
        handler=set_session_budget,
        name="set_session_budget",
        summary="Set what a session may spend; one that waits for its budget goes on",
        body=SetSessionBudget,
        body_example=SetSessionBudget(limit_usd=Decimal(3)),
        answer=Answer(description="The budgets.", schema=SessionBudget, example=EXAMPLE_SESSION),
        problems=(NO_SESSION, *AWAY),
    ),
)
