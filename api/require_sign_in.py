"""Everything needs a valid sign-in unless its route says otherwise; an address that no route knows needs one too."""

from collections.abc import Collection, Sequence

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from api.auth import Principal, SignIn, is_git
from api.bodies import require_json_type
from api.endpoints import ANSWER_SECONDS, within
from api.origins import OwnOrigins
from api.problems import DATABASE_AWAY, FOREIGN_ORIGIN, NOT_SIGNED_IN, Refusal, answer
from storage.database import is_transient

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


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
        proving_routes: Collection[BaseRoute],
        guest_routes: Collection[BaseRoute],
    ) -> None:
        self._app = app
        self._sign_in = sign_in
        self._own = own
        self._routes = routes
        self._open_routes = open_routes
        self._proving_routes = proving_routes
        self._guest_routes = guest_routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        route = self._route(scope)
        if route in self._proving_routes:
            return await self._app(scope, receive, send)
        request, is_open = Request(scope), route in self._open_routes
        try:
            principal = await self._identify(request, is_open)
            if principal is not None and principal.via == "cookie" and request.method not in SAFE_METHODS:
                self._require_own_page(request)
        except Refusal as refusal:
            if refusal.kind is NOT_SIGNED_IN and is_git(scope):
                refusal.headers["WWW-Authenticate"] = 'Basic realm="stich"'  # git then asks for a password
            return await answer(scope, refusal)(scope, receive, send)
        if principal is not None and principal.is_guest and route not in self._guest_routes:
            if not is_open:
                only_look = Refusal(
                    NOT_SIGNED_IN, "Without an account you may only look.", next_action="Sign in first."
                )
                return await answer(scope, only_look)(scope, receive, send)
            principal = None
        request.state.principal = principal
        return await self._app(scope, receive, send)

    async def _identify(self, request: Request, is_open: bool) -> Principal | None:
        try:
            return await within(ANSWER_SECONDS, identified(self._sign_in, request))
        except Refusal as refusal:
            if is_open and refusal.kind is NOT_SIGNED_IN:
                return None
            raise
        except Exception as error:
            if not is_transient(error):
                raise
            if is_open and request.method in SAFE_METHODS:
                return None  # the page itself is for everybody, and so is what tells how the service is
            raise Refusal(DATABASE_AWAY, "The database cannot be reached right now.") from None

    def _route(self, scope: Scope) -> BaseRoute | None:
        """The route that will take the request: the first that matches."""
        return next((route for route in self._routes if route.matches(scope)[0] is Match.FULL), None)

    def _require_own_page(self, request: Request) -> None:
        origin = request.headers.get("origin")
        if origin is None and request.headers.get("sec-fetch-site") != "same-origin":
            raise Refusal(FOREIGN_ORIGIN, "A change that is signed in by cookie must come from the page itself.")
        if origin is not None and not self._own.accept(request.scope, origin):
            raise Refusal(FOREIGN_ORIGIN, "The request comes from a page that may not make changes here.")
        if request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers:
            _require_scripted_type(request)


async def identified(sign_in: SignIn, request: Request) -> Principal:
    """The principal behind a request. Raises Refusal NOT_SIGNED_IN, and whatever the database raises."""
    principal = await sign_in.identify(request)
    if principal is None:
        raise Refusal(NOT_SIGNED_IN, _why_not(request.headers), next_action=sign_in.hint)
    return principal


def _require_scripted_type(request: Request) -> None:
    """Raises Refusal WRONG_TYPE for a body that a form of another site could send: forms send no JSON, nor pictures."""
    if not request.headers.get("content-type", "").strip().lower().startswith("image/"):
        require_json_type(request)


def _why_not(headers: Headers) -> str:
    if "authorization" in headers:
        return "The token in the Authorization header is not valid here, or no longer."
    return "The request is not signed in, or the sign-in has expired."
