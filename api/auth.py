"""Who is asking. Routes see a `Principal` and nothing else of how it came about."""

import base64
from typing import Final, Literal, NamedTuple, Protocol

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import Scope as ConnectionScope

from api.problems import NOT_OPERATOR, SCOPE_MISSING, Refusal
from api.settings import ApiSettings
from schemas.accounts import ALL_SCOPES, Role, Scope

COOKIE_SECONDS: Final = 30 * 24 * 3600


class Principal(NamedTuple):
    """Who a request acts for, how it proved it, and what the proof may be used for.

    `name` is shown to others. At most one of `sign_in_id` and `api_key_id` names the credential.
    """

    user_id: str
    via: Literal["cookie", "bearer"]
    role: Role = "user"
    scopes: frozenset[Scope] = ALL_SCOPES
    name: str = ""
    sign_in_id: str | None = None
    api_key_id: str | None = None

    @property
    def is_guest(self) -> bool:
        """Somebody without an account, who came by a link."""
        return self.user_id.startswith("guest:")


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


class Cookie:
    """The cookie of signed-in browsers: out of reach of scripts, and sent with the page's own requests only."""

    def __init__(self, settings: ApiSettings, kind: str = "") -> None:
        self._secure = settings.origin.startswith("https:")
        # Browsers share cookies between the ports of a host: two services on one machine must not sign each other out.
        # The prefix keeps other hosts of the same domain, such as previews, from setting it.
        self.name: Final = f"{'__Host-' if self._secure else ''}stich_{f'{kind}_' if kind else ''}{settings.port}"

    def read(self, connection: HTTPConnection) -> str:
        """The value, empty when there is none."""
        return connection.cookies.get(self.name, "")

    def write(self, response: Response, value: str) -> None:
        self._write(response, value, COOKIE_SECONDS)

    def clear(self, response: Response) -> None:
        self._write(response, "", 0)

    def _write(self, response: Response, value: str, max_age: int) -> None:
        response.set_cookie(
            self.name, value, max_age=max_age, path="/", secure=self._secure, httponly=True, samesite="strict"
        )


class SignIn(Protocol):
    """One way in which people sign in here. `hint` tells somebody who did not what to do."""

    cookie: Cookie
    hint: str

    async def identify(self, connection: HTTPConnection) -> Principal | None:
        """The principal behind a request's credentials. A wrong bearer is not rescued by a valid cookie."""
        ...

    def exchange_token(self, request: Request) -> Response:
        """Answers a page's address that carries `?token=`. Raises Refusal 401."""
        ...


def bearer_of(connection: HTTPConnection) -> str | None:
    """The token of the Authorization header: None without that header, empty when it holds something else."""
    authorization = connection.headers.get("authorization")
    if authorization is None:
        return None
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() == "basic" and is_git(connection.scope):
        return _password(token)
    return token.strip() if scheme.lower() == "bearer" else ""


def is_git(scope: ConnectionScope) -> bool:
    """Whether git asks, which knows user names and passwords only."""
    path: str = scope["path"]
    return path.startswith("/git/")


def _password(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""
