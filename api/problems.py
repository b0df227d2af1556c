"""Every error of the HTTP interface: its code, a plain sentence and what to do next (RFC 9457)."""

import html
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final, NamedTuple

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Match, Route
from starlette.types import Scope

from schemas.http import Problem


class Kind(NamedTuple):
    """A kind of problem; `retry_after` in seconds where trying again is worth it."""

    code: str
    status: int
    title: str
    next_action: str
    retry_after: int | None = None


TRY_AGAIN = "Try again in a few seconds."
SIGN_IN = (
    "Open the address that `stich up` printed when it started: it holds the sign-in token. "
    "Programs send the header `Authorization: Bearer TOKEN`."
)

BAD_JSON: Final = Kind("bad_json", 400, "The request is not valid JSON", "Send one JSON object, encoded as UTF-8.")
NOT_SIGNED_IN: Final = Kind("not_signed_in", 401, "Sign in first", SIGN_IN)
WRONG_PASSWORD: Final = Kind(
    "wrong_password",
    401,
    "E-mail address or password do not fit",
    "Try again, or ask for a link to set a new password.",
)
REFRESH_REFUSED: Final = Kind("refresh_refused", 401, "The refresh token is not valid", "Sign in again.")
LINK_USED_UP: Final = Kind(
    "link_not_valid", 410, "The link was used before or is too old", "Ask for a new link and open it soon."
)
SIGN_UP_CLOSED: Final = Kind("sign_up_closed", 403, "Nobody can sign up here", "Ask an operator for an account.")
SIGN_IN_AGAIN: Final = Kind(
    "sign_in_again", 403, "Sign in once more first", "Sign out, sign in again, and do this within ten minutes."
)
NO_ACCOUNTS: Final = Kind(
    "no_accounts", 409, "This service has a single user", "Start it with STICH_AUTH=accounts to have accounts."
)
ALREADY: Final = Kind("already_exists", 409, "That exists already", "Use what exists, or remove it first.")
TOO_MANY_ATTEMPTS: Final = Kind(
    "too_many_attempts", 429, "Too many attempts", "Wait as long as the Retry-After header says.", 1
)
LIMIT_REACHED: Final = Kind(
    "limit_reached", 429, "That was too much for now", "Wait as long as the Retry-After header says.", 1
)
OAUTH_FAILED: Final = Kind(
    "oauth_failed", 400, "The sign-in elsewhere did not work", "Go back to the page and begin again."
)
NO_USER: Final = Kind("user_not_found", 404, "There is no such user", "Look for the user in the list of users.")
NO_KEY: Final = Kind("api_key_not_found", 404, "There is no such key", "Look for the key in the list of your keys.")
NO_SIGN_IN: Final = Kind("sign_in_not_found", 404, "There is no such sign-in", "Look at the list of your sign-ins.")
NO_RECORDING: Final = Kind(
    "recording_not_kept", 404, "There is nothing to record", "Export a session within 14 days of its work."
)
NO_GITHUB_TOKEN: Final = Kind(
    "github_token_missing", 404, "No token of GitHub is stored", "Store one: PUT /api/github/token."
)
NO_GITHUB_REPOSITORY: Final = Kind(
    "github_repository_not_found",
    404,
    "There is no such repository at GitHub",
    "Check its name and what the token may see, or have it made with `create`.",
)
GITHUB_REFUSED: Final = Kind(
    "github_refused", 422, "GitHub does not do this", "Check what the token may do, then try again."
)
GITHUB_OFF: Final = Kind("github_off", 409, "There is no export to GitHub here", "Clone the session with git instead.")
GITHUB_AWAY: Final = Kind("github_unavailable", 502, "GitHub does not answer", TRY_AGAIN)
NO_WEBHOOK: Final = Kind(
    "webhook_not_found", 404, "There is no such webhook", "Look for the webhook in the list of your webhooks."
)
NO_SHARE: Final = Kind("share_not_found", 404, "There is no such share", "Look at the list of the session's shares.")
FOREIGN_ORIGIN: Final = Kind(
    "foreign_origin", 403, "The request comes from another site", "Use the page of this service itself."
)
NOT_OPERATOR: Final = Kind("operator_only", 403, "This is for operators", "Ask an operator of this service.")
SCOPE_MISSING: Final = Kind(
    "scope_missing", 403, "The key may not be used for this", "Use an API key that has the scope, or sign in."
)
NOT_ALLOWED: Final = Kind(
    "not_allowed", 403, "You may not do this in the session", "Ask the session's owner to share it with more rights."
)
NOT_FOUND: Final = Kind("not_found", 404, "Nothing is here", "Check the address; /openapi.json lists every route.")
NO_SESSION: Final = Kind(
    "session_not_found", 404, "There is no such session", "Look for the session in the list of your sessions."
)
NO_FILE: Final = Kind(
    "file_not_found", 404, "There is no such file", "Look for the file in the session's list of files."
)
WRONG_METHOD: Final = Kind(
    "method_not_allowed", 405, "This address does not take that method", "Use a method that the Allow header names."
)
NO_PROVIDER: Final = Kind(
    "provider_not_found", 404, "There is no such provider", "Look at the list of providers that take a key."
)
NO_PROVIDER_KEY: Final = Kind("provider_key_not_found", 404, "No key of this provider is stored", "Store one first.")
NO_TARGET: Final = Kind("target_not_found", 404, "There is no such place to publish at", "Choose one of those offered.")
NO_DEPLOYMENT_ACCOUNT: Final = Kind(
    "deployment_account_not_found", 404, "No token for this place is stored", "Store one first."
)
NO_ACTION: Final = Kind("action_not_found", 404, "There is no such action", "Look at the list of actions.")
KEY_NOT_ACCEPTED: Final = Kind(
    "key_not_accepted", 422, "The provider refuses the key", "Check that the whole key was copied and is still valid."
)
KEY_NOT_TRIED: Final = Kind("key_not_tried", 502, "The key could not be tried", "Try again in a minute.")
MODEL_NOT_ALLOWED: Final = Kind(
    "model_not_allowed", 422, "This cannot be chosen here", "Choose a model that the action allows."
)
VAULT_LOCKED: Final = Kind(
    "vault_locked", 503, "The vault is locked", "Ask the operator to give this service the vault's key."
)
SLOW_BODY: Final = Kind("request_timeout", 408, "The request took too long to arrive", "Send the request again.")
KEY_REUSED: Final = Kind(
    "idempotency_key_reused",
    409,
    "This Idempotency-Key belongs to another request",
    "Use a new Idempotency-Key for a new session.",
)
MESSAGE_ID_REUSED: Final = Kind(
    "message_id_reused", 409, "This id belongs to another message", "Use a new id for a new message, or leave it away."
)
NOT_NOW: Final = Kind(
    "not_possible_now", 409, "The session cannot do that now", "Look at the session's state and what it can do."
)
SESSION_ENDED: Final = Kind("session_ended", 409, "The session has ended", "Start a new session.")
FILE_CHANGED: Final = Kind(
    "file_changed", 409, "The file has changed since", "Read the file again, then decide whether it is still to go."
)
BASE_UNKNOWN: Final = Kind(
    "base_unknown", 409, "The edit began with a text that the file never had", "Read the file again and edit that text."
)
PATH_TAKEN: Final = Kind("path_taken", 409, "Something is there already", "Choose another path.")
PROTECTED: Final = Kind(
    "file_protected", 409, "The file belongs to the template", "Ask for the change in a message instead."
)
TOO_MANY: Final = Kind("too_many", 409, "There are too many already", "Delete or use some of them first.")
NO_CONFLICT: Final = Kind(
    "conflict_not_found", 404, "No conflict waits there", "Look at the session's list of conflicts."
)
NO_VERSION: Final = Kind(
    "version_not_found", 404, "There is no such version", "Choose one of the versions that the session lists."
)
NO_PHASE: Final = Kind("phase_not_found", 404, "There is no such phase", "Look at the session's list of phases.")
NO_IMAGE: Final = Kind("image_not_found", 404, "There is no such picture", "Upload the picture, then use its id.")
NO_MESSAGE: Final = Kind("message_not_found", 404, "There is no such message", "Look at the session's conversation.")
BAD_IMAGE: Final = Kind(
    "bad_image", 422, "The picture cannot be used", "Send a PNG, JPEG or WebP of at most 10 MB and 8,000 pixels a side."
)
TOO_LARGE: Final = Kind("body_too_large", 413, "The request is too large", "Send less at once.")
WRONG_TYPE: Final = Kind(
    "unsupported_media_type", 415, "The body is of another type", "Send the header `Content-Type: application/json`."
)
UNKNOWN_HOST: Final = Kind(
    "unknown_host",
    421,
    "This service does not answer to that host name",
    "Use the address that `stich up` printed, or add the host name to the allowed hosts.",
)
INVALID: Final = Kind("invalid_request", 422, "The request does not fit", "Correct the field and send it again.")
NOT_SERVED: Final = Kind(
    "jurisdiction_not_served",
    422,
    "That jurisdiction is not served here",
    "Start the session at the service of its jurisdiction; nothing of it was kept here.",
)
NOT_PUBLISHED: Final = Kind(
    "target_not_allowed",
    422,
    "Nothing may be published there from here",
    "Publish at this service itself (target local), or ask its operator.",
)
INTERNAL: Final = Kind(
    "internal_error", 500, "Something went wrong here", "Try again; if it stays, look up the request id in the log."
)
DATABASE_AWAY: Final = Kind("database_unavailable", 503, "The database does not answer", TRY_AGAIN, 2)
TEMPORAL_AWAY: Final = Kind("temporal_unavailable", 503, "The workflow service does not answer", TRY_AGAIN, 2)
NO_WORKER: Final = Kind(
    "no_worker", 503, "No worker answers", "Check that a worker runs (`stich worker`), then try again.", 5
)
TOO_SLOW: Final = Kind("timeout", 503, "The answer took too long", TRY_AGAIN, 2)
AWAY: Final = (DATABASE_AWAY, TEMPORAL_AWAY, TOO_SLOW)
"""What every route may answer that asks a workflow."""
NOT_READY: Final = Kind("not_ready", 503, "The service is not ready", "Wait until the named part is back.", 2)
PAGE_MISSING: Final = Kind(
    "page_not_built",
    503,
    "The page is not built",
    "Run `make setup` and reload. Until then `stich build` and the HTTP interface work as ever.",
    30,
)


class Refusal(Exception):
    """Ends a request with a problem. `detail` is a plain sentence; it must not hold a secret."""

    def __init__(
        self, kind: Kind, detail: str, *, next_action: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.next_action = next_action or kind.next_action
        self.headers = dict(headers or {})
        if kind.retry_after is not None:
            self.headers.setdefault("Retry-After", str(kind.retry_after))
        if kind.status == HTTPStatus.UNAUTHORIZED:
            self.headers.setdefault("WWW-Authenticate", "Bearer")

    def problem(self, request_id: str) -> Problem:
        return Problem(
            title=self.kind.title,
            status=self.kind.status,
            code=self.kind.code,
            detail=self.detail,
            next_action=self.next_action,
            request_id=request_id,
        )


def request_id_of(scope: Scope) -> str:
    """The id under which the request log knows this request."""
    state: dict[str, object] = scope.get("state", {})
    return str(state.get("request_id", ""))


def answer(scope: Scope, refusal: Refusal) -> Response:
    """The response that a refusal becomes: problem+json, or a plain page where a browser navigates to a page."""
    problem = refusal.problem(request_id_of(scope))
    if _wants_page(scope):
        return HTMLResponse(_page(problem), status_code=problem.status, headers=refusal.headers)
    return Response(
        problem.model_dump_json(),
        status_code=problem.status,
        headers=refusal.headers,
        media_type="application/problem+json",
    )


def _wants_page(scope: Scope) -> bool:
    return not scope["path"].startswith("/api/") and "text/html" in Headers(scope=scope).get("accept", "")


def _page(problem: Problem) -> str:
    title, detail, next_action = (html.escape(text) for text in (problem.title, problem.detail, problem.next_action))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="/problem.css">'
        f'<h1>{title}</h1><p>{detail}</p><p>{next_action}</p><p><a href="/">Start page</a></p>'
        f"<p><small>Request {problem.request_id}</small></p></html>"
    )


async def answer_refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return answer(request.scope, error)


async def answer_http_error(request: Request, error: Exception) -> Response:
    """What Starlette's router raises: unknown route, wrong method."""
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = {"Allow": ", ".join(sorted(_methods(request)))}
        refusal = Refusal(WRONG_METHOD, f"{request.method} does not work on this address.", headers=allowed)
    elif error.status_code == HTTPStatus.NOT_FOUND:
        refusal = Refusal(NOT_FOUND, "There is nothing at this address.")
    else:
        kind = Kind("http_error", error.status_code, HTTPStatus(error.status_code).phrase, "Check the request.")
        refusal = Refusal(kind, f"{HTTPStatus(error.status_code).phrase}.", headers=headers)
    return answer(request.scope, refusal)


def _methods(request: Request) -> set[str]:
    """The methods of every route with the request's path."""
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    matching = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    return {method for route in matching for method in route.methods or ()}


EXCEPTION_HANDLERS = {Refusal: answer_refusal, HTTPException: answer_http_error}
