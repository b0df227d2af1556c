"""People with accounts: browsers by a cookie, programs by access tokens or API keys, each looked up in the database.

So a sign-in that is revoked, and a user who is disabled, are refused by the next request.
"""

from typing import Final, Protocol

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from api.access_tokens import AccessTokens
from api.auth import Cookie, Principal, bearer_of
from api.key_holders import PREFIX, KeyHolders, hash_of
from api.problems import NOT_SIGNED_IN, Refusal
from api.settings import ApiSettings
from storage.sign_ins import SignedInUser, SignIns

HINT: Final = (
    "Sign in with your account. Programs send the header `Authorization: Bearer TOKEN` with an access token or API key."
)


class SignsInGuests(Protocol):
    """Finds people who come by a link, without an account."""

    async def identify(self, connection: HTTPConnection) -> Principal | None: ...


class AccountSignIn:
    """Checks the credentials of accounts. The token of a local installation is none here."""

    def __init__(
        self, settings: ApiSettings, sign_ins: SignIns, tokens: AccessTokens, keys: KeyHolders, guests: SignsInGuests
    ) -> None:
        self.cookie: Cookie = Cookie(settings)
        self.hint: str = HINT
        self._sign_ins: Final = sign_ins
        self._tokens: Final = tokens
        self._keys: Final = keys
        self._guests: Final = guests

    async def identify(self, connection: HTTPConnection) -> Principal | None:
        """See `api.auth.SignIn`."""
        token = bearer_of(connection)
        if token is None:
            cookie = self.cookie.read(connection)
            user = await self._sign_ins.by_cookie(hash_of(cookie)) if cookie else None
            return _principal(user, by_cookie=True) or await self._guests.identify(connection)
        if token.startswith(PREFIX):
            return await self._keys.identify(token)
        claims = await self._tokens.check(token) if token else None
        if claims is None:
            return None
        user = await self._sign_ins.by_id(claims.sign_in_id)
        return _principal(user) if user is not None and user.user_id == claims.user_id else None

    def exchange_token(self, request: Request) -> Response:
        """See `api.auth.SignIn`."""
        raise Refusal(
            NOT_SIGNED_IN, "People sign in to this service with accounts, not by its token.", next_action=HINT
        )


def _principal(user: SignedInUser | None, *, by_cookie: bool = False) -> Principal | None:
    if user is None:
        return None
    return Principal(
        user.user_id, "cookie" if by_cookie else "bearer", user.role, name=user.name, sign_in_id=user.sign_in_id
    )
