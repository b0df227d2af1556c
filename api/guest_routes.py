"""The way in for people without an account."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from api.endpoints import Answer, Endpoint, JsonResponse, body_of
from api.examples import EXAMPLE_ID
from api.guests import Guests
from api.key_holders import hash_of
from api.problems import DATABASE_AWAY, LINK_USED_UP, NO_ACCOUNTS, NOT_SIGNED_IN, TOO_MANY_ATTEMPTS, TOO_SLOW, Refusal
from api.sign_in_routes import ADDRESS_FREE, address_bucket, count_attempt, need_accounts
from schemas.sharing import AcceptShare, ShareAccepted


async def open_as_guest(request: Request) -> Response:
    services, body = need_accounts(request), body_of(request, AcceptShare)
    bucket = f"guest {address_bucket(request, services)}"
    await count_attempt(services, bucket, ADDRESS_FREE)
    secret = body.token.get_secret_value()
    name = hash_of(secret)
    link = (await services.shares.guest_links([name])).get(name)
    if link is None:
        if await services.shares.known_link(name):
            await services.attempts.take_back(bucket, ADDRESS_FREE)
            raise Refusal(NOT_SIGNED_IN, "This link is for people who are signed in.", next_action="Sign in first.")
        raise Refusal(LINK_USED_UP, "This link shares nothing, or no longer.", next_action="Ask for a new link.")
    await services.attempts.take_back(bucket, ADDRESS_FREE)
    response = JsonResponse(ShareAccepted(session_id=link.session_id, access="view"))
    Guests(services.settings, services.shares).welcome(request, response, secret)
    return response


ENDPOINTS: Final = (
    Endpoint(
        method="POST",
        path="/api/guest",
        handler=open_as_guest,
        name="open_as_guest",
        summary="Look at a session without an account, by a link that allows it; a browser gets a cookie",
        body=AcceptShare,
        body_example={"token": "x" * 43},
        answer=Answer(
            description="The session.",
            schema=ShareAccepted,
            example=ShareAccepted(session_id=EXAMPLE_ID, access="view"),
            headers=(("Set-Cookie", "What the guest's browser comes back with."),),
        ),
        problems=(NO_ACCOUNTS, NOT_SIGNED_IN, LINK_USED_UP, TOO_MANY_ATTEMPTS, DATABASE_AWAY, TOO_SLOW),
        open=True,
    ),
)
