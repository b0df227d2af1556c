"""Routes of sign-in by accounts elsewhere. An e-mail address never links accounts: only who is signed in links."""

from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.audit import note
from api.auth import Principal, require_scope
from api.endpoints import Answer, Endpoint, JsonResponse, body_of
from api.oauth import FLOW_SECONDS, Elsewhere
from api.problems import (
    ALREADY,
    DATABASE_AWAY,
    NO_ACCOUNTS,
    NOT_FOUND,
    NOT_SIGNED_IN,
    OAUTH_FAILED,
    SIGN_UP_CLOSED,
    TOO_MANY_ATTEMPTS,
    TOO_SLOW,
    Refusal,
)
from api.services import Services
from api.sign_in_routes import ADDRESS_FREE, address_bucket, begin_sign_in, count_attempt, need_accounts
from schemas.accounts import OAuthStarted, StartOAuth
from storage.identities import IdentityTaken
from storage.users import EmailTaken, User

CALLBACK_SECONDS: Final = 30.0


async def start(request: Request) -> Response:
    services, body = need_accounts(request), body_of(request, StartOAuth)
    provider: str = request.path_params["provider"]
    if not services.oauth.knows(provider):
        raise Refusal(NOT_FOUND, "This service does not sign people in by that provider.")
    principal = request.state.principal
    link = None
    if body.link:
        if not isinstance(principal, Principal):
            raise Refusal(NOT_SIGNED_IN, "Sign in first, then link the other account.")
        require_scope(principal, "account")
        link = principal.user_id
    url, sealed = services.oauth.begin(provider, link)
    response = JsonResponse(OAuthStarted(url=url))
    _keep_flow(response, services, provider, sealed)
    return response


async def callback(request: Request) -> Response:
    services, query = need_accounts(request), request.query_params
    provider: str = request.path_params["provider"]
    if not services.oauth.knows(provider):
        raise Refusal(NOT_FOUND, "This service does not sign people in by that provider.")
    await count_attempt(services, f"oauth {address_bucket(request, services)}", ADDRESS_FREE)
    flow = services.oauth.resume(provider, request.cookies.get(_flow_cookie(services), ""), query.get("state", ""))
    if "code" not in query:
        raise Refusal(OAUTH_FAILED, "The provider did not confirm the sign-in.")
    found = await services.oauth.finish(flow, query["code"])
    response = RedirectResponse("/account" if flow.link else "/", status_code=303)
    if flow.link is not None:
        await _link(request, services, flow.link, found)
    else:
        user = await _user_of(request, services, found)
        signed_in, sign_in_id = await begin_sign_in(request, user, found.provider, "browser")
        await note(request, "sign_in", actor=user.id, subject=user.id, means=found.provider, sign_in=sign_in_id)
        for value in signed_in.headers.getlist("set-cookie"):
            response.headers.append("set-cookie", value)
    _keep_flow(response, services, provider, None)
    return response


async def _user_of(request: Request, services: Services, found: Elsewhere) -> User:
    """Who has this account elsewhere; somebody new where nobody has and its address is free."""
    identity = await services.identities.find(found.provider, found.subject)
    if identity is not None:
        user = await services.users.get(identity.user_id)
        if user.disabled_at is not None:
            await note(request, "sign_in", "refused", subject=user.id, means=found.provider)
            raise Refusal(OAUTH_FAILED, "This account may not sign in here.", next_action="Ask an operator.")
        return user
    if not services.settings.sign_up:
        raise Refusal(SIGN_UP_CLOSED, "Nobody here has linked this account, and nobody can sign up.")
    name = "".join(letter for letter in found.name if letter.isprintable()).strip()[:80]
    try:
        async with services.database.transaction() as connection:
            user = await services.users.add(
                email=found.email, name=name or found.email.partition("@")[0], connection=connection
            )
            await services.identities.add(found.provider, found.subject, user.id, found.email, connection)
    except (EmailTaken, IdentityTaken):
        raise Refusal(
            ALREADY,
            "There is an account with this e-mail address here, and this way of signing in is not linked to it.",
            next_action="Sign in as you did before, then link the other account on your account page.",
        ) from None
    await note(request, "sign_up", actor=user.id, subject=user.id, means=found.provider)
    return user


async def _link(request: Request, services: Services, user_id: str, found: Elsewhere) -> None:
    user = await services.users.get(user_id)
    if user.disabled_at is not None:
        raise Refusal(OAUTH_FAILED, "This account may not sign in here.", next_action="Ask an operator.")
    try:
        await services.identities.add(found.provider, found.subject, user_id, found.email)
    except IdentityTaken:
        raise Refusal(ALREADY, "That account is linked already, or another one of that provider is.") from None
    await note(request, "identity_linked", actor=user_id, subject=user_id, provider=found.provider)


def _flow_cookie(services: Services) -> str:
    return f"{services.sign_in.cookie.name}_oauth"


def _keep_flow(response: Response, services: Services, provider: str, sealed: str | None) -> None:
    """Lax, not strict: it has to come along when the provider sends the browser back."""
    response.set_cookie(
        _flow_cookie(services),
        sealed or "",
        max_age=FLOW_SECONDS if sealed else 0,
        path="/",
        secure=services.settings.origin.startswith("https:"),
        httponly=True,
        samesite="lax",
    )


ENDPOINTS: Final = (
    Endpoint(
        method="POST",
        path="/api/auth/oauth/{provider}",
        handler=start,
        name="start_oauth",
        summary="Begin a sign-in at a provider, or link its account to the one that is signed in",
        body=StartOAuth,
        body_example=StartOAuth(link=False),
        answer=Answer(
            description="Where the browser goes next.",
            schema=OAuthStarted,
            example=OAuthStarted(url="https://github.com/login/oauth/authorize?client_id=..."),
        ),
        problems=(NO_ACCOUNTS, NOT_FOUND, NOT_SIGNED_IN, DATABASE_AWAY, TOO_SLOW),
        open=True,
    ),
    Endpoint(
        method="GET",
        path="/auth/{provider}/callback",
        handler=callback,
        name="oauth_callback",
        summary="Where the provider sends the browser back to",
        answer=Answer(status=303, description="Signed in; leads to the page."),
        problems=(NO_ACCOUNTS, NOT_FOUND, OAUTH_FAILED, ALREADY, SIGN_UP_CLOSED, TOO_MANY_ATTEMPTS, DATABASE_AWAY),
        open=True,
        seconds=CALLBACK_SECONDS,
    ),
)
