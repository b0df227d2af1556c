"""Sending one reply at a model's pace, over a connection that may be cut from either side."""

import asyncio
import time
from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

from schemas.recording import RecordedError, RecordedUsage, Reply
from stich.demo import wire
from stich.demo.faults import (
    AnyFault,
    CutFault,
    DripFault,
    EndEarlyFault,
    HangFault,
    LineFault,
    MalformedFault,
    PageFault,
    RefusalFault,
    StallFault,
    StatusFault,
)
from stich.demo.request_log import LoggedRequest

TOKENS_PER_SECOND = 80.0
_THINKING = 32  # tokens of silence before the first one, at the same pace
_UNPACED_PIECE = 64  # tokens a frame when nothing holds the stream back
_SHORTEST_SLEEP = 0.004
_LEAVES_WITHIN = 600.0  # seconds that a caller has who is to go away, as the recorded one did


def pace(speed: str) -> float | None:
    """Tokens a second for a `STICH_DEMO_SPEED` value; None means without any delay.

    Raises:
        ValueError: the value is neither `instant` nor a number from 0 up.
    """
    if speed.strip().lower() in ("instant", "0"):
        return None
    try:
        factor = float(speed)
    except ValueError:
        factor = -1.0
    if not 0 <= factor < 1e6:
        raise ValueError(f"STICH_DEMO_SPEED must be a number from 0 up or 'instant', not {speed!r}")
    return TOKENS_PER_SECOND * factor or None


class Playback(Response):
    """An ASGI response that plays one reply and writes into the request log how it ended."""

    def __init__(
        self,
        reply: Reply,
        usage: RecordedUsage,
        completion: wire.Completion,
        *,
        stream: bool,
        include_usage: bool,
        rate: float | None,
        fault: AnyFault | None,
        entry: LoggedRequest,
        headers: dict[str, str],
    ) -> None:
        super().__init__()  # only so that Starlette's routes accept it; sending is all done here
        self._reply = _refused(reply, fault.after_chars) if isinstance(fault, RefusalFault) else reply
        self._usage = entry.usage = usage
        self._completion = completion
        self._stream = stream
        self._include_usage = include_usage
        self._rate = fault.tokens_per_second if isinstance(fault, DripFault) else rate
        self._fault = fault
        self._entry = entry
        self._fields = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        playing = asyncio.ensure_future(self._play(scope, receive, send))
        leaving = asyncio.ensure_future(_client_gone(receive))
        try:
            await asyncio.wait({playing, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not playing.done():
                self._entry.end("aborted")
                return
            try:
                playing.result()
            except OSError:  # the client left while a frame was on its way
                self._entry.end("aborted")
        finally:
            for task in (playing, leaving):
                task.cancel()
            await asyncio.gather(playing, leaving, return_exceptions=True)
            self._entry.end("broken")  # only if nothing else was recorded: the server itself is going down

    async def _play(self, scope: Scope, receive: Receive, send: Send) -> None:
        if isinstance(self._fault, HangFault):
            await asyncio.sleep(self._fault.seconds)
        error = self._fault.error() if isinstance(self._fault, StatusFault) else self._reply.error
        if error is not None:
            self._entry.status = error.status
            await error_response(error, self._fields)(scope, receive, send)
            self._entry.end("refused")
        elif isinstance(self._fault, PageFault):
            self._entry.status = 200
            await HTMLResponse("<!doctype html><title>Sign in</title>", headers=self._fields)(scope, receive, send)
            self._entry.end("broken")
        elif self._stream:
            self._entry.status = 200
            await self._play_stream(send)
        else:
            self._entry.status = 200
            await self._play_whole(send)

    async def _play_whole(self, send: Send) -> None:
        if self._rate:
            await asyncio.sleep((_THINKING + self._usage.completion_tokens) / self._rate)
        body = wire.frame(self._completion.whole(self._reply, self._usage))[len(b"data: ") :].strip()
        fault = self._fault
        if isinstance(fault, MalformedFault):
            body = body[: min(len(body) - 2, max(fault.after_chars, 1))]
        await _start(send, self._fields, "application/json", len(body))
        if isinstance(fault, StallFault):
            await asyncio.sleep(fault.seconds)
        if isinstance(fault, (CutFault, EndEarlyFault)):
            await _body(send, body[: len(body) // 2])
            self._entry.end("broken")
            return  # less than the announced length: the server closes the connection
        await _body(send, body, more=False)
        self._entry.characters = len(self._reply.text or "")
        self._entry.end("completed")

    async def _play_stream(self, send: Send) -> None:
        await _start(send, {**self._fields, "cache-control": "no-cache"}, "text/event-stream", None)
        fault = self._fault
        turns = (StallFault, CutFault, EndEarlyFault, MalformedFault, LineFault)
        turn = fault.after_chars if isinstance(fault, turns) else None
        metronome = _Metronome(self._rate)
        reply = self._reply
        if isinstance(fault, MalformedFault) and fault.where == "content":
            reply = reply.model_copy(update={"text": (reply.text or "")[: fault.after_chars] + '", {'})
            turn = None
        for run in _runs(wire.pieces(reply), metronome):
            if turn is not None and self._entry.characters >= turn:
                if await self._misbehave(send):
                    return
                turn = None
                metronome.restart()
            await metronome.wait()
            await _body(send, wire.frame(self._completion.chunk(run.delta)))
            self._entry.characters += run.text
        if turn is not None and await self._misbehave(send):  # the reply was shorter than the fault expected
            return
        if reply.ends is not None:
            if reply.ends == "left":
                await asyncio.sleep(_LEAVES_WITHIN)
            self._entry.end("broken")
            return  # unfinished: the server closes the connection
        await _body(send, wire.frame(self._completion.chunk({}, reply.finish)))
        if self._include_usage:
            await _body(send, wire.frame(self._completion.usage_chunk(self._usage)))
        await _body(send, wire.DONE, more=False)
        self._entry.end("completed")

    async def _misbehave(self, send: Send) -> bool:
        """Do what the fault says; True when the stream is over."""
        match self._fault:
            case StallFault(seconds=seconds):
                await asyncio.sleep(seconds)
                return False
            case MalformedFault():
                await _body(send, b'data: {"id": "chatcmpl-demo", "choices": [{"delta": {"content": "\n\n')
                await _body(send, b"", more=False)
            case EndEarlyFault():
                await _body(send, b"", more=False)
            case LineFault(megabytes=megabytes):
                for _ in range(megabytes * 16):
                    await _body(send, b"x" * 65_536)
                await _body(send, b"", more=False)
            case _:  # the response stays unfinished, so the server closes the connection
                await _body(send, b'data: {"id": "chatcmpl-demo", "choi')
        self._entry.end("broken")
        return True


def error_response(error: RecordedError, headers: dict[str, str]) -> Response:
    """The OpenAI error answer."""
    return JSONResponse(wire.error_json(error), error.status, {**headers, **error.headers})


def _refused(reply: Reply, after_chars: int) -> Reply:
    text = (reply.text or "")[:after_chars]
    return reply.model_copy(update={"text": text, "tool_calls": [], "finish_reason": "content_filter", "error": None})


class _Metronome:
    """When the next token is due; a slow client does not make the server catch up faster than its pace."""

    def __init__(self, rate: float | None) -> None:
        self._rate = rate
        self._due = time.monotonic() + (_THINKING / rate if rate else 0)

    def restart(self) -> None:
        self._due = time.monotonic()

    def due(self) -> int:
        """How many tokens may go out together now, at least one."""
        if self._rate is None:
            return _UNPACED_PIECE
        return max(1, min(_UNPACED_PIECE, int((time.monotonic() - self._due) * self._rate)))

    def take(self, count: int) -> None:
        if self._rate is not None:
            self._due = max(self._due, time.monotonic() - 1) + count / self._rate

    async def wait(self) -> None:
        delay = self._due - time.monotonic() if self._rate else 0
        await asyncio.sleep(delay if delay > _SHORTEST_SLEEP else 0)


def _runs(stream: Iterator[wire.Piece], metronome: _Metronome) -> Iterator[wire.Piece]:
    """Pieces as they are due: one by one at a model's pace, several in one frame when the pace is faster."""
    held: list[wire.Piece] = []
    wanted = 1
    for piece in stream:
        same = held and wire.joinable(piece) is not None and wire.joinable(piece) == wire.joinable(held[0])
        if held and (not same or len(held) >= wanted):
            metronome.take(len(held))
            yield wire.join(held) if len(held) > 1 else held[0]
            held = []
        if not held:
            wanted = metronome.due()
        held.append(piece)
    if held:
        metronome.take(len(held))
        yield wire.join(held) if len(held) > 1 else held[0]


async def _start(send: Send, headers: dict[str, str], content_type: str, length: int | None) -> None:
    fields = {**headers, "content-type": content_type}
    if length is not None:
        fields["content-length"] = str(length)
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": 200, "headers": raw})


async def _body(send: Send, body: bytes, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def _client_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def read_body(request: Request, limit: int) -> bytes | None:
    """The request's body, or None when it is larger than `limit` bytes."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > limit:
            return None
    return bytes(body)
