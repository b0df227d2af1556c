"""A real HTTP server that answers model calls in all three dialects, well or in every bad way a provider has.

The first segment of the path says how: `/429_seconds/v1/chat/completions`. Several, joined by commas, answer one
request each, the last one from then on: `/503,ok/...`. The dialect follows from the rest of the path.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import TracebackType
from typing import Any, Self

TEXT = ("Once ", "upon ", "a ", "time.")
FOREVER = 3_600.0


@dataclass
class Seen:
    """One request as it came, and when its connection was closed by the other side (seconds, monotonic)."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    closed_at: float | None = None
    closed: asyncio.Event = field(default_factory=asyncio.Event)


class Connection:
    """The answering side of one request."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, dialect: str) -> None:
        self.reader, self.writer, self.dialect = reader, writer, dialect

    async def head(self, status: int = 200, content_type: str = "text/event-stream", **headers: str) -> None:
        lines = [f"HTTP/1.1 {status} X", f"content-type: {content_type}", "transfer-encoding: chunked"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        await self.writer.drain()

    async def send(self, data: bytes) -> None:
        self.writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        await self.writer.drain()

    async def end(self) -> None:
        self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()

    async def json(self, status: int, body: object, **headers: str) -> None:
        await self.head(status, "application/json", **headers)
        await self.send(json.dumps(body).encode())
        await self.end()


# --- well-formed answers ---------------------------------------------------------------------------------------------


def _sse(event: object, name: str = "") -> bytes:
    return (f"event: {name}\n" if name else "").encode() + b"data: " + json.dumps(event).encode() + b"\n\n"


def opening(dialect: str) -> list[bytes]:
    """The events before the first text."""
    if dialect == "anthropic":
        message = {"id": "m1", "type": "message", "role": "assistant", "model": "served", "content": []}
        message |= {"stop_reason": None, "usage": {"input_tokens": 12, "output_tokens": 1}}
        block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
        return [
            _sse({"type": "message_start", "message": message}, "message_start"),
            _sse(block, "content_block_start"),
        ]
    return []


def text(dialect: str, piece: str) -> bytes:
    """One event with a piece of text."""
    match dialect:
        case "anthropic":
            delta = {"type": "text_delta", "text": piece}
            return _sse({"type": "content_block_delta", "index": 0, "delta": delta}, "content_block_delta")
        case "google":
            return _sse({"candidates": [{"content": {"parts": [{"text": piece}], "role": "model"}}]})
        case _:
            return _sse({"id": "c1", "model": "served", "choices": [{"index": 0, "delta": {"content": piece}}]})


def closing(dialect: str, reason: str = "stop") -> list[bytes]:
    """The events after the last text. `reason` is stop, length or refusal."""
    match dialect:
        case "anthropic":
            raw = {"stop": "end_turn", "length": "max_tokens", "refusal": "refusal"}[reason]
            ended = {"type": "message_delta", "delta": {"stop_reason": raw}, "usage": {"output_tokens": 4}}
            return [
                _sse({"type": "content_block_stop", "index": 0}, "content_block_stop"),
                _sse(ended, "message_delta"),
                _sse({"type": "message_stop"}, "message_stop"),
            ]
        case "google":
            raw = {"stop": "STOP", "length": "MAX_TOKENS", "refusal": "SAFETY"}[reason]
            usage = {"promptTokenCount": 12, "candidatesTokenCount": 4, "totalTokenCount": 16}
            return [_sse({"candidates": [{"finishReason": raw}], "usageMetadata": usage, "modelVersion": "served"})]
        case _:
            raw = {"stop": "stop", "length": "length", "refusal": "content_filter"}[reason]
            usage = {"prompt_tokens": 12, "completion_tokens": 4}
            return [
                _sse({"choices": [{"index": 0, "delta": {}, "finish_reason": raw}]}),
                _sse({"choices": [], "usage": usage}),
                b"data: [DONE]\n\n",
            ]


def whole(dialect: str, answer: str) -> dict[str, Any]:
    """The same answer in one piece."""
    match dialect:
        case "anthropic":
            usage = {"input_tokens": 12, "output_tokens": 4}
            return {"content": [{"type": "text", "text": answer}], "stop_reason": "end_turn", "usage": usage}
        case "google":
            return {
                "candidates": [{"content": {"parts": [{"text": answer}]}, "finishReason": "STOP"}],
                "usageMetadata": {"promptTokenCount": 12, "candidatesTokenCount": 4},
            }
        case _:
            choice = {"message": {"role": "assistant", "content": answer}, "finish_reason": "stop"}
            return {"choices": [choice], "usage": {"prompt_tokens": 12, "completion_tokens": 4}}


async def say(connection: Connection, pieces: tuple[str, ...] = TEXT, reason: str = "stop") -> None:
    """Stream `pieces` and finish."""
    await connection.head()
    for event in [
        *opening(connection.dialect),
        *(text(connection.dialect, piece) for piece in pieces),
        *closing(connection.dialect, reason),
    ]:
        await connection.send(event)
    await connection.end()


@dataclass(frozen=True)
class Calls:
    """An answer with calls of tools, each a name with its arguments."""

    said: str
    calls: tuple[tuple[str, dict[str, Any]], ...]


class Cut(str):
    """An answer that the output limit cut."""


async def _say_next(connection: Connection, answer: str | Calls) -> None:
    if isinstance(answer, str):
        await say(connection, (answer,), "length" if isinstance(answer, Cut) else "stop")
        return
    await connection.head()
    await connection.send(text("openai", answer.said))
    for index, (name, arguments) in enumerate(answer.calls):
        function = {"name": name, "arguments": json.dumps(arguments)}
        call = {"index": index, "id": f"call_{index}_{name}", "type": "function", "function": function}
        await connection.send(_sse({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}))
    await connection.send(_sse({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}))
    await connection.send(_sse({"choices": [], "usage": {"prompt_tokens": 12, "completion_tokens": 4}}))
    await connection.send(b"data: [DONE]\n\n")
    await connection.end()


async def begin(connection: Connection) -> None:
    """Stream the beginning of an answer."""
    await connection.head()
    for event in (*opening(connection.dialect), *(text(connection.dialect, piece) for piece in TEXT[:2])):
        await connection.send(event)


# --- bad ones --------------------------------------------------------------------------------------------------------


def error_body(dialect: str, status: int, kind: str, message: str) -> dict[str, Any]:
    match dialect:
        case "anthropic":
            return {"type": "error", "error": {"type": kind, "message": message}}
        case "google":
            return {"error": {"code": status, "status": kind.upper(), "message": message}}
        case _:
            return {"error": {"type": kind, "code": kind, "message": message}}


def status(code: int, kind: str, message: str, **headers: str) -> Callable[[Connection], Awaitable[None]]:
    async def answer(connection: Connection) -> None:
        await connection.json(code, error_body(connection.dialect, code, kind, message), **headers)

    return answer


async def _date(connection: Connection) -> None:
    when = format_datetime(datetime.now(UTC) + timedelta(seconds=3), usegmt=True)
    await status(429, "rate_limit_error", "Slow down.", retry_after=when)(connection)


async def _hang_before(connection: Connection) -> None:
    await asyncio.sleep(FOREVER)


async def _hang_after_headers(connection: Connection) -> None:
    await connection.head()
    await asyncio.sleep(FOREVER)


async def _hang_middle(connection: Connection) -> None:
    await begin(connection)
    await asyncio.sleep(FOREVER)


async def _pings(connection: Connection) -> None:
    await begin(connection)
    while True:
        await connection.send(b": still here\n\n")
        await asyncio.sleep(0.05)


async def _cut_mid_event(connection: Connection) -> None:
    await begin(connection)
    await connection.send(text(connection.dialect, "half")[:25])


async def _cut_clean_mid_event(connection: Connection) -> None:
    await _cut_mid_event(connection)
    await connection.end()


async def _no_finish(connection: Connection) -> None:
    await begin(connection)
    await connection.end()


async def _malformed(connection: Connection) -> None:
    await begin(connection)
    await connection.send(b'data: {"choices": [{"delta": }]}\n\n')
    await asyncio.sleep(FOREVER)


async def _html(connection: Connection) -> None:
    await connection.head(200, "text/html")
    await connection.send(b"<html><body>Please sign in to the hotel network.</body></html>")
    await connection.end()


async def _huge_line(connection: Connection) -> None:
    await begin(connection)
    await connection.send(b"data: ")
    for _ in range(64):
        await connection.send(b"x" * 1024 * 1024)
    await asyncio.sleep(FOREVER)


async def _drip(connection: Connection) -> None:
    await connection.head()
    events = [*opening(connection.dialect), text(connection.dialect, "drop"), *closing(connection.dialect)]
    for byte in b"".join(events):
        await connection.send(bytes([byte]))
    await connection.end()


async def _whole(connection: Connection) -> None:
    await connection.json(200, whole(connection.dialect, "".join(TEXT)))


async def _error_in_stream(connection: Connection) -> None:
    await begin(connection)
    body = error_body(connection.dialect, 529, "overloaded_error", "Overloaded")
    await connection.send(_sse(body, "error"))
    await connection.end()


async def _reset(connection: Connection) -> None:
    connection.writer.transport.abort()


async def _endless(connection: Connection) -> None:
    await connection.head()
    for event in opening(connection.dialect):
        await connection.send(event)
    while True:
        await connection.send(text(connection.dialect, "more "))
        await asyncio.sleep(0.01)


LEAKY = "Incorrect API key provided: sk-proj-abcdefghijklmnop1234567890."

FAULTS: dict[str, Callable[[Connection], Awaitable[None]]] = {
    "ok": say,
    "whole": _whole,
    "length": lambda connection: say(connection, reason="length"),
    "refusal": lambda connection: say(connection, ("I ",), reason="refusal"),
    "429_seconds": status(429, "rate_limit_error", "Slow down.", retry_after="2"),
    "429_date": _date,
    "429_long": status(429, "rate_limit_error", "Slow down.", retry_after="600"),
    "429_reset": status(
        429,
        "rate_limit_error",
        "Slow down.",
        x_ratelimit_remaining_requests="0",
        x_ratelimit_reset_requests="1m2s",
        x_ratelimit_remaining_tokens="10",
        x_ratelimit_reset_tokens="9h",
    ),
    "500": status(500, "api_error", "Internal error."),
    "503": status(503, "unavailable", "Unavailable."),
    "529": status(529, "overloaded_error", "Overloaded."),
    "hang_before": _hang_before,
    "hang_after_headers": _hang_after_headers,
    "hang_middle": _hang_middle,
    "pings": _pings,
    "cut_mid_event": _cut_mid_event,
    "cut_clean_mid_event": _cut_clean_mid_event,
    "no_finish": _no_finish,
    "malformed": _malformed,
    "html": _html,
    "huge_line": _huge_line,
    "drip": _drip,
    "error_in_stream": _error_in_stream,
    "reset": _reset,
    "endless": _endless,
    "302": status(302, "moved", "Elsewhere.", location="http://127.0.0.1:1/elsewhere"),
    "401": status(401, "authentication_error", LEAKY),
    "402": status(402, "billing_error", "Payment required."),
    "404": status(404, "not_found_error", "No such model."),
    "400": status(400, "invalid_request_error", "Unknown parameter."),
    "400_context": status(
        400, "invalid_request_error", "This model's maximum context length is 8192 tokens; prompt is too long."
    ),
    "gateway": lambda connection: connection.json(
        401, {"success": False, "result": [], "messages": [], "error": [{"code": 2009, "message": "Unauthorized"}]}
    ),
}


class FaultServer:
    """`async with FaultServer() as server`; `server.url("503")` is a base URL. `server.seen` are the requests.

    `answers` are texts that requests to `/answers/...` are answered with, one each; or tool calls, in OpenAI's words.
    """

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.answers: list[str | Calls] = []
        self._counts: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def url(self, faults: str, suffix: str = "") -> str:
        return f"http://127.0.0.1:{self.port}/{faults}{suffix}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            async for seen in self._requests(reader):
                if not await self._answer(seen, reader, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _requests(self, reader: asyncio.StreamReader) -> AsyncIterator[Seen]:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:]) if name}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            seen = Seen(head[0].split(" ")[1], headers, json.loads(body) if body else {})
            self.seen.append(seen)
            yield seen

    async def _answer(self, seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; False where the connection is to be closed. The other side's closing ends the answer."""
        faults = seen.path.split("/")[1].split(",")
        position = self._counts[seen.path.split("/")[1]]
        self._counts[seen.path.split("/")[1]] += 1
        name = faults[min(position, len(faults) - 1)]
        dialect = "anthropic" if "/messages" in seen.path else "google" if "Content" in seen.path else "openai"
        connection = Connection(reader, writer, dialect)
        answer = FAULTS[name](connection) if name != "answers" else _say_next(connection, self.answers.pop(0))
        answering = asyncio.ensure_future(answer)
        watching = asyncio.create_task(self._closed(seen, reader, writer))
        await asyncio.wait({answering, watching}, return_when=asyncio.FIRST_COMPLETED)
        finished = answering.done()
        for task in (answering, watching):
            task.cancel()
        results = await asyncio.gather(answering, watching, return_exceptions=True)
        if isinstance(results[0], Exception) and not isinstance(results[0], ConnectionError):
            raise results[0]
        return finished and not name.startswith(("cut_mid", "reset"))

    async def _closed(self, seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not (reader.at_eof() or reader.exception() or writer.transport.is_closing()):  # noqa: ASYNC110 (no event for it)
            await asyncio.sleep(0.01)
        seen.closed_at = time.monotonic()
        seen.closed.set()
