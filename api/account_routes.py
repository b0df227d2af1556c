"""A person's own account: name, password, where it is signed in, accounts elsewhere, API keys."""

import secrets
from datetime import timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from api.audit import note
from api.auth import principal_of
from api.endpoints import Answer, Endpoint, JsonResponse, body_of
from api.examples import EXAMPLE_TIME
from api.key_holders import new_key
from api.problems import (
    ALREADY,
    DATABASE_AWAY,
    NO_ACCOUNTS,
    NO_KEY,
    NO_SIGN_IN,
    NOT_OPERATOR,
    TOO_MANY_ATTEMPTS,
    TOO_SLOW,
    WRONG_PASSWORD,
    Refusal,
)
from api.services import services_of
from api.sign_in_routes import (
    ACCOUNT_FREE,
    EXAMPLE_ME,
    EXAMPLE_PASSWORD,
    HASHING_SECONDS,
    account_bucket,
    count_attempt,
    me_of,
    need_accounts,
)
from schemas.accounts import (
    ApiKeyCreated,
    ApiKeyInfo,
    ApiKeyList,
    ChangeMe,
    ChangePassword,
    CreateApiKey,
    IdentityInfo,
    IdentityList,
    Me,
    SignInInfo,
    SignInList,
)
from storage.api_keys import ApiKeyRecord

MOST_KEYS: Final = 50


async def me(request: Request) -> Response:
    principal = principal_of(request)
    user = await services_of(request).users.get(principal.user_id)
    return JsonResponse(me_of(user, principal.scopes))


async def change_me(request: Request) -> Response:
    principal, body = principal_of(request), body_of(request, ChangeMe)
    await services_of(request).users.set_name(principal.user_id, body.name)
    return await me(request)


async def change_password(request: Request) -> Response:
    services, principal, body = need_accounts(request), principal_of(request), body_of(request, ChangePassword)
    user = await services.users.get(principal.user_id)
    if user.password_hash is not None:
        bucket = account_bucket(services, user.email or user.id)
        await count_attempt(services, bucket, ACCOUNT_FREE)
        if body.old is None or not await services.passwords.fits(body.old, user.password_hash):
            await note(request, "password_changed", "refused", subject=user.id)
            raise Refusal(WRONG_PASSWORD, "The old password is wrong.")
        await services.attempts.succeeded(bucket)
    await services.users.set_password(user.id, await services.passwords.hash(body.new))
    await services.sign_ins.revoke_all(user.id, "password changed", but=principal.sign_in_id)
    await note(request, "password_changed", subject=user.id)
    return Response(status_code=204)


async def list_sign_ins(request: Request) -> Response:
    principal = principal_of(request)
    records = await services_of(request).sign_ins.list(principal.user_id)
    infos = [
        SignInInfo(**record.model_dump(exclude={"user_id"}), current=record.id == principal.sign_in_id)
        for record in records
    ]
    return JsonResponse(SignInList(sign_ins=infos))


async def end_sign_in(request: Request) -> Response:
    user_id, sign_in_id = principal_of(request).user_id, request.path_params["sign_in_id"]
    if not await services_of(request).sign_ins.revoke(user_id, sign_in_id, "ended by its user"):
        raise Refusal(NO_SIGN_IN, "You have no such sign-in.")
    await note(request, "sign_in_revoked", subject=user_id, sign_in=sign_in_id)
    return Response(status_code=204)


async def end_other_sign_ins(request: Request) -> Response:
    principal = principal_of(request)
    await services_of(request).sign_ins.revoke_all(principal.user_id, "ended by its user", but=principal.sign_in_id)
    await note(request, "sign_ins_revoked", subject=principal.user_id)
    return Response(status_code=204)


async def list_identities(request: Request) -> Response:
    records = await services_of(request).identities.list(principal_of(request).user_id)
    infos = [IdentityInfo(provider=r.provider, email=r.email, created_at=r.created_at) for r in records]
    return JsonResponse(IdentityList(identities=infos))


async def unlink_identity(request: Request) -> Response:
    user_id, provider = principal_of(request).user_id, request.path_params["provider"]
    if not await services_of(request).identities.remove(user_id, provider):
        raise Refusal(NO_SIGN_IN, "There is no such account elsewhere, or it is the only way in that you have.")
    await note(request, "identity_unlinked", subject=user_id, provider=provider)
    return Response(status_code=204)


async def create_api_key(request: Request) -> Response:
    services, principal, body = services_of(request), principal_of(request), body_of(request, CreateApiKey)
    if "operator" in body.scopes and principal.role != "operator":
        raise Refusal(NOT_OPERATOR, "Only an operator may make a key for operators' work.")
    if await services.api_keys.count(principal.user_id) >= MOST_KEYS:
        raise Refusal(ALREADY, f"You have {MOST_KEYS} keys; revoke one first.")
    made = new_key()
    record = await services.api_keys.add(
        f"key-{secrets.token_hex(8)}",
        principal.user_id,
        name=body.name,
        key_hash=made.hash,
        hint=made.hint,
        scopes=list(dict.fromkeys(body.scopes)),
        life=timedelta(days=body.expires_in_days),
    )
    await note(request, "api_key_made", subject=principal.user_id, key=record.id, scopes=list(record.scopes))
    return JsonResponse(ApiKeyCreated(key=made.key, info=_info(record)), status_code=201)


async def list_api_keys(request: Request) -> Response:
    records = await services_of(request).api_keys.list(principal_of(request).user_id)
    return JsonResponse(ApiKeyList(api_keys=[_info(record) for record in records]))


async def revoke_api_key(request: Request) -> Response:
    user_id, key_id = principal_of(request).user_id, request.path_params["key_id"]
    if not await services_of(request).api_keys.revoke(user_id, key_id):
        raise Refusal(NO_KEY, "You have no such key.")
    await note(request, "api_key_revoked", subject=user_id, key=key_id)
    return Response(status_code=204)


def _info(record: ApiKeyRecord) -> ApiKeyInfo:
    return ApiKeyInfo.model_validate(record.model_dump(exclude={"user_id"}))


AWAY: Final = (DATABASE_AWAY, TOO_SLOW)
EXAMPLE_KEY: Final = ApiKeyInfo(
    id="key-3f2a9c0d4b1e7f68",
    name="nightly builds",
    hint="stk_3f2a",
    scopes=["read", "sessions:write"],
    created_at=EXAMPLE_TIME,
    expires_at=EXAMPLE_TIME + timedelta(days=90),
    last_used_at=None,
)

ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/api/me",
        handler=me,
        name="me",
        summary="Who is signed in, and what the credential may be used for",
        answer=Answer(description="You.", schema=Me, example=EXAMPLE_ME),
        problems=AWAY,
    ),
    Endpoint(
        method="PATCH",
        path="/api/me",
        handler=change_me,
        name="change_me",
        summary="Change the name that others see",
        body=ChangeMe,
        body_example=ChangeMe(name="Ada"),
        answer=Answer(description="You.", schema=Me, example=EXAMPLE_ME),
        problems=AWAY,
        scope="account",
    ),
    Endpoint(
        method="POST",
        path="/api/me/password",
        handler=change_password,
        name="change_password",
        summary="Change the password; every other sign-in ends",
        body=ChangePassword,
        body_example={"old": "the old password", "new": EXAMPLE_PASSWORD},
        answer=Answer(status=204, description="The new password counts."),
        problems=(NO_ACCOUNTS, WRONG_PASSWORD, TOO_MANY_ATTEMPTS, *AWAY),
        scope="account",
        seconds=HASHING_SECONDS,
    ),
    Endpoint(
        method="GET",
        path="/api/me/sign-ins",
        handler=list_sign_ins,
        name="list_sign_ins",
        summary="Where you are signed in",
        answer=Answer(
            description="The one used last first.",
            schema=SignInList,
            example=SignInList(
                sign_ins=[
                    SignInInfo(
                        id="in-3f2a9c0d4b1e7f68aa01",
                        means="password",
                        client="browser",
                        address="192.0.2.7",
                        user_agent="Mozilla/5.0",
                        created_at=EXAMPLE_TIME,
                        last_seen_at=EXAMPLE_TIME,
                        current=True,
                    )
                ]
            ),
        ),
        problems=AWAY,
        scope="account",
    ),
    Endpoint(
        method="DELETE",
        path="/api/me/sign-ins",
        handler=end_other_sign_ins,
        name="end_other_sign_ins",
        summary="End every sign-in but this one",
        answer=Answer(status=204, description="They have ended."),
        problems=AWAY,
        scope="account",
    ),
    Endpoint(
        method="DELETE",
        path="/api/me/sign-ins/{sign_in_id}",
        handler=end_sign_in,
        name="end_sign_in",
        summary="End a sign-in",
        answer=Answer(status=204, description="It has ended."),
        problems=(NO_SIGN_IN, *AWAY),
        scope="account",
    ),
    Endpoint(
        method="GET",
        path="/api/me/identities",
        handler=list_identities,
        name="list_identities",
        summary="Accounts elsewhere that sign you in here",
        answer=Answer(
            description="One per provider at most.",
            schema=IdentityList,
            example=IdentityList(
                identities=[IdentityInfo(provider="github", email="ada@example.org", created_at=EXAMPLE_TIME)]
            ),
        ),
        problems=AWAY,
        scope="account",
    ),
    Endpoint(
        method="DELETE",
        path="/api/me/identities/{provider}",
        handler=unlink_identity,
        name="unlink_identity",
        summary="Forget an account elsewhere, unless it is the only way in",
        answer=Answer(status=204, description="It no longer signs you in."),
        problems=(NO_SIGN_IN, *AWAY),
        scope="account",
    ),
    Endpoint(
        method="POST",
        path="/api/me/api-keys",
        handler=create_api_key,
        name="create_api_key",
        summary="Make a key for a program; it is shown this once",
        body=CreateApiKey,
        body_example=CreateApiKey(name="nightly builds", scopes=["read", "sessions:write"]),
        answer=Answer(
            status=201,
            description="The key.",
            schema=ApiKeyCreated,
            example=ApiKeyCreated(key="stk_3f2a...", info=EXAMPLE_KEY),
        ),
        problems=(ALREADY, NOT_OPERATOR, *AWAY),
        scope="account",
    ),
    Endpoint(
        method="GET",
        path="/api/me/api-keys",
        handler=list_api_keys,
        name="list_api_keys",
        summary="Your keys, without the keys themselves",
        answer=Answer(description="Newest first.", schema=ApiKeyList, example=ApiKeyList(api_keys=[EXAMPLE_KEY])),
        problems=AWAY,
        scope="account",
    ),
    Endpoint(
        method="DELETE",
        path="/api/me/api-keys/{key_id}",
        handler=revoke_api_key,
        name="revoke_api_key",
        summary="Revoke a key",
        answer=Answer(status=204, description="It is refused from now on."),
        problems=(NO_KEY, *AWAY),
        scope="account",
    ),
)
