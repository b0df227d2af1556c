"""The codec server of Temporal's web page and command line: opens what Temporal keeps encrypted, for operators, and
encrypts what they say to a session.

Who asks is known by a signed-in operator's cookie or token; the page that `stich up` starts, which can be told an
address only, has one that holds a ticket.
"""

import base64
import binascii
import hmac
from collections.abc import Sequence
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from temporalio.api.common.v1 import Payload

from api.audit import note
from api.endpoints import Answer, Endpoint, JsonResponse, body_of
from api.origins import CODEC_PATH
from api.problems import INVALID, NOT_FOUND, NOT_OPERATOR, Refusal
from api.services import services_of

LIMIT: Final = 16 * 1024 * 1024
"""Bytes of a request: a page of a history, in base64."""


class CodecPayload(BaseModel):
    """A payload as Temporal's JSON has it: base64 in `data` and in the values of `metadata`."""

    metadata: dict[str, str] = Field(default_factory=dict, max_length=100)
    data: str = ""


class CodecPayloads(BaseModel):
    """Body and answer of the codec server."""

    model_config = ConfigDict(extra="forbid")

    payloads: list[CodecPayload] = Field(default_factory=list, max_length=10_000)


async def decode(request: Request) -> Response:
    _check_ticket(request)
    codec = services_of(request).codec
    payloads = _given(request)
    try:
        decoded: Sequence[Payload] = await codec.decode(payloads) if codec is not None and payloads else payloads
    except ValueError:
        raise Refusal(INVALID, "A payload does not open with the keys of this service.") from None
    if payloads:
        await note(request, "payloads_opened", count=len(payloads))
    return JsonResponse(CodecPayloads(payloads=[_written(payload) for payload in decoded]))


async def encode(request: Request) -> Response:
    _check_ticket(request)
    codec = services_of(request).codec
    payloads = _given(request)
    encoded: Sequence[Payload] = await codec.encode(payloads) if codec is not None else payloads
    return JsonResponse(CodecPayloads(payloads=[_written(payload) for payload in encoded]))


def _check_ticket(request: Request) -> None:
    """Raises Refusal NOT_FOUND for an address with another ticket than ours. One without is for operators."""
    given: str | None = request.path_params.get("ticket")
    if given is None:
        return
    ticket = services_of(request).settings.codec_ticket
    if ticket is None or not hmac.compare_digest(given.encode(), ticket.get_secret_value().encode()):
        raise Refusal(NOT_FOUND, "There is nothing at this address.")


def _given(request: Request) -> list[Payload]:
    try:
        return [_read(payload) for payload in body_of(request, CodecPayloads).payloads]
    except (binascii.Error, ValueError):
        raise Refusal(INVALID, "The payloads are not in base64.") from None


def _read(payload: CodecPayload) -> Payload:
    metadata = {name: base64.b64decode(value) for name, value in payload.metadata.items()}
    return Payload(metadata=metadata, data=base64.b64decode(payload.data))


def _written(payload: Payload) -> CodecPayload:
    return CodecPayload(
        metadata={name: base64.b64encode(value).decode() for name, value in payload.metadata.items()},
        data=base64.b64encode(payload.data).decode(),
    )


class CodecOrigin:
    """Middleware: lets the page of Temporal, and no other, call the codec server from its own origin."""

    def __init__(self, app: ASGIApp, origin: str) -> None:
        self._app = app
        self._cors = CORSMiddleware(
            app,
            allow_origins=[origin],
            allow_methods=["POST"],
            allow_headers=["Authorization", "Content-Type", "X-Namespace"],
            allow_credentials=True,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        inside = scope["type"] == "http" and scope["path"].startswith(CODEC_PATH)
        await (self._cors if inside else self._app)(scope, receive, send)


EXAMPLE = CodecPayloads(payloads=[CodecPayload(metadata={"encoding": "anNvbi9wbGFpbg=="}, data="e30=")])


def _endpoint(verb: Literal["decode", "encode"], summary: str, *, by_ticket: bool) -> Endpoint:
    """The route for signed-in operators, or the one for whoever was told the address with the ticket."""
    how = "readable" if verb == "decode" else "encrypted"
    return Endpoint(
        method="POST",
        path=f"/codec/{{ticket}}/{verb}" if by_ticket else f"/codec/{verb}",
        handler=decode if verb == "decode" else encode,
        name=f"{verb}_payloads_with_ticket" if by_ticket else f"{verb}_payloads",
        summary=summary,
        body=CodecPayloads,
        body_limit=LIMIT,
        body_example=EXAMPLE,
        answer=Answer(description=f"The payloads, {how}, in the same order.", schema=CodecPayloads, example=EXAMPLE),
        problems=(NOT_FOUND,) if by_ticket else (NOT_OPERATOR,),
        open=by_ticket,
        scope=None if by_ticket else "operator",
    )


ENDPOINTS: Final = (
    _endpoint("decode", "Open encrypted payloads for Temporal's web page", by_ticket=False),
    _endpoint("decode", "The same for the page that `stich up` starts, which is told this address", by_ticket=True),
    _endpoint("encode", "Encrypt what an operator says to a session by Temporal's tools", by_ticket=False),
    _endpoint("encode", "The same for the page that `stich up` starts", by_ticket=True),
)
