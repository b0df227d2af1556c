"""Who may open a stream. Nothing of a session is sent before that is proven, however long proving it takes.

A browser's EventSource gives up for good on any answer that is not a stream. So while a part that the proof needs is
away, the stream is opened all the same: it says so, shows that it lives, and goes on, or ends with a refusal, as soon
as the answer is known.
"""

import random
from collections.abc import Callable
from contextlib import aclosing
from http import HTTPStatus
from typing import Final, NamedTuple

from starlette.requests import Request

from api.access import Session, session_of
from api.auth import require_scope
from api.endpoints import ANSWER_SECONDS, within
from api.frames import AVAILABLE, HEARTBEAT, OPENING, problem_frame
from api.limits import limit_requests
from api.problems import DATABASE_AWAY, LIMIT_REACHED, Refusal, request_id_of
from api.require_sign_in import identified
from api.services import services_of
from api.sse import Frames
from schemas.accounts import Access, Scope
from storage.database import is_transient
from storage.limits import Standing

SOON_SECONDS: Final = 1.0
"""How long a stream waits for its first byte while a part is slow."""

PAUSE_SECONDS: Final = 1.0
"""Between two tries, on average: those that came together do not ask together."""

MOST_WAITING: Final = 2_000
"""Streams of one process that may wait: somebody without a valid credential may be among them."""


class Admitted(NamedTuple):
    """A session that the request's principal may use, and how the limit of requests stands."""

    session: Session
    standing: Standing | None


async def admit_soon(request: Request, need: Access, scope: Scope) -> Admitted | Refusal:
    """Whether the request may open a stream, or what is waited for to know it. Raises Refusal for a no."""
    try:
        return await within(SOON_SECONDS, _prove(request, need, scope))
    except Refusal as refusal:
        if not _is_undecided(refusal) or services_of(request).stream.waiting >= MOST_WAITING:
            raise
        return refusal


async def admit_in_time(
    request: Request, need: Access, scope: Scope, away: Refusal, opened: Callable[[Session], Frames]
) -> Frames:
    """Says `away`, and signs of life, until access is proven; then the frames of `opened`, or a refusal as the end.

    A limit of requests is waited out: those that wait ask all at once when the part is back.
    """
    stream = services_of(request).stream
    stream.waiting += 1
    try:
        yield OPENING + problem_frame("unavailable", away.problem(request_id_of(request.scope)))
        while True:
            try:
                session, _ = await within(ANSWER_SECONDS, _prove(request, need, scope))
                break
            except Refusal as refusal:
                if not _is_undecided(refusal) and refusal.kind is not LIMIT_REACHED:
                    yield problem_frame("refused", refusal.problem(request_id_of(request.scope)))
                    return
            yield HEARTBEAT
            if await stream.closes_within(PAUSE_SECONDS * random.uniform(0.5, 1.5)):
                return
    finally:
        stream.waiting -= 1
    yield AVAILABLE
    async with aclosing(opened(session)) as frames:
        async for piece in frames:
            yield piece


async def _prove(request: Request, need: Access, scope: Scope) -> Admitted:
    try:
        principal = request.state.principal = await identified(services_of(request).sign_in, request)
        require_scope(principal, scope)
        standing = await limit_requests(request)
        return Admitted(await session_of(request, need), standing)
    except Exception as error:
        if not is_transient(error):
            raise
        raise Refusal(DATABASE_AWAY, "The database cannot be reached right now.") from None


def _is_undecided(refusal: Refusal) -> bool:
    """Whether the refusal says only that the answer is not known yet."""
    return refusal.kind.status == HTTPStatus.SERVICE_UNAVAILABLE
