"""The single user of a local installation: one token, exchanged for a cookie by browsers.

The cookie holds user and expiry under a signature, never the token, and needs no database.
"""

import base64
import binascii
import hashlib
import hmac
import time
from typing import Final
from urllib.parse import urlencode

from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response

from api.auth import COOKIE_SECONDS, Cookie, Principal, bearer_of
from api.key_holders import KeyHolders
from api.problems import NOT_SIGNED_IN, SIGN_IN, Refusal
from api.settings import ApiSettings


class TokenSignIn:
    """Checks the token, the cookies made from it, and the user's API keys. The single user is an operator."""

    def __init__(self, settings: ApiSettings, keys: KeyHolders) -> None:
        self.cookie: Cookie = Cookie(settings)
        self.hint: str = SIGN_IN
        self._token: Final = settings.token.get_secret_value().encode()
        self._user_id: Final = settings.user_id
        self._key: Final = settings.derive_key("sign-in cookie")
        self._keys: Final = keys

    async def identify(self, connection: HTTPConnection) -> Principal | None:
        """See `api.auth.SignIn`."""
        token = bearer_of(connection)
        if token is None:
            user_id = self._user_of(self.cookie.read(connection))
            return Principal(user_id, "cookie", "operator") if user_id is not None else None
        if self._is_right(token):
            return Principal(self._user_id, "bearer", "operator")
        return await self._keys.identify(token)

    def exchange_token(self, request: Request) -> Response:
        """Turns `?token=` of a page's address into a cookie, and leads to the same address without the token.

        Raises Refusal 401 when the token is wrong.
        """
        if not self._is_right(request.query_params["token"]):
            raise Refusal(NOT_SIGNED_IN, "The token in the address is not the one of this service.")
        rest = [(name, value) for name, value in request.query_params.multi_items() if name != "token"]
        # One slash in front: an address that begins with two would lead to another host.
        path = "/" + request.url.path.lstrip("/\\")
        response = RedirectResponse(path + (f"?{urlencode(rest)}" if rest else ""), status_code=303)
        self.cookie.write(response, self._sign(self._user_id, int(time.time()) + COOKIE_SECONDS))
        return response

    def _is_right(self, token: str) -> bool:
        return hmac.compare_digest(token.encode("utf-8", "surrogatepass"), self._token)

    def _sign(self, user_id: str, expires: int) -> str:
        payload = f"{base64.urlsafe_b64encode(user_id.encode()).decode()}.{expires}"
        return f"{payload}.{hmac.new(self._key, payload.encode(), hashlib.sha256).hexdigest()}"

    def _user_of(self, cookie: str) -> str | None:
        user, _, rest = cookie.partition(".")
        expires = rest.partition(".")[0]
        if not (cookie.isascii() and expires.isdecimal() and len(cookie) < 500):
            return None
        try:
            user_id = base64.urlsafe_b64decode(user).decode()
        except (binascii.Error, ValueError):
            return None
        if not hmac.compare_digest(cookie, self._sign(user_id, int(expires))) or int(expires) < time.time():
            return None
        return user_id
