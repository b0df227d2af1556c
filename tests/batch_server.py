"""A server that speaks the batch endpoints of OpenAI and Anthropic, and chat completions for the usual way."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tests.api.conftest import bound_socket, serve

End = Literal["completed", "failed", "expired", "cancelled", "call_failed"]


class BatchServer:
    """Batches stay at work until `finish`. `says` is what every model answers; `refuses` takes no batch."""

    def __init__(self, says: str = "An answer.") -> None:
        self.says = says
        self.refuses = False
        self.away = False
        self.batches: dict[str, dict[str, Any]] = {}
        self.files: dict[str, bytes] = {}
        self.direct = 0
        self.cancelled: list[str] = []
        self._names: dict[str, str] = {}
        self.app = Starlette(
            routes=[
                Route("/v1/files", self.upload, methods=["POST"]),
                Route("/v1/files/{id}/content", self.content),
                Route("/v1/batches", self.create, methods=["POST"]),
                Route("/v1/batches/{id}", self.show),
                Route("/v1/batches/{id}/cancel", self.cancel, methods=["POST"]),
                Route("/v1/messages/batches", self.create_messages, methods=["POST"]),
                Route("/v1/messages/batches/{id}", self.show_messages),
                Route("/v1/messages/batches/{id}/results", self.results),
                Route("/v1/messages/batches/{id}/cancel", self.cancel, methods=["POST"]),
                Route("/v1/chat/completions", self.complete, methods=["POST"]),
            ]
        )

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        async with serve(self.app, bound_socket()) as url:
            yield url

    def finish(self, end: End = "completed") -> None:
        """Everything that is at work ends so."""
        for batch in self.batches.values():
            batch["end"] = batch["end"] or end

    async def upload(self, request: Request) -> Response:
        if self.away:
            return Response(status_code=503)
        form = await request.form()
        assert form["purpose"] == "batch"
        file = form["file"]
        assert not isinstance(file, str)
        name = f"file-{len(self.files) + 1}"
        self.files[name] = await file.read()
        return JSONResponse({"id": name})

    async def create(self, request: Request) -> Response:
        if self.refuses:
            return JSONResponse({"error": {"message": "no batches"}}, 403)
        given = await request.json()
        [line] = self.files[given["input_file_id"]].splitlines()
        call = json.loads(line)
        assert (given["endpoint"], call["url"], call["method"]) == (call["url"], "/v1/chat/completions", "POST")
        return self._add(request, call["custom_id"], call["body"])

    async def create_messages(self, request: Request) -> Response:
        assert request.headers["anthropic-version"]
        [call] = (await request.json())["requests"]
        return self._add(request, call["custom_id"], call["params"])

    def _add(self, request: Request, name: str, body: dict[str, Any]) -> Response:
        assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name)
        key = request.headers["idempotency-key"]
        batch_id = self._names.setdefault(key, f"batch_{len(self._names) + 1}")
        self.batches.setdefault(batch_id, {"name": name, "body": body, "end": None})
        return JSONResponse({"id": batch_id, "status": "validating", "processing_status": "in_progress"})

    async def show(self, request: Request) -> Response:
        if self.away:
            return Response(status_code=503)
        batch_id = request.path_params["id"]
        end = self.batches[batch_id]["end"]
        done = end in ("completed", "call_failed")
        status = "completed" if done else end or "in_progress"
        return JSONResponse({"id": batch_id, "status": status, "output_file_id": f"out-{batch_id}" if done else None})

    async def show_messages(self, request: Request) -> Response:
        batch = self.batches[request.path_params["id"]]
        return JSONResponse({"processing_status": "ended" if batch["end"] else "in_progress"})

    async def content(self, request: Request) -> Response:
        batch = self.batches[request.path_params["id"].removeprefix("out-")]
        failed = {"status_code": 500, "body": {}}
        response = failed if batch["end"] == "call_failed" else {"status_code": 200, "body": self._answer()}
        other = json.dumps({"custom_id": "another", "response": failed})
        return PlainTextResponse(f"{other}\n{json.dumps({'custom_id': batch['name'], 'response': response})}\n")

    async def results(self, request: Request) -> Response:
        batch = self.batches[request.path_params["id"]]
        message = {
            "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-4-5",
            "stop_reason": "end_turn",
            "content": [{"type": "text", "text": self.says}], "usage": {"input_tokens": 1_000, "output_tokens": 100},
        }  # fmt: skip
        result = {"type": "succeeded", "message": message} if batch["end"] == "completed" else {"type": "expired"}
        return PlainTextResponse(json.dumps({"custom_id": batch["name"], "result": result}) + "\n")

    def _answer(self) -> dict[str, Any]:
        message = {"role": "assistant", "content": self.says}
        usage = {"prompt_tokens": 1_000, "completion_tokens": 100, "total_tokens": 1_100}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return {"id": "c-1", "object": "chat.completion", "model": "gpt-4.1", "choices": [choice], "usage": usage}

    async def cancel(self, request: Request) -> Response:
        batch_id = request.path_params["id"]
        self.cancelled.append(batch_id)
        self.batches[batch_id]["end"] = self.batches[batch_id]["end"] or "cancelled"
        return JSONResponse({"id": batch_id, "status": "cancelling"})

    async def complete(self, request: Request) -> Response:
        self.direct += 1
        await asyncio.sleep(0)
        usage = {"prompt_tokens": 1_000, "completion_tokens": 100, "total_tokens": 1_100}
        chunks: list[dict[str, Any]] = [
            {"choices": [{"index": 0, "delta": {"content": self.says}}]},
            {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
            {"choices": [], "usage": usage},
        ]
        text = "".join(f"data: {json.dumps({'id': 'c-2', 'model': 'gpt-4.1', **chunk})}\n\n" for chunk in chunks)
        return Response(f"{text}data: [DONE]\n\n", media_type="text/event-stream")
