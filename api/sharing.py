"""Sharing a session: with a user, by a link, taken back at any time; and who watches it."""

import secrets
from contextlib import suppress
from datetime import timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from api.access import session_of
from api.audit import note
from api.auth import principal_of
from api.endpoints import Answer, Endpoint, JsonResponse, body_of
from api.examples import EXAMPLE_ID, EXAMPLE_TIME
from api.key_holders import hash_of
from api.problems import (
    DATABASE_AWAY,
    INVALID,
    LINK_USED_UP,
    NO_ACCOUNTS,
    NO_SESSION,
    NO_SHARE,
    NO_USER,
    TOO_MANY_ATTEMPTS,
    TOO_SLOW,
    Refusal,
)
from api.services import services_of
from api.sign_in_routes import count_attempt, need_accounts
from api.snapshots import EXAMPLE_LIST, summaries
from schemas.sharing import (
    AcceptShare,
    CreateShareLink,
    Presence,
    SessionAccess,
    ShareAccepted,
    SharedSession,
    SharedSessionList,
    ShareInfo,
    ShareLinkCreated,
    ShareLinkInfo,
    ShareList,
    ShareWithUser,
    Watcher,
)
from storage.users import UserMissing

LOOK_UPS_FREE: Final = 30
"""How many addresses a person may share with before pauses begin: it tells whether there is such an account."""


async def share(request: Request) -> Response:
    services, body = need_accounts(request), body_of(request, ShareWithUser)
    session = await session_of(request, "own")
    await count_attempt(services, f"share {principal_of(request).user_id}", LOOK_UPS_FREE)
    user = await services.users.by_email(body.email)
    if user is None or user.disabled_at is not None:
        raise Refusal(NO_USER, "Nobody has an account with this address.", next_action="Share by a link instead.")
    if user.id == principal_of(request).user_id:
        raise Refusal(INVALID, "The session is your own.")
    await services.shares.share(session.id, user.id, body.access)
    await note(request, "session_shared", subject=session.id, with_user=user.id, access=body.access)
    return await list_shares(request)


async def list_shares(request: Request) -> Response:
    session = await session_of(request, "own")
    shares, links = await services_of(request).shares.list(session.id)
    return JsonResponse(ShareList(shares=shares, links=links))


async def unshare(request: Request) -> Response:
    user_id: str = request.path_params["user_id"]
    own = user_id == principal_of(request).user_id  # whoever was given something may give it back
    session = await session_of(request, "view" if own else "own")
    if not await services_of(request).shares.unshare(session.id, user_id):
        raise Refusal(NO_SHARE, "The session is not shared with this user.")
    await note(request, "session_unshared", subject=session.id, with_user=user_id)
    return Response(status_code=204)


async def create_link(request: Request) -> Response:
    services, body = need_accounts(request), body_of(request, CreateShareLink)
    session = await session_of(request, "own")
    token = secrets.token_urlsafe(32)
    life = timedelta(days=body.expires_in_days)
    link_id = f"link-{secrets.token_hex(8)}"
    link = await services.shares.add_link(
        link_id, session.id, hash_of(token), body.access, life, anonymous=body.anonymous
    )
    await note(
        request, "share_link_made", subject=session.id, link=link.id, access=body.access, anonymous=int(body.anonymous)
    )
    created = ShareLinkCreated(url=f"{services.settings.origin}/shared#{token}", link=link)
    return JsonResponse(created, status_code=201)


async def revoke_link(request: Request) -> Response:
    session = await session_of(request, "own")
    link_id: str = request.path_params["link_id"]
    if not await services_of(request).shares.revoke_link(session.id, link_id):
        raise Refusal(NO_SHARE, "The session has no such link.")
    await note(request, "share_link_revoked", subject=session.id, link=link_id)
    return Response(status_code=204)


async def accept(request: Request) -> Response:
    services, principal = need_accounts(request), principal_of(request)
    token = body_of(request, AcceptShare).token.get_secret_value()
    session_id = await services.shares.accept(hash_of(token), principal.user_id)
    if session_id is None:
        raise Refusal(LINK_USED_UP, "This link shares nothing, or no longer.", next_action="Ask for a new link.")
    access = await services.shares.access_of(session_id, principal.user_id) or "own"
    await note(request, "share_link_opened", subject=session_id, access=access)
    return JsonResponse(ShareAccepted(session_id=session_id, access=access))


async def list_shared(request: Request) -> Response:
    services = services_of(request)
    records = await services.shares.of_user(principal_of(request).user_id)
    sessions = await services.sessions.some([record.session_id for record in records])
    lines = {line.id: line for line in await summaries(services, sessions)}
    shared = [
        SharedSession(session=lines[record.session_id], owner=record.owner, access=record.access)
        for record in records
        if record.session_id in lines
    ]
    return JsonResponse(SharedSessionList(sessions=shared))


async def access(request: Request) -> Response:
    session = await session_of(request, "view")
    owner = principal_of(request).name
    if session.access != "own" and session.record is not None:
        with suppress(UserMissing):
            owner = (await services_of(request).users.get(session.record.user_id)).name
    return JsonResponse(SessionAccess(access=session.access, owner=owner))


async def watchers(request: Request) -> Response:
    session = await session_of(request, "view")
    return JsonResponse(await services_of(request).watchers.present(session.id))


AWAY: Final = (DATABASE_AWAY, TOO_SLOW)
EXAMPLE_LINK: Final = ShareLinkInfo(
    id="link-3f2a9c0d4b1e7f68", access="view", created_at=EXAMPLE_TIME, expires_at=EXAMPLE_TIME + timedelta(days=30)
)
EXAMPLE_SHARES: Final = ShareList(
    shares=[
        ShareInfo(user_id="user-k3v7q2m5x4h6w2yt", name="Ada", access="edit", link_id=None, created_at=EXAMPLE_TIME)
    ],
    links=[EXAMPLE_LINK],
)

ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/api/sessions/{session_id}/access",
        handler=access,
        name="session_access",
        guests=True,
        summary="What one may do with the session, and whose it is",
        answer=Answer(
            description="To view, comment, edit or own it, each including those before it.",
            schema=SessionAccess,
            example=SessionAccess(access="comment", owner="Ada"),
        ),
        problems=(NO_SESSION, *AWAY),
    ),
    Endpoint(
        method="GET",
        path="/api/sessions/{session_id}/shares",
        handler=list_shares,
        name="list_shares",
        summary="Who else may use the session, and by which links",
        answer=Answer(description="Users and links.", schema=ShareList, example=EXAMPLE_SHARES),
        problems=(NO_SESSION, *AWAY),
    ),
    Endpoint(
        method="POST",
        path="/api/sessions/{session_id}/shares",
        handler=share,
        name="share_session",
        summary="Share the session with a user: to view, comment or edit",
        body=ShareWithUser,
        body_example=ShareWithUser(email="ada@example.org", access="edit"),
        answer=Answer(description="Users and links.", schema=ShareList, example=EXAMPLE_SHARES),
        problems=(NO_SESSION, NO_ACCOUNTS, NO_USER, TOO_MANY_ATTEMPTS, *AWAY),
    ),
    Endpoint(
        method="DELETE",
        path="/api/sessions/{session_id}/shares/{user_id}",
        handler=unshare,
        name="unshare_session",
        summary="Take back what a user was given; open streams end within seconds",
        answer=Answer(status=204, description="Taken back."),
        problems=(NO_SESSION, NO_SHARE, *AWAY),
    ),
    Endpoint(
        method="POST",
        path="/api/sessions/{session_id}/share-links",
        handler=create_link,
        name="create_share_link",
        summary="Make a link that shares the session; it is shown this once",
        body=CreateShareLink,
        body_example=CreateShareLink(access="view"),
        answer=Answer(
            status=201,
            description="The link, for people who are signed in, or for anybody where it is `anonymous`.",
            schema=ShareLinkCreated,
            example=ShareLinkCreated(url="https://stich.example.org/shared#3f2a...", link=EXAMPLE_LINK),
        ),
        problems=(NO_SESSION, NO_ACCOUNTS, *AWAY),
    ),
    Endpoint(
        method="DELETE",
        path="/api/sessions/{session_id}/share-links/{link_id}",
        handler=revoke_link,
        name="revoke_share_link",
        summary="End a link, and what people were given by it",
        answer=Answer(status=204, description="Ended."),
        problems=(NO_SESSION, NO_SHARE, *AWAY),
    ),
    Endpoint(
        method="GET",
        path="/api/sessions/{session_id}/watchers",
        handler=watchers,
        name="list_watchers",
        guests=True,
        summary="Who has the session open now; the event `presence` of its stream says the same",
        answer=Answer(
            description="People, once each.",
            schema=Presence,
            example=Presence(watchers=[Watcher(user_id="local", name="", since=EXAMPLE_TIME)]),
        ),
        problems=(NO_SESSION, *AWAY),
    ),
    Endpoint(
        method="POST",
        path="/api/shared-sessions",
        handler=accept,
        name="accept_share",
        summary="Open a share link: from then on its session is among the shared ones",
        body=AcceptShare,
        body_example={"token": "x" * 43},
        answer=Answer(
            description="The session.",
            schema=ShareAccepted,
            example=ShareAccepted(session_id=EXAMPLE_ID, access="view"),
        ),
        problems=(NO_ACCOUNTS, LINK_USED_UP, *AWAY),
    ),
    Endpoint(
        method="GET",
        path="/api/shared-sessions",
        handler=list_shared,
        name="list_shared_sessions",
        summary="Sessions of others that you may use",
        answer=Answer(
            description="The newest first.",
            schema=SharedSessionList,
            example=SharedSessionList(
                sessions=[SharedSession(session=EXAMPLE_LIST.sessions[0], owner="Ada", access="view")]
            ),
        ),
        problems=AWAY,
    ),
)
