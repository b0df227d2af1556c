"""The HTTP client against a real server that misbehaves."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from schemas.http import CreateSession, PostMessage, SessionSnapshot
from schemas.session import Progress, StateInfo
from stich.client import Sequenced, StichClient, StichHttpError, StichUnreachable
from stich.client_history import History
from stich.client_sync import HistorySync, StichClientSync, WebhooksSync
from stich.client_webhooks import Webhooks
from stich.home import listen
from stich.serving import serving

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TOKEN = "t" * 20


def snapshot(last_seq: int) -> str:
    state = StateInfo(name="generating", since=NOW, reason="Writing.")
    progress = Progress(
        session_id="s", title="T", prompt="p", mode="deterministic", state=state, created_at=NOW, last_seq=last_seq
    )
    return SessionSnapshot(progress=progress, conversation=[]).model_dump_json()


def frame(seq: int, text: str) -> bytes:
    data = {"operation_id": "o", "path": "a.ts", "offset": 0, "text": text, "format": "full_content"}
    return f"id: {seq}\nevent: file_chunk\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


class Service:
    """Plays one stream after the other, and notes what it was asked."""

    def __init__(self, streams: list[list[bytes]]) -> None:
        self.streams = streams
        self.last_ids: list[str | None] = []
        self.requests: list[tuple[str, bytes, str | None]] = []
        self.failures: list[int] = []
        self.retry_after = "1"
        self.app = Starlette(
            routes=[
                Route("/api/sessions/{id}/events", self.events),
                Route("/{path:path}", self.other, methods=["GET", "POST"]),
            ]
        )

    async def events(self, request: Request) -> Response:
        self.last_ids.append(request.headers.get("last-event-id"))
        if request.headers["authorization"] != f"Bearer {TOKEN}":
            return JSONResponse({}, 401)
        if self.failures:
            return JSONResponse({}, self.failures.pop(0), {"Retry-After": self.retry_after})
        if not self.streams:
            return JSONResponse({"no": "problem"}, 404)

        async def body(pieces: list[bytes]) -> AsyncIterator[bytes]:
            for piece in pieces:
                yield piece
                await asyncio.sleep(0)

        return StreamingResponse(body(self.streams.pop(0)), media_type="text/event-stream")

    async def other(self, request: Request) -> Response:
        if await request.body():
            assert request.headers["content-type"] == "application/json"
        self.requests.append((request.url.path, await request.body(), request.headers.get("idempotency-key")))
        if self.failures:
            status = self.failures.pop(0)
            problem = {
                "title": "t",
                "status": status,
                "code": "c",
                "detail": "It is so.",
                "next_action": "Do that.",
                "request_id": "r",
            }
            return JSONResponse(problem, status, {"Retry-After": self.retry_after} if status == 429 else None)
        if request.url.path.endswith("/messages"):
            return JSONResponse({"id": json.loads(await request.body())["id"]}, 202)
        return JSONResponse({"id": "s", "url": "http://x/s/s"}, 201)


@asynccontextmanager
async def client_of(service: Service, token: str = TOKEN, patience: float = 5) -> AsyncIterator[StichClient]:
    listener = listen("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with serving(service.app, listener), StichClient(url, token, patience=patience) as client:
        yield client


async def collect(client: StichClient, enough: Callable[[list[int]], bool]) -> tuple[list[int], str]:
    """Sequence numbers until there are enough, and the text of the chunks."""
    numbers: list[int] = []
    text = ""
    async with aclosing(client.follow("s")) as stream:
        async for item in stream:
            if isinstance(item, Sequenced):
                numbers.append(item.seq)
                text += item.raw["text"]
            if enough(numbers):
                break
    return numbers, text


async def test_a_broken_stream_is_taken_up_where_it_broke() -> None:
    first = [f"event: snapshot\ndata: {snapshot(3)}\n\n".encode(), frame(4, "a"), frame(5, "b"), b"id: 6\nevent: fi"]
    second = [frame(5, "again"), frame(6, "c")]
    service = Service([first, second, [frame(7, "d")]])
    async with client_of(service) as client:
        numbers, text = await collect(client, lambda numbers: 7 in numbers)
    assert (numbers, text) == ([4, 5, 6, 7], "abcd")
    assert service.last_ids == [None, "5", "6"]


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
async def test_frames_are_read_whatever_the_pieces(size: int) -> None:
    stream = (
        b": hello\r\n\r\nretry: 500\n\n" + frame(1, "zeile\u2028zwei\u0085drei\n\nvier") + b":\n\n" + frame(2, "é😀")
    )
    service = Service([[stream[at : at + size] for at in range(0, len(stream), size)]])
    async with client_of(service) as client:
        numbers, text = await collect(client, lambda numbers: 2 in numbers)
    assert (numbers, text) == ([1, 2], "zeile\u2028zwei\u0085drei\n\nvieré😀")


async def test_events_of_a_newer_service_are_passed_over() -> None:
    service = Service([[b'id: 1\nevent: moon_phase\ndata: {"x": 1}\n\n', frame(2, "a")]])
    async with client_of(service) as client:
        assert await collect(client, bool) == ([2], "a")


async def test_a_refusal_ends_it() -> None:
    async with client_of(Service([])) as client:
        with pytest.raises(StichHttpError) as caught:
            await collect(client, bool)
    assert caught.value.status == 404
    async with client_of(Service([[]]), token="wrong") as client:
        with pytest.raises(StichHttpError) as caught:
            await collect(client, bool)
    assert caught.value.status == 401


async def test_a_service_that_stays_away_is_given_up() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        lost: list[str] = []
        async with StichClient(url, TOKEN, patience=0.3, lost=lost.append) as client:
            with pytest.raises(StichUnreachable):
                await collect(client, bool)
            with pytest.raises(StichUnreachable):
                await client.start(CreateSession(prompt="x"), "key")
    assert lost


async def test_a_part_that_restarts_is_waited_for() -> None:
    service = Service([])
    service.failures = [503, 502]
    async with client_of(service) as client:
        assert (await client.start(CreateSession(prompt="x", template="t"), "key-1")).id == "s"
    assert service.requests == [("/api/sessions", b'{"prompt":"x","template":"t"}', "key-1")] * 3


async def test_a_limit_is_waited_for_as_long_as_it_says() -> None:
    service = Service([[frame(1, "a")]])
    async with client_of(service) as client:
        for ask in (lambda: client.start(CreateSession(prompt="x"), "key"), lambda: collect(client, bool)):
            service.failures = [429]
            began = time.monotonic()
            await ask()
            assert time.monotonic() - began >= 1


@pytest.mark.parametrize("retry_after", ["6", "86400"])
async def test_a_limit_that_lasts_beyond_the_patience_is_told_at_once(retry_after: str) -> None:
    service = Service([])
    service.retry_after = retry_after
    async with client_of(service) as client:
        for ask in (lambda: client.start(CreateSession(prompt="x"), "key"), lambda: collect(client, bool)):
            service.failures = [429]
            began = time.monotonic()
            with pytest.raises(StichHttpError) as caught:
                await ask()
            assert caught.value.status == 429 and time.monotonic() - began < 4


@pytest.mark.parametrize("retry_after", ["", "soon", "-1", "Wed, 21 Oct 2026 07:28:00 GMT"])
async def test_a_limit_that_says_no_seconds_is_tried_again_soon(retry_after: str) -> None:
    service = Service([])
    service.retry_after, service.failures = retry_after, [429, 429]
    async with client_of(service) as client:
        assert (await client.start(CreateSession(prompt="x"), "key")).id == "s"


async def test_a_refusal_says_what_the_service_said() -> None:
    service = Service([])
    service.failures = [422]
    async with client_of(service) as client:
        with pytest.raises(StichHttpError, match=r"^It is so\. Do that\.$") as caught:
            await client.start(CreateSession(prompt="x"), "key")
    assert caught.value.problem is not None and caught.value.problem.code == "c"


async def test_a_message_repeated_after_a_failure_keeps_its_id() -> None:
    service = Service([])
    service.failures = [503]
    async with client_of(service) as client:
        accepted = await client.message("s/../x", PostMessage(text="add dark mode"))
    assert len({body for _, body, _ in service.requests}) == 1 and accepted.id


@pytest.mark.parametrize(
    ("asynchronous", "waiting"),
    [(StichClient, StichClientSync), (History, HistorySync), (Webhooks, WebhooksSync)],
)
def test_programs_without_asyncio_have_the_same_methods(asynchronous: type, waiting: type) -> None:
    def methods(of: type) -> set[str]:
        return {name for name in dir(of) if not name.startswith("_") and callable(getattr(of, name))}

    assert methods(waiting) == methods(asynchronous)
