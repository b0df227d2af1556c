"""The demo model's HTTP service: the OpenAI chat-completions protocol over recorded sessions."""

import itertools
import time

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from schemas.recording import RecordedError
from stich.demo import wire
from stich.demo.conductor import Conductor
from stich.demo.faults import FaultPlan, Faults
from stich.demo.library import Library
from stich.demo.playback import Playback, error_response, read_body
from stich.demo.prompt import ChatRequest, Message, read_metadata, read_prompt
from stich.demo.request_log import RequestLog

MODEL = "demo"
_LARGEST_BODY = 32 * 1024 * 1024


class DemoModel:
    """One demo server: its recordings, its pace, its faults and its log.

    rate: tokens a second, None for no delay. control: also serve `/__control`, which tests use to set faults and to
    read the request log. conductor: says when each request is answered, where a session is played again.
    """

    def __init__(
        self,
        library: Library,
        *,
        rate: float | None,
        faults: FaultPlan | None = None,
        control: bool = False,
        conductor: Conductor | None = None,
    ) -> None:
        self.library = library
        self.rate = rate
        self.faults = Faults(faults)
        self.log = RequestLog()
        self._conductor = conductor
        self._ids = itertools.count(1)
        routes = [
            Route("/v1/chat/completions", self.complete, methods=["POST"]),
            Route("/v1/models", self.models),
            Route("/healthz", self.healthy),
        ]
        if control:
            routes += [
                Route("/__control/faults", self.set_faults, methods=["PUT"]),
                Route("/__control/requests", self.requests),
                Route("/__control/requests", self.forget_requests, methods=["DELETE"]),
            ]
        self.app = Starlette(routes=routes)

    async def complete(self, request: Request) -> Response:
        """Answer a chat completion from the recordings."""
        body = await read_body(request, _LARGEST_BODY)
        if body is None:
            return _bad_request(f"the request is larger than {_LARGEST_BODY} bytes", 413)
        try:
            chat = ChatRequest.model_validate_json(body)
        except ValidationError as error:
            first = error.errors()[0]
            return _bad_request(f"{'.'.join(map(str, first['loc'])) or 'body'}: {first['msg']}")
        if not chat.messages:
            return _bad_request("messages: at least one is needed")
        metadata = read_metadata(request.headers.get("x-stich-metadata"))
        prompt = read_prompt(chat, metadata)
        entry = self.log.open(metadata, prompt)
        reply, found = self.library.answer(prompt)
        if found:
            entry.recording, entry.exchange, entry.exact = found.recording, found.exchange, found.exact
        if self._conductor is not None:
            await self._conductor.may_answer(found.exchange if found else None, entry)
        limits = [limit for limit in (chat.max_tokens, chat.max_completion_tokens) if limit is not None]
        shortened = wire.cut_to_length(reply, min(limits, default=None))
        usage = shortened.usage if shortened is reply else None
        fault = self.faults.next(prompt.action, prompt.session)
        entry.fault = fault.kind if fault else None
        return Playback(
            shortened,
            usage or wire.estimate_usage(_instructions(chat.messages), prompt.text, shortened),
            wire.Completion(f"chatcmpl-demo-{next(self._ids)}", chat.model, int(time.time())),
            stream=chat.stream,
            include_usage=chat.stream_options is not None and chat.stream_options.include_usage,
            rate=self.rate,
            fault=fault,
            entry=entry,
            headers={"x-stich-demo": "recorded"} if found else {"x-stich-demo": "no-recording"},
        )

    async def models(self, _: Request) -> Response:
        return JSONResponse(
            {"object": "list", "data": [{"id": MODEL, "object": "model", "created": 0, "owned_by": "stich"}]}
        )

    async def healthy(self, _: Request) -> Response:
        titles = [recording.title for recording in self.library.recordings]
        return JSONResponse({"status": "ok", "recordings": titles})

    async def set_faults(self, request: Request) -> Response:
        """Replace the fault plan; an empty one heals the server."""
        try:
            self.faults.replace(FaultPlan.model_validate_json(await request.body()))
        except ValidationError as error:
            return _bad_request(str(error))
        return Response(status_code=204)

    async def requests(self, _: Request) -> Response:
        return JSONResponse({"requests": [entry.model_dump() for entry in self.log.all()]})

    async def forget_requests(self, _: Request) -> Response:
        self.log.clear()
        return Response(status_code=204)


def _instructions(messages: list[Message]) -> str:
    return "\n".join(message.text for message in messages if message.role in ("system", "developer"))


def _bad_request(message: str, status: int = 400) -> Response:
    return error_response(RecordedError(status=status, message=message, type="invalid_request_error"), {})
