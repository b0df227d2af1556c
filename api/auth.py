"""Who is asking: one local token, sent as a bearer by programs and exchanged for a cookie by browsers.

Everything needs a valid sign-in unless its route says otherwise; an address that no route knows needs one too. Routes
see a `Principal` and nothing else of how it came about.
"""

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple
from urllib.parse import urlencode

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope

from api.bodies import require_json_type
from api.origins import OwnOrigins
from api.problems import FOREIGN_ORIGIN, NOT_OPERATOR, NOT_SIGNED_IN, SCOPE_MISSING, Refusal, answer
from api.settings import ApiSettings
from schemas.accounts import ALL_SCOPES, Role, Scope

COOKIE_SECONDS = 30 * 24 * 3600
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Principal(NamedTuple):
    """Who a request acts for, how it proved it, and what the proof may be used for. `name` is shown to others."""

    user_id: str
    via: Literal["cookie", "bearer"]
    role: Role = "user"
    scopes: frozenset[Scope] = ALL_SCOPES
    name: str = ""


def principal_of(request: Request) -> Principal:
    """The signed-in principal of a request that passed `RequireSignIn`."""
    principal = request.state.principal
    assert isinstance(principal, Principal)
    return principal


def operator_of(request: Request) -> Principal:
    """The principal, who is an operator. Raises Refusal 403 for everybody else."""
    principal = principal_of(request)
    if principal.role != "operator":
        raise Refusal(NOT_OPERATOR, "Only an operator of this service may do this.")
    require_scope(principal, "operator")
    return principal


def require_scope(principal: Principal, scope: Scope) -> None:
    """Raises Refusal 403 unless the credential may be used for this."""
    if scope not in principal.scopes:
        raise Refusal(SCOPE_MISSING, f"This credential does not have the scope “{scope}”.")


class SignIn:
    """Checks tokens, and issues and checks cookies, which hold user and expiry under a signature, never the token."""

    def __init__(self, settings: ApiSettings) -> None:
        self._token = settings.token.get_secret_value().encode()
        self._user_id = settings.user_id
        self._key = settings.derive_key("sign-in cookie")
        self._secure = settings.origin.startswith("https:")
        # Browsers share cookies between the ports of a host: two services on one machine must not sign each other out.
        self.cookie_name = f"stich_{settings.port}"

    def token_is_right(self, token: str) -> bool:
        return hmac.compare_digest(token.encode("utf-8", "surrogatepass"), self._token)

    def identify(self, connection: HTTPConnection) -> Principal | None:
        """The principal behind a request's credentials. A wrong bearer is not rescued by a valid cookie."""
        authorization = connection.headers.get("authorization")
        if authorization is not None:
            scheme, _, token = authorization.partition(" ")
            if scheme.lower() == "bearer" and self.token_is_right(token.strip()):
                return Principal(self._user_id, "bearer", "operator")
            return None
        user_id = self._user_of(connection.cookies.get(self.cookie_name, ""))
        return Principal(user_id, "cookie", "operator") if user_id is not None else None

    def set_cookie(self, response: Response) -> None:
        self._write_cookie(response, self._sign(self._user_id, int(time.time()) + COOKIE_SECONDS), COOKIE_SECONDS)

    def clear_cookie(self, response: Response) -> None:
        self._write_cookie(response, "", 0)

    def _write_cookie(self, response: Response, value: str, max_age: int) -> None:
        response.set_cookie(
            self.cookie_name, value, max_age=max_age, path="/", secure=self._secure, httponly=True, samesite="strict"
        )

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


class RequireSignIn:
    """Middleware: puts the principal into the request's state, or answers 401 unless an open route takes the request.

    A cookie travels with requests that other sites cause, so it counts for changes only when the page itself sent them.
    """

    def __init__(
        self,
        app: ASGIApp,
        sign_in: SignIn,
        own: OwnOrigins,
        routes: Sequence[BaseRoute],
        open_routes: Collection[BaseRoute],
    ) -> None:
        self._app = app
        self._sign_in = sign_in
        self._own = own
        self._routes = routes
        self._open_routes = open_routes

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        request = Request(scope)
        try:
            principal = self._sign_in.identify(request)
            if principal is None and not self._is_open(scope):
                raise Refusal(NOT_SIGNED_IN, _why_not(request.headers))
            if principal is not None and principal.via == "cookie" and request.method not in SAFE_METHODS:
                self._require_own_page(request)
        except Refusal as refusal:
            return await answer(scope, refusal)(scope, receive, send)
        request.state.principal = principal
        return await self._app(scope, receive, send)

    def _is_open(self, scope: AsgiScope) -> bool:
        """Whether the route that will take the request, the first that matches, is an open one."""
        for route in self._routes:
            if route.matches(scope)[0] is Match.FULL:
                return route in self._open_routes
        return False

    def _require_own_page(self, request: Request) -> None:
        origin = request.headers.get("origin")
        if origin is None and request.headers.get("sec-fetch-site") != "same-origin":
            raise Refusal(FOREIGN_ORIGIN, "A change that is signed in by cookie must come from the page itself.")
        if origin is not None and not self._own.accept(request.scope, origin):
            raise Refusal(FOREIGN_ORIGIN, "The request comes from a page that may not make changes here.")
        if request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers:
            require_json_type(request)


def _why_not(headers: Headers) -> str:
    if "authorization" in headers:
        return "The token in the Authorization header is not the one of this service."
    return "The request is not signed in, or the sign-in has expired."


def exchange_token(request: Request, sign_in: SignIn) -> Response:
    """Turns `?token=` of a page's address into a cookie, and leads to the same address without the token.

    Raises Refusal 401 when the token is wrong.
    """
    if not sign_in.token_is_right(request.query_params["token"]):
        raise Refusal(NOT_SIGNED_IN, "The token in the address is not the one of this service.")
    rest = [(name, value) for name, value in request.query_params.multi_items() if name != "token"]
    # One slash in front: an address that begins with two would lead to another host.
    path = "/" + request.url.path.lstrip("/\\")
    response = RedirectResponse(path + (f"?{urlencode(rest)}" if rest else ""), status_code=303)
    sign_in.set_cookie(response)
    return response
