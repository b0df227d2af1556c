"""Messages to a session over HTTP: say something, say something else instead, take it back."""

import re
import secrets
from collections.abc import Awaitable
from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import Response

from api.access import Session, session_of
from api.auth import principal_of
from api.bodies import PROMPT_LIMIT
from api.endpoints import ANSWER_SECONDS, Answer, Endpoint, JsonResponse, body_of, within
from api.examples import EXAMPLE_TIME
from api.images import as_ref, uploaded
from api.problems import (
    AWAY,
    MESSAGE_ID_REUSED,
    NO_IMAGE,
    NO_MESSAGE,
    NO_SESSION,
    NO_WORKER,
    NOT_NOW,
    SESSION_ENDED,
    Refusal,
)
from api.services import Services, services_of
from api.session_workflows import CARRY_OUT_SECONDS
from schemas.http import (
    EditMessage,
    MessageAccepted,
    PostMessage,
)
from schemas.secrets import masked_in
from schemas.session import (
    ImageRef,
    MessageEdit,
    QueuedMessage,
    UserMessage,
)
from storage.database import is_transient
from storage.messages import Claim

NOTE_SECONDS: Final = 0.5
MESSAGE_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


log: structlog.stdlib.BoundLogger = structlog.get_logger("api")


async def post_message(request: Request) -> Response:
    body = body_of(request, PostMessage)
    session = await session_of(request, "edit" if body.interrupt else "comment")
    services, author = services_of(request), principal_of(request).user_id
    message = UserMessage(
        id=body.id or f"m-{secrets.token_hex(10)}",
        text=body.text,
        interrupt=body.interrupt,
        author=author,
        author_name=principal_of(request).name or None,
        images=await uploaded(services, author, body.image_ids),
    )
    claim: Claim = "given" if body.id is None else await services.messages.claim(session.id, message)
    if claim in _REUSED:
        raise Refusal(MESSAGE_ID_REUSED, _REUSED[claim])
    if claim == "given":
        await services.workflows.send(session.id, message)
        await _noted(services.messages.receive(session.id, message))
    return JsonResponse(MessageAccepted(id=message.id, masked=masked_in(message.text)), status_code=202)


_REUSED: Final[dict[Claim, str]] = {
    "taken": "This id was used for a message that says something else. Nothing was changed.",
    "withdrawn": "The message with this id was withdrawn. Nothing was changed.",
}


async def edit_message(request: Request) -> Response:
    session, services = await _session_of_sender(request), services_of(request)
    body = body_of(request, EditMessage)
    images = await within(ANSWER_SECONDS, _images_of_edit(request, services, session, body))
    edit = MessageEdit(id=_message_id(request), text=body.text, images=images)
    return JsonResponse(await services.workflows.edit_message(session.id, edit))


async def withdraw_message(request: Request) -> Response:
    session, services = await _session_of_sender(request), services_of(request)
    message = await services.workflows.withdraw_message(session.id, _message_id(request))
    await _noted(services.messages.withdrawn(session.id, message.id))
    return JsonResponse(message)


async def _noted(work: Awaitable[None]) -> None:
    """Write down what the session has agreed to. Where that cannot be done now, its worker does it a little later."""
    try:
        await within(NOTE_SECONDS, work)
    except Exception as error:
        if not (isinstance(error, Refusal) or is_transient(error)):
            raise
        log.warning("a message is not noted", error=f"{type(error).__name__}: {error}"[:300])


def _message_id(request: Request) -> str:
    message_id: str = request.path_params["message_id"]
    if not MESSAGE_ID.fullmatch(message_id):
        raise Refusal(NO_MESSAGE, "The session has no such message.")
    return message_id


async def _session_of_sender(request: Request) -> Session:
    """The session of a message that the principal may change: its own, or any where it may edit the session."""
    session = await within(ANSWER_SECONDS, session_of(request, "comment"))
    message_id, services = _message_id(request), services_of(request)
    author = await within(ANSWER_SECONDS, services.messages.author(session.id, message_id))
    if author is not None and author != principal_of(request).user_id:
        session = await within(ANSWER_SECONDS, session_of(request, "edit"))
    return session


async def _images_of_edit(request: Request, services: Services, session: Session, body: EditMessage) -> list[ImageRef]:
    """The pictures of an edited message: those that it shows already, whoever sent them, and the editor's own."""
    shown = {image.id: image for image in await services.images.of_messages(session.id, [_message_id(request)])}
    new = [image_id for image_id in body.image_ids if image_id not in shown]
    own = {image.id: image for image in await uploaded(services, principal_of(request).user_id, new)}
    return [own.get(image_id) or as_ref(shown[image_id]) for image_id in body.image_ids]


EXAMPLE_QUEUED: Final = QueuedMessage(id="m-1", text="Add dark mode", author="local", at=EXAMPLE_TIME)

ENDPOINTS: Final = (
    Endpoint(
        method="POST",
        path="/api/sessions/{session_id}/messages",
        handler=post_message,
        name="post_message",
        summary="Say something to a session; it is kept even while no worker runs",
        body=PostMessage,
        body_limit=PROMPT_LIMIT,
        body_example=PostMessage(text="Add dark mode"),
        answer=Answer(
            status=202, description="The session has it.", schema=MessageAccepted, example=MessageAccepted(id="m-1")
        ),
        problems=(NO_SESSION, MESSAGE_ID_REUSED, NO_IMAGE, SESSION_ENDED, *AWAY),
    ),
    Endpoint(
        method="PUT",
        path="/api/sessions/{session_id}/messages/{message_id}",
        handler=edit_message,
        name="edit_message",
        summary="Say something else instead, as long as nobody has taken the message up",
        body=EditMessage,
        body_limit=PROMPT_LIMIT,
        body_example=EditMessage(text="Add dark mode, and a switch for it"),
        answer=Answer(description="The message as it stands.", schema=QueuedMessage, example=EXAMPLE_QUEUED),
        problems=(NO_SESSION, NO_MESSAGE, NO_IMAGE, NOT_NOW, SESSION_ENDED, NO_WORKER, *AWAY),
        seconds=ANSWER_SECONDS + CARRY_OUT_SECONDS,
    ),
    Endpoint(
        method="DELETE",
        path="/api/sessions/{session_id}/messages/{message_id}",
        handler=withdraw_message,
        name="withdraw_message",
        summary="Take a message back, as long as nobody has taken it up",
        answer=Answer(description="The message, withdrawn.", schema=QueuedMessage, example=EXAMPLE_QUEUED),
        problems=(NO_SESSION, NO_MESSAGE, NOT_NOW, SESSION_ENDED, NO_WORKER, *AWAY),
        seconds=ANSWER_SECONDS + CARRY_OUT_SECONDS,
    ),
)
