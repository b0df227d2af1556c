"""Sessions over HTTP: start one, list them, watch one, talk to it, stop and resume it."""

import base64
import hashlib
import hmac
import secrets
from contextlib import suppress
from typing import Final, Literal

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from api.access import session_of
from api.auth import principal_of
from api.bodies import PROMPT_LIMIT, read_headers, read_nothing, read_query
from api.endpoints import ANSWER_SECONDS, Answer, Endpoint, JsonResponse, body_of, within
from api.examples import EXAMPLE_ID, EXAMPLE_PROMPT, EXAMPLE_STATE, EXAMPLE_TIME
from api.images import uploaded
from api.problems import (
    AWAY,
    DATABASE_AWAY,
    INVALID,
    KEY_REUSED,
    LIMIT_REACHED,
    NO_IMAGE,
    NO_SESSION,
    NO_WORKER,
    NOT_NOW,
    NOT_SERVED,
    SESSION_ENDED,
    TOO_SLOW,
    Refusal,
)
from api.services import Services, services_of
from api.session_workflows import CARRY_OUT_SECONDS
from api.settings import ApiSettings
from api.snapshots import EXAMPLE_LIST, EXAMPLE_SNAPSHOT, snapshot, summaries
from schemas.http import (
    CreateSession,
    SessionCreated,
    SessionList,
    SessionSnapshot,
)
from schemas.secrets import masked_in
from schemas.session import (
    SessionRequest,
    State,
    StateInfo,
)
from storage.sessions import SessionMissing

ID_LETTERS: Final = 20


class CreateHeaders(BaseModel):
    """Headers of `POST /api/sessions`."""

    idempotency_key: str | None = Field(
        default=None,
        alias="idempotency-key",
        pattern=r"^[\x21-\x7e]{1,200}$",
        description="Any text of the client's choice. The same key with the same body leads to the same session.",
    )


class ListQuery(BaseModel):
    """Query of `GET /api/sessions`."""

    before: str | None = Field(
        default=None, max_length=200, description="The `next` of the page before; without it, the newest sessions."
    )
    limit: int = Field(default=30, ge=1, le=100, description="How many sessions at most.")
    q: str | None = Field(default=None, max_length=200, description="Only sessions with this in title or prompt.")
    show: Literal["all", "working", "waiting", "finished", "failed", "archived"] = Field(
        default="all",
        description="Only sessions at work, at rest until somebody or something comes, finished, failed, put away.",
    )


async def create(request: Request) -> Response:
    services = services_of(request)
    user_id = principal_of(request).user_id
    body = body_of(request, CreateSession)
    _check_template(body.template, services.settings)
    _check_jurisdiction(body.jurisdiction, services.settings)
    images = await uploaded(services, user_id, body.image_ids)
    wanted = SessionRequest(**body.model_dump(exclude={"image_ids"}), images=images, user_id=user_id)
    return await start_session(services, wanted, read_headers(request, CreateHeaders).idempotency_key)


async def start_session(services: Services, session_request: SessionRequest, key: str | None) -> Response:
    """Start a session, or find the one that the same user's request with this Idempotency-Key started.

    It belongs to the jurisdiction of this service.
    """
    session_request = session_request.model_copy(update={"jurisdiction": services.settings.jurisdiction})
    user_id = session_request.user_id
    digest = _digest(session_request)
    session_id = (
        new_session_id() if key is None else keyed_session_id(services.settings.derive_key("session ids"), user_id, key)
    )
    known = key is not None and await _is_stored(services, session_id)
    if not known:
        await services.limits.take_start(user_id, session_id)
    if known or not await services.workflows.start(session_id, session_request, digest):
        started = await services.workflows.started(session_id)
        if started is None or started.request_sha256 != digest:
            raise Refusal(KEY_REUSED, "This Idempotency-Key was used for a session with another body.")
    return JsonResponse(
        SessionCreated(
            id=session_id,
            url=f"{services.settings.origin}/s/{session_id}",
            masked=masked_in(session_request.prompt),
        ),
        status_code=201,
        headers={"Location": f"/api/sessions/{session_id}"},
    )


def _check_jurisdiction(asked: str | None, settings: ApiSettings) -> None:
    served = settings.jurisdiction
    if asked is not None and asked != served:
        here = f"those of {served}" if served else "sessions of no jurisdiction"
        raise Refusal(NOT_SERVED, f"Sessions of jurisdiction {asked} are not served here; this service has {here}.")


def _check_template(name: str | None, settings: ApiSettings) -> None:
    names = [template.name for template in settings.templates]
    if name is not None and name not in names:
        raise Refusal(INVALID, f"There is no template “{name[:80]}”. Known templates: {', '.join(names) or 'none'}.")


async def _is_stored(services: Services, session_id: str) -> bool:
    """A session that is stored but gone from Temporal, which forgets in time, must not be started over."""
    try:
        await services.sessions.get(session_id)
    except SessionMissing:
        return False
    return True


def new_session_id() -> str:
    """An id that nobody can guess."""
    return _session_id(secrets.token_bytes(32))


def keyed_session_id(secret: bytes, user_id: str, idempotency_key: str) -> str:
    """The id that this user's key leads to, always the same: a retry meets the workflow its first try started."""
    name = f"{len(user_id)}:{user_id}:{idempotency_key}"
    return _session_id(hmac.digest(secret, name.encode(), hashlib.sha256))


def _session_id(source: bytes) -> str:
    return f"session-{base64.b32encode(source).decode().lower()[:ID_LETTERS]}"


def _digest(request: SessionRequest) -> str:
    """Tells requests apart. Fields left at their defaults do not count, so a newer version agrees with an older one."""
    return hashlib.sha256(request.model_dump_json(exclude_defaults=True).encode()).hexdigest()


_SHOWN: Final[dict[str, tuple[State, ...]]] = {
    "all": (),
    "working": ("starting", "planning", "generating", "reviewing"),
    "waiting": ("idle", "stopped", "waiting_for_capacity", "waiting_for_budget"),
    "finished": ("completed",),
    "failed": ("failed",),
    "archived": (),
}


async def list_sessions(request: Request) -> Response:
    services = services_of(request)
    query = read_query(request, ListQuery)
    user_id = principal_of(request).user_id
    if query.before is not None:
        await _check_cursor(services, user_id, query.before)
    records = await services.sessions.list(
        user_id,
        query.limit + 1,
        query.before,
        text=query.q,
        states=_SHOWN[query.show],
        archived=query.show == "archived",
    )
    page = records[: query.limit]
    lines = await summaries(services, page)
    return JsonResponse(SessionList(sessions=lines, next=page[-1].id if len(records) > len(page) else None))


async def _check_cursor(services: Services, user_id: str, before: str) -> None:
    with suppress(SessionMissing):
        if (await services.sessions.get(before)).user_id == user_id:
            return
    raise Refusal(INVALID, "The field “before” is not the `next` of a page of your sessions.")


async def show(request: Request) -> Response:
    session = await session_of(request, "view")
    return JsonResponse(await snapshot(services_of(request), session))


async def stop(request: Request) -> Response:
    await read_nothing(request)
    session = await within(ANSWER_SECONDS, session_of(request, "edit"))
    return JsonResponse(await services_of(request).workflows.stop(session.id))


async def resume(request: Request) -> Response:
    await read_nothing(request)
    session = await within(ANSWER_SECONDS, session_of(request, "edit"))
    return JsonResponse(await services_of(request).workflows.resume(session.id))


EXAMPLE_STOPPED: Final = StateInfo(
    name="stopped", since=EXAMPLE_TIME, reason="Stopped by you.", can=["message", "resume"]
)

ENDPOINTS: Final = (
    Endpoint(
        method="POST",
        path="/api/sessions",
        handler=create,
        name="create_session",
        summary="Start a session from a prompt",
        headers=CreateHeaders,
        body=CreateSession,
        body_limit=PROMPT_LIMIT,
        body_example=CreateSession(prompt=EXAMPLE_PROMPT, mode="deterministic"),
        answer=Answer(
            status=201,
            description="The session has started, now or by an earlier request with the same Idempotency-Key.",
            schema=SessionCreated,
            example=SessionCreated(id=EXAMPLE_ID, url=f"http://127.0.0.1:8300/s/{EXAMPLE_ID}"),
            headers=(("Location", "Address of the session."),),
        ),
        problems=(KEY_REUSED, NO_IMAGE, NOT_SERVED, LIMIT_REACHED, *AWAY),
    ),
    Endpoint(
        method="GET",
        path="/api/sessions",
        handler=list_sessions,
        name="list_sessions",
        summary="Your sessions, newest first",
        query=ListQuery,
        answer=Answer(description="A page of sessions.", schema=SessionList, example=EXAMPLE_LIST),
        problems=(DATABASE_AWAY, TOO_SLOW),
    ),
    Endpoint(
        method="GET",
        path="/api/sessions/{session_id}",
        handler=show,
        name="get_session",
        guests=True,
        summary="How far a session is: the workflow's own answer, or the stored one marked `stale`",
        answer=Answer(description="The whole picture.", schema=SessionSnapshot, example=EXAMPLE_SNAPSHOT),
        problems=(NO_SESSION, NO_WORKER, *AWAY),
    ),
    Endpoint(
        method="POST",
        path="/api/sessions/{session_id}/stop",
        handler=stop,
        name="stop_session",
        summary="Stop what runs, down to the model call; stopping twice is harmless",
        answer=Answer(description="The state afterwards.", schema=StateInfo, example=EXAMPLE_STOPPED),
        problems=(NO_SESSION, NOT_NOW, SESSION_ENDED, NO_WORKER, *AWAY),
        seconds=ANSWER_SECONDS + CARRY_OUT_SECONDS,
    ),
    Endpoint(
        method="POST",
        path="/api/sessions/{session_id}/resume",
        handler=resume,
        name="resume_session",
        summary="Go on with what is missing",
        answer=Answer(description="The state afterwards.", schema=StateInfo, example=EXAMPLE_STATE),
        problems=(NO_SESSION, NOT_NOW, SESSION_ENDED, NO_WORKER, *AWAY),
        seconds=ANSWER_SECONDS + CARRY_OUT_SECONDS,
    ),
)
