"""Signing up, in and out with a password, and what the links in mails do."""

import hmac
import secrets
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from api.access_tokens import LIFE
from api.account_mails import already_known, reset_mail, sign_up_mail
from api.addresses import attempt_bucket, client_address
from api.audit import note
from api.auth import principal_of
from api.endpoints import Answer, Endpoint, JsonResponse, body_of
from api.key_holders import hash_of
from api.problems import (
    DATABASE_AWAY,
    LINK_USED_UP,
    NO_ACCOUNTS,
    REFRESH_REFUSED,
    SIGN_UP_CLOSED,
    TOO_MANY_ATTEMPTS,
    TOO_SLOW,
    WRONG_PASSWORD,
    Kind,
    Refusal,
)
from api.services import Services, services_of
from schemas.accounts import (
    ALL_SCOPES,
    AuthOptions,
    ClientKind,
    Forgot,
    Me,
    PasswordSignIn,
    Refresh,
    Reset,
    SignedIn,
    SignUp,
    Tokens,
    Verify,
)
from storage.one_time_tokens import OneTime
from storage.users import EmailTaken, User

ACCOUNT_FREE: Final = 5
"""Attempts at one account before pauses begin."""
ADDRESS_FREE: Final = 20
"""The same for one address, where many people may be."""
MAILS_FREE: Final = 3
"""Mails to one address before pauses begin."""
HASHING_SECONDS: Final = 15.0
"""Bound of routes that hash a password: when many do so at once they take turns."""
REFRESH_PREFIX: Final = "stk_r_"


def need_accounts(request: Request) -> Services:
    """The services. Raises Refusal NO_ACCOUNTS in a local installation."""
    services = services_of(request)
    if services.settings.auth != "accounts":
        raise Refusal(NO_ACCOUNTS, "This service has a single user, who signs in by its token.")
    return services


def account_bucket(services: Services, email: str) -> str:
    """Names an account, known or not, without its address."""
    digest = hmac.digest(services.settings.derive_key("attempts"), email.encode(), "sha256").hex()
    return f"account:{digest}"


def address_bucket(request: Request, services: Services) -> str:
    return f"address:{attempt_bucket(client_address(request, services.settings.trusted_proxies))}"


async def count_attempt(services: Services, bucket: str, free: int) -> None:
    """Raises Refusal TOO_MANY_ATTEMPTS while the bucket is locked."""
    locked = await services.attempts.begin(bucket, free)
    if locked is not None:
        seconds = round(locked.seconds)
        raise Refusal(
            TOO_MANY_ATTEMPTS,
            f"There were too many attempts; the next one counts in {seconds} s.",
            headers={"Retry-After": str(seconds)},
        )


async def options(request: Request) -> Response:
    settings = services_of(request).settings
    accounts = settings.auth == "accounts"
    return JsonResponse(
        AuthOptions(
            mode=settings.auth,
            sign_up=accounts and settings.sign_up,
            providers=[provider.name for provider in settings.oauth] if accounts else [],
        )
    )


async def sign_up(request: Request) -> Response:
    services, body = need_accounts(request), body_of(request, SignUp)
    if not services.settings.sign_up:
        raise Refusal(SIGN_UP_CLOSED, "Accounts are made by operators here.")
    await count_attempt(services, f"sign-up {address_bucket(request, services)}", ADDRESS_FREE)
    password_hash = await services.passwords.hash(body.password)
    waiting = OneTime(None, body.email, body.name, password_hash)
    services.background.start(_send_sign_up(services, waiting), "mail after sign-up")
    await note(request, "sign_up_asked")
    return Response(status_code=202)


async def _send_sign_up(services: Services, waiting: OneTime) -> None:
    if await services.attempts.begin(f"mail {account_bucket(services, waiting.email)}", MAILS_FREE):
        return
    if await services.users.by_email(waiting.email) is not None:
        await services.mailer.send(already_known(waiting.email, services.settings.origin))
    else:
        token = secrets.token_urlsafe(32)
        await services.one_time_tokens.add(hash_of(token), "sign_up", waiting)
        await services.mailer.send(sign_up_mail(waiting.email, services.settings.origin, token))


async def verify(request: Request) -> Response:
    services, body = need_accounts(request), body_of(request, Verify)
    async with services.database.transaction() as connection:
        token_hash = hash_of(body.token.get_secret_value())
        waiting = await services.one_time_tokens.use(connection, token_hash, "sign_up")
        if waiting is None:
            raise Refusal(LINK_USED_UP, "This link does not confirm an address, or no longer.")
        try:
            user = await services.users.add(
                email=waiting.email, name=waiting.name, password_hash=waiting.password_hash, connection=connection
            )
        except EmailTaken:
            raise Refusal(LINK_USED_UP, "The address was confirmed before; sign in with its password.") from None
    await note(request, "sign_up", actor=user.id, subject=user.id)
    return Response(status_code=204)


async def sign_in(request: Request) -> Response:
    services, body = need_accounts(request), body_of(request, PasswordSignIn)
    account, address = account_bucket(services, body.email), address_bucket(request, services)
    await count_attempt(services, address, ADDRESS_FREE)
    await count_attempt(services, account, ACCOUNT_FREE)
    user = await services.users.by_email(body.email)
    usable = user if user is not None and user.disabled_at is None else None
    fits = await services.passwords.fits(body.password, usable.password_hash if usable else None)
    if usable is None or not fits:
        await note(request, "sign_in", "refused", subject=user.id if user else None, means="password")
        raise Refusal(WRONG_PASSWORD, "The e-mail address or the password is wrong, or the address is not confirmed.")
    await services.attempts.succeeded(account)
    await services.attempts.take_back(address, ADDRESS_FREE)
    return await signed_in(request, usable, "password", body.client)


async def signed_in(request: Request, user: User, means: str, client: ClientKind) -> Response:
    """Begins a sign-in: a cookie for a browser, tokens for a program."""
    response, sign_in_id = await begin_sign_in(request, user, means, client)
    await note(request, "sign_in", actor=user.id, subject=user.id, means=means, sign_in=sign_in_id)
    return response


async def begin_sign_in(request: Request, user: User, means: str, client: ClientKind) -> tuple[Response, str]:
    services = services_of(request)
    secret = REFRESH_PREFIX + secrets.token_hex(32) if client == "program" else secrets.token_urlsafe(32)
    sign_in_id = await services.sign_ins.begin(
        user.id,
        means=means,
        client=client,
        secret_hash=hash_of(secret),
        address=client_address(request, services.settings.trusted_proxies),
        user_agent=request.headers.get("user-agent", ""),
    )
    if client == "program":
        tokens = await _tokens(services, user.id, sign_in_id, secret)
        return JsonResponse(SignedIn(user=me_of(user), tokens=tokens)), sign_in_id
    response = JsonResponse(SignedIn(user=me_of(user)))
    services.sign_in.cookie.write(response, secret)
    return response, sign_in_id


async def _tokens(services: Services, user_id: str, sign_in_id: str, refresh_token: str) -> Tokens:
    return Tokens(
        access_token=await services.access_tokens.issue(user_id, sign_in_id),
        expires_in=int(LIFE.total_seconds()),
        refresh_token=refresh_token,
    )


def me_of(user: User, scopes: frozenset[str] = ALL_SCOPES) -> Me:
    """A user as it sees itself. The scope `operator` is an operator's only."""
    allowed = [scope for scope in sorted(ALL_SCOPES) if scope in scopes and (scope != "operator" or user.role == scope)]
    return Me(
        id=user.id,
        name=user.name,
        email=user.email,
        role=user.role,
        has_password=user.password_hash is not None,
        scopes=allowed,
    )


async def refresh(request: Request) -> Response:
    services, body = need_accounts(request), body_of(request, Refresh)
    new = REFRESH_PREFIX + secrets.token_hex(32)
    rotated = await services.sign_ins.rotate(hash_of(body.refresh_token.get_secret_value()), hash_of(new))
    if rotated.outcome == "reused":
        await note(
            request,
            "refresh_token_reused",
            "refused",
            actor=rotated.user_id,
            subject=rotated.user_id,
            sign_in=rotated.sign_in_id or "",
        )
        raise Refusal(REFRESH_REFUSED, "The refresh token was used before; the sign-in has been ended for safety.")
    if rotated.user_id is None or rotated.sign_in_id is None:
        raise Refusal(REFRESH_REFUSED, "The refresh token is unknown, or its sign-in has ended.")
    return JsonResponse(await _tokens(services, rotated.user_id, rotated.sign_in_id, new))


async def forgot(request: Request) -> Response:
    services, body = need_accounts(request), body_of(request, Forgot)
    await count_attempt(services, f"forgot {address_bucket(request, services)}", ADDRESS_FREE)
    services.background.start(_send_reset(services, body.email), "mail with a link for a new password")
    await note(request, "password_reset_asked")
    return Response(status_code=202)


async def _send_reset(services: Services, email: str) -> None:
    if await services.attempts.begin(f"mail {account_bucket(services, email)}", MAILS_FREE):
        return
    user = await services.users.by_email(email)
    if user is None or user.disabled_at is not None:
        return
    token = secrets.token_urlsafe(32)
    await services.one_time_tokens.add(hash_of(token), "reset", OneTime(user.id, email, "", None))
    await services.mailer.send(reset_mail(email, services.settings.origin, token))


async def reset(request: Request) -> Response:
    services, body = need_accounts(request), body_of(request, Reset)
    await count_attempt(services, f"reset {address_bucket(request, services)}", ADDRESS_FREE)
    password_hash = await services.passwords.hash(body.password)
    async with services.database.transaction() as connection:
        used = await services.one_time_tokens.use(connection, hash_of(body.token.get_secret_value()), "reset")
        if used is None or used.user_id is None:
            raise Refusal(LINK_USED_UP, "This link does not set a password, or no longer.")
        await services.one_time_tokens.forget_resets(connection, used.user_id)
        await services.users.set_password(used.user_id, password_hash, connection)
        await services.sign_ins.revoke_all(used.user_id, "password reset", connection=connection)
    await services.attempts.succeeded(account_bucket(services, used.email))
    await note(request, "password_reset", actor=used.user_id, subject=used.user_id)
    return Response(status_code=204)


async def sign_out(request: Request) -> Response:
    services, principal = services_of(request), principal_of(request)
    if principal.sign_in_id is not None:
        await services.sign_ins.revoke(principal.user_id, principal.sign_in_id, "signed out")
        await note(request, "sign_out", subject=principal.user_id, sign_in=principal.sign_in_id)
    else:
        # Here a sign-in has no name that previews could be bound to.
        await services.preview_access.revoke_of_user(principal.user_id)
    response = Response(status_code=204)
    services.sign_in.cookie.clear(response)
    return response


EXAMPLE_ME: Final = Me(
    id="user-k3v7q2m5x4h6w2yt",
    name="Ada",
    email="ada@example.org",
    role="user",
    has_password=True,
    scopes=["account", "keys", "read", "sessions:write"],
)
EXAMPLE_TOKENS: Final = Tokens(access_token="eyJhbGciOi...", expires_in=600, refresh_token="stk_r_...")
EXAMPLE_TOKEN: Final = "x" * 43
EXAMPLE_PASSWORD: Final = "correct horse battery"
AWAY: Final[tuple[Kind, ...]] = (DATABASE_AWAY, TOO_SLOW)

ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/api/auth",
        handler=options,
        name="auth_options",
        summary="How people sign in here",
        answer=Answer(
            description="The ways.",
            schema=AuthOptions,
            example=AuthOptions(mode="accounts", sign_up=True, providers=["github"]),
        ),
        open=True,
    ),
    Endpoint(
        method="POST",
        path="/api/auth/sign-up",
        handler=sign_up,
        name="sign_up",
        summary="Ask for an account; a mail with a link follows",
        body=SignUp,
        body_example={"email": "ada@example.org", "password": EXAMPLE_PASSWORD, "name": "Ada"},
        answer=Answer(status=202, description="A mail is on its way, whether or not the address was known."),
        problems=(NO_ACCOUNTS, SIGN_UP_CLOSED, TOO_MANY_ATTEMPTS, *AWAY),
        open=True,
        seconds=HASHING_SECONDS,
    ),
    Endpoint(
        method="POST",
        path="/api/auth/verify",
        handler=verify,
        name="verify_email",
        summary="Confirm the address of a sign-up with the token of the mail's link",
        body=Verify,
        body_example={"token": EXAMPLE_TOKEN},
        answer=Answer(status=204, description="The account exists; sign in with its password."),
        problems=(NO_ACCOUNTS, LINK_USED_UP, *AWAY),
        open=True,
    ),
    Endpoint(
        method="POST",
        path="/api/auth/sign-in",
        handler=sign_in,
        name="sign_in",
        summary="Sign in with a password: a browser gets a cookie, a program tokens",
        body=PasswordSignIn,
        body_example={"email": "ada@example.org", "password": EXAMPLE_PASSWORD},
        answer=Answer(
            description="Signed in.",
            schema=SignedIn,
            example=SignedIn(user=EXAMPLE_ME),
            headers=(("Set-Cookie", "The sign-in of a browser."),),
        ),
        problems=(NO_ACCOUNTS, WRONG_PASSWORD, TOO_MANY_ATTEMPTS, *AWAY),
        open=True,
        seconds=HASHING_SECONDS,
    ),
    Endpoint(
        method="POST",
        path="/api/auth/refresh",
        handler=refresh,
        name="refresh_tokens",
        summary="Exchange a refresh token, which works once, for new tokens",
        body=Refresh,
        body_example={"refresh_token": EXAMPLE_TOKEN},
        answer=Answer(description="New tokens.", schema=Tokens, example=EXAMPLE_TOKENS),
        problems=(NO_ACCOUNTS, REFRESH_REFUSED, *AWAY),
        open=True,
    ),
    Endpoint(
        method="POST",
        path="/api/auth/forgot",
        handler=forgot,
        name="forgot_password",
        summary="Ask for a mail with a link that sets a new password",
        body=Forgot,
        body_example=Forgot(email="ada@example.org"),
        answer=Answer(status=202, description="If there is such an account, a mail is on its way."),
        problems=(NO_ACCOUNTS, TOO_MANY_ATTEMPTS, *AWAY),
        open=True,
    ),
    Endpoint(
        method="POST",
        path="/api/auth/reset",
        handler=reset,
        name="reset_password",
        summary="Set a new password with the token of the mail's link; every sign-in ends",
        body=Reset,
        body_example={"token": EXAMPLE_TOKEN, "password": EXAMPLE_PASSWORD},
        answer=Answer(status=204, description="The new password counts."),
        problems=(NO_ACCOUNTS, LINK_USED_UP, TOO_MANY_ATTEMPTS, *AWAY),
        open=True,
        seconds=HASHING_SECONDS,
    ),
    Endpoint(
        method="POST",
        path="/api/sign-out",
        handler=sign_out,
        name="sign_out",
        summary="End this sign-in, and forget it in this browser",
        answer=Answer(description="The cookie is cleared.", status=204),
        problems=AWAY,
        scope="account",
    ),
)
