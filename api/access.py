"""Which session a request means, and whether it may see it. Somebody else's session looks like none at all."""

import re
from typing import Final, NamedTuple

from starlette.requests import Request

from api.auth import principal_of
from api.problems import NO_SESSION, NOT_ALLOWED, Refusal
from api.services import services_of
from schemas.accounts import Access, allows
from storage.sessions import SessionMissing, SessionRecord

# Any Temporal client may start a session, under an id of its own; these are the ones the event log takes.
SESSION_ID: Final = re.compile(r"[A-Za-z0-9._:@-]{1,100}")


class Session(NamedTuple):
    """A session that the principal may use, and how. `record` is None in the moment before it is stored."""

    id: str
    record: SessionRecord | None
    access: Access = "own"


async def session_of(request: Request, need: Access) -> Session:
    """The session that the request's path names, in which the principal may do what needs `need`.

    `view` reads and watches, `comment` says something, `edit` steers and changes files, `own` shares and deletes.
    Raises Refusal NO_SESSION when there is none for this principal, NOT_ALLOWED when it may do less than that.
    """
    session = await _visible_session(request)
    if not allows(session.access, need):
        raise Refusal(NOT_ALLOWED, _LACKING[need])
    return session


_LACKING: Final[dict[Access, str]] = {
    "view": "You may not see this session.",
    "comment": "The session is shared with you to be looked at only.",
    "edit": "The session is shared with you without the right to change it.",
    "own": "Only the owner of the session may do this.",
}


async def _visible_session(request: Request) -> Session:
    session_id: str = request.path_params["session_id"]
    if SESSION_ID.fullmatch(session_id):
        services = services_of(request)
        user_id = principal_of(request).user_id
        try:
            record = await services.sessions.get(session_id)
        except SessionMissing:
            started = await services.workflows.started(session_id)
            if started is not None and started.user_id == user_id:
                return Session(session_id, None)
        else:
            if record.user_id == user_id:
                return Session(session_id, record)
            access = await services.shares.access_of(session_id, user_id)
            if access is not None:
                return Session(session_id, record, access)
    raise Refusal(NO_SESSION, "There is no session with this id.")
