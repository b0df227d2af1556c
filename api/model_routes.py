"""The models there are, and which of them each action uses."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from api.access import session_of
from api.auth import principal_of
from api.endpoints import Answer, Endpoint, JsonResponse, body_of
from api.examples import EXAMPLE_TIME
from api.key_routes import EXAMPLE_TRY
from api.model_access import Access, access_of
from api.model_calls import SECONDS
from api.problems import (
    DATABASE_AWAY,
    MODEL_NOT_ALLOWED,
    NO_ACTION,
    NO_SESSION,
    NOT_ALLOWED,
    NOT_NOW,
    TEMPORAL_AWAY,
    TOO_SLOW,
    VAULT_LOCKED,
    Refusal,
)
from api.services import services_of
from inference import choices, listing
from inference.agents import NotAllowed
from inference.settings import InferenceSettings
from schemas.inference import ActionKey
from schemas.model_settings import (
    ActionList,
    ActionRow,
    ActionSettings,
    Catalogue,
    SessionSettings,
    TryAnswer,
)


async def catalogue(request: Request) -> Response:
    access = await access_of(request)
    return JsonResponse(listing.catalogue(_settings(request), access.user))


async def list_settings(request: Request) -> Response:
    return JsonResponse(_list(await access_of(request), _settings(request)))


async def show_settings(request: Request) -> Response:
    action, access = _action(request), await access_of(request)
    return JsonResponse(listing.action_row(action, access.settings, _settings(request), access.user))


async def put_settings(request: Request) -> Response:
    action, access, chosen = _action(request), await access_of(request), body_of(request, ActionSettings)
    _check(request, access, action, chosen)
    await services_of(request).model_choices.put_settings(access.user_id, action, chosen)
    return JsonResponse(listing.action_row(action, {action: chosen}, _settings(request), access.user))


async def reset_settings(request: Request) -> Response:
    await services_of(request).model_choices.reset_settings(principal_of(request).user_id, _action(request))
    return Response(status_code=204)


async def reset_all(request: Request) -> Response:
    await services_of(request).model_choices.reset_settings(principal_of(request).user_id)
    return Response(status_code=204)


async def try_settings(request: Request) -> Response:
    """Tries what the body says over what is stored; an empty body tries what is stored."""
    action, access, given = _action(request), await access_of(request), body_of(request, ActionSettings)
    stored = access.settings.get(action, ActionSettings())
    chosen = stored.model_copy(update=given.model_dump(exclude_none=True))
    _check(request, access, action, chosen)
    overrides = choices.overrides_of(chosen, action, _settings(request))
    return JsonResponse(
        await services_of(request).model_calls.ask("try-model", access.user_id, access.user, action, overrides)
    )


async def show_session_settings(request: Request) -> Response:
    session = await session_of(request, "view")
    taken = await services_of(request).model_choices.taken(session.id)
    if taken is None:
        raise Refusal(NOT_NOW, "The session has not begun yet, and has taken no settings.")
    return JsonResponse(taken)


async def refresh_session_settings(request: Request) -> Response:
    session = await session_of(request, "own")
    services = services_of(request)
    return JsonResponse(await services.model_choices.take(session.id, principal_of(request).user_id, again=True))


def _list(access: Access, settings: InferenceSettings) -> ActionList:
    rows = (listing.action_row(action, access.settings, settings, access.user) for action in ActionKey)
    return ActionList(actions=tuple(rows))


def _check(request: Request, access: Access, action: ActionKey, chosen: ActionSettings) -> None:
    try:
        choices.check(chosen, action, _settings(request), access.user)
    except NotAllowed as error:
        raise Refusal(MODEL_NOT_ALLOWED, f"{error}.") from None


def _settings(request: Request) -> InferenceSettings:
    return services_of(request).inference.settings


def _action(request: Request) -> ActionKey:
    name: str = request.path_params["action"]
    try:
        return ActionKey(name)
    except ValueError:
        raise Refusal(NO_ACTION, f"There is no action “{name[:80]}”.") from None


_INFERENCE = InferenceSettings()
EXAMPLE_ROW = listing.action_row(
    ActionKey.CODE_REVIEW, {ActionKey.CODE_REVIEW: ActionSettings(effort="high")}, _INFERENCE, None
)
EXAMPLE_SETTINGS = SessionSettings(
    settings={ActionKey.CODE_REVIEW: ActionSettings(effort="high")}, taken_at=EXAMPLE_TIME
)
AWAY: Final = (VAULT_LOCKED, DATABASE_AWAY, TOO_SLOW)

ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/api/models",
        handler=catalogue,
        name="list_models",
        summary="Every model: prices per million tokens, abilities, and whether it can be called and with whose key",
        answer=Answer(
            description="Those of your own servers first.",
            schema=Catalogue,
            example=listing.catalogue(_INFERENCE, None).model_copy(
                update={"models": listing.catalogue(_INFERENCE, None).models[:1]}
            ),
        ),
        problems=AWAY,
    ),
    Endpoint(
        method="GET",
        path="/api/settings/models",
        handler=list_settings,
        name="list_model_settings",
        summary="Which model each action uses, what you set, and what may be chosen",
        answer=Answer(description="All actions.", schema=ActionList, example=ActionList(actions=(EXAMPLE_ROW,))),
        problems=AWAY,
    ),
    Endpoint(
        method="GET",
        path="/api/settings/models/{action}",
        handler=show_settings,
        name="get_model_settings",
        summary="One action's settings",
        answer=Answer(description="The action.", schema=ActionRow, example=EXAMPLE_ROW),
        problems=(NO_ACTION, *AWAY),
    ),
    Endpoint(
        method="PUT",
        path="/api/settings/models/{action}",
        handler=put_settings,
        name="put_model_settings",
        summary="Set an action's model and how it is called; sessions that run keep what they began with",
        body=ActionSettings,
        body_example=ActionSettings(model="openai/gpt-5", effort="high"),
        answer=Answer(description="As it is now in force.", schema=ActionRow, example=EXAMPLE_ROW),
        problems=(NO_ACTION, MODEL_NOT_ALLOWED, *AWAY),
        scope="keys",
    ),
    Endpoint(
        method="DELETE",
        path="/api/settings/models/{action}",
        handler=reset_settings,
        name="reset_model_settings",
        summary="Back to an action's defaults",
        answer=Answer(description="Nothing is set any more.", status=204),
        problems=(NO_ACTION, DATABASE_AWAY, TOO_SLOW),
        scope="keys",
    ),
    Endpoint(
        method="DELETE",
        path="/api/settings/models",
        handler=reset_all,
        name="reset_all_model_settings",
        summary="Back to the defaults of every action",
        answer=Answer(description="Nothing is set any more.", status=204),
        problems=(DATABASE_AWAY, TOO_SLOW),
        scope="keys",
    ),
    Endpoint(
        method="POST",
        path="/api/settings/models/{action}/test",
        handler=try_settings,
        name="try_model_settings",
        summary="Try an action's model with a small real call, with what the body sets over what is stored",
        body=ActionSettings,
        body_example=ActionSettings(model="openai/gpt-5"),
        answer=Answer(description="What came of it; a failure is told in it.", schema=TryAnswer, example=EXAMPLE_TRY),
        problems=(NO_ACTION, MODEL_NOT_ALLOWED, *AWAY),
        scope="keys",
        seconds=SECONDS + 5,
    ),
    Endpoint(
        method="GET",
        path="/api/sessions/{session_id}/settings/models",
        handler=show_session_settings,
        name="get_session_model_settings",
        summary="The settings that a session goes by: those of its owner when it began",
        answer=Answer(description="By action; what is not named has the defaults.", schema=SessionSettings,
                      example=EXAMPLE_SETTINGS),
        problems=(NO_SESSION, NOT_NOW, DATABASE_AWAY, TEMPORAL_AWAY, TOO_SLOW),
    ),
    Endpoint(
        method="POST",
        path="/api/sessions/{session_id}/settings/models/refresh",
        handler=refresh_session_settings,
        name="refresh_session_model_settings",
        summary="Let a session go by your settings as they are now, from its next step on",
        answer=Answer(description="What it goes by now.", schema=SessionSettings, example=EXAMPLE_SETTINGS),
        problems=(NO_SESSION, NOT_ALLOWED, DATABASE_AWAY, TEMPORAL_AWAY, TOO_SLOW),
    ),
)  # fmt: skip
