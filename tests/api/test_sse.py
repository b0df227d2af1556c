"""The endpoint over a real server process: headers, resuming, many events in one write, shutdown, dead clients."""

import asyncio
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import httpx
import pytest
from sse_starlette.sse import SendTimeoutError
from starlette.types import Message

from api.sse import EventStream, parse_event_id
from schemas.events import SessionInfoEvent
from storage.database import Database
from storage.events import EventLog, EventWriter
from tests.api.watching import Watcher

ROOT = Path(__file__).parents[2]
SESSION = "session-1"


class Served(NamedTuple):
    process: asyncio.subprocess.Process
    url: str


@pytest.fixture
async def writer(database: Database) -> AsyncIterator[EventWriter]:
    event_log = EventLog(database, tick=0.01)
    await event_log.start()
    yield await event_log.open(SESSION, "op", run_id="run", attempt=1)
    await event_log.aclose()


@asynccontextmanager
async def serving(dsn: str) -> AsyncIterator[Served]:
    """The endpoint in a process of its own, under uvicorn as in production."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.api.stream_server", dsn, str(port), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), 20) == b"ready\n"
    try:
        yield Served(process, f"http://127.0.0.1:{port}/{SESSION}")
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.fixture
async def served(database_dsn: str) -> AsyncIterator[Served]:
    async with serving(database_dsn) as served:
        yield served


def put(writer: EventWriter, count: int, size: int = 1) -> None:
    for _ in range(count):
        writer.put(SessionInfoEvent(title="x" * size, template=None, model=None, demo=False))


async def read(watcher: Watcher, url: str, until: int, headers: dict[str, str] | None = None) -> httpx.Headers:
    async with (
        asyncio.timeout(20),
        httpx.AsyncClient(timeout=30) as client,
        client.stream("GET", url, headers=headers) as response,
    ):
        assert response.status_code == 200
        async for data in response.aiter_raw():
            watcher.feed(data)
            if watcher.last >= until:
                break
        return response.headers


async def test_headers_and_resuming(served: Served, writer: EventWriter) -> None:
    put(writer, 5)
    await writer.flush()
    first = Watcher()
    headers = await read(first, served.url, until=5)
    assert headers["content-type"].startswith("text/event-stream")
    assert headers["x-accel-buffering"] == "no"
    assert "no-store" in headers["cache-control"]
    assert "content-encoding" not in headers
    assert first.kinds == ["snapshot", *["session_info"] * 5]
    assert first.retry == 150

    resumed, by_query, both, odd = Watcher(), Watcher(), Watcher(), Watcher()
    await read(resumed, served.url, until=5, headers={"Last-Event-ID": "2"})
    await read(by_query, served.url + "?after=3", until=5)
    await read(both, served.url + "?after=1", until=5, headers={"Last-Event-ID": "4"})
    await read(odd, served.url, until=5, headers={"Last-Event-ID": "x' OR 1=1"})
    assert [event[0] for event in resumed.events] == [3, 4, 5]
    assert [event[0] for event in by_query.events] == [4, 5]
    assert [event[0] for event in both.events] == [5]
    assert odd.kinds[0] == "snapshot"


async def test_waiting_events_come_in_one_write(served: Served, writer: EventWriter) -> None:
    put(writer, 150)
    await writer.flush()
    pieces = []
    async with httpx.AsyncClient() as client, client.stream("GET", served.url + "?after=0") as response:
        async for data in response.aiter_raw():
            pieces.append(data)
            if b"id: 150\n" in data:
                break
    assert len(pieces) <= 4


async def test_the_server_stops_promptly_with_open_streams(served: Served, writer: EventWriter) -> None:
    put(writer, 1)
    await writer.flush()
    async with httpx.AsyncClient() as client, client.stream("GET", served.url + "?after=0") as response:
        received = response.aiter_raw()
        await anext(received)
        began = time.monotonic()
        served.process.send_signal(signal.SIGTERM)
        async for _ in received:
            pass  # ends, rather than breaking off
        await asyncio.wait_for(served.process.wait(), 5)
    assert time.monotonic() - began < 2
    assert served.process.returncode in (0, -signal.SIGTERM)


async def test_a_killed_server_loses_nothing(database_dsn: str, writer: EventWriter) -> None:
    """The reader goes on at another process with its Last-Event-ID, while events keep coming."""
    watcher = Watcher()

    async def produce() -> None:
        for _ in range(100):
            put(writer, 3)
            await asyncio.sleep(0.01)
        await writer.flush()

    async with serving(database_dsn) as one, serving(database_dsn) as other:
        producing = asyncio.create_task(produce())
        await read(watcher, one.url + "?after=0", until=60)
        one.process.kill()
        await read(watcher, other.url, until=300, headers={"Last-Event-ID": str(watcher.last)})
        await producing
    assert [event[0] for event in watcher.events] == list(range(1, 301))


def resident_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) * 1024


async def test_a_client_that_takes_nothing_costs_others_nothing(served: Served, writer: EventWriter) -> None:
    host, port = served.url.split("/")[2].split(":")
    _, silent = await asyncio.open_connection(host, int(port), limit=1)
    silent.write(f"GET /{SESSION}?after=0 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    await silent.drain()
    watcher = Watcher()
    reading = asyncio.create_task(read(watcher, served.url + "?after=0", until=1_500))
    for _ in range(15):
        put(writer, 100, size=10_000)  # 15 MB in all, far more than any buffer on the way
        await writer.flush()
    await reading
    silent.close()
    assert resident_bytes(served.process.pid) < 200_000_000


async def test_a_reader_that_takes_nothing_for_long_is_let_go() -> None:
    """The piece under way is given up, and what the stream held is let go."""
    let_go = asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b": alive\n\n"
        finally:
            let_go.set()

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    scope = {"type": "http", "method": "GET", "asgi": {"version": "3.0"}}
    with mock.patch("api.sse.SEND_SECONDS", 0.05):
        async with asyncio.timeout(10):
            with pytest.raises(SendTimeoutError):
                await EventStream(pieces(), ping=0.02)(scope, receive, send)
    assert let_go.is_set()


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("7", 7),
        (" 7 ", 7),
        ("0", 0),
        (None, None),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("٣", None),
        ("9" * 19, None),
    ],
)
def test_event_ids(text: str | None, number: int | None) -> None:
    assert parse_event_id(text) == number
