"""The client of development servers, which are not trusted: connections are kept, and what is no HTTP is refused."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from sandbox.http1 import Answer
from sandbox.upstream import CLOSED, NOT_HTTP, Upstream

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


class Asked:
    """One request and what came of it."""

    def __init__(self) -> None:
        self.answer: Answer | None = None
        self.body = b""
        self.reason = ""
        self.untouched = False
        self.over = asyncio.Event()

    def answered(self, answer: Answer, piece: bytes, complete: bool) -> None:
        self.answer = answer
        self.continued(piece, complete)

    def continued(self, piece: bytes, complete: bool) -> None:
        self.body += piece
        if complete:
            self.over.set()

    def cut(self, reason: str, untouched: bool) -> None:
        self.reason, self.untouched = reason, untouched
        self.over.set()

    def relieve(self, full: bool) -> None:
        pass


async def ask(upstream: Upstream, *, method: bytes = b"GET", complete: bool = True) -> Asked:
    asked = Asked()
    link = upstream.take() or await upstream.connect()
    link.ask(asked, method, GET.replace(b"GET", method), upgrading=False, complete=complete)
    async with asyncio.timeout(5):
        await asked.over.wait()
    return asked


@pytest.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Callable[[bytes, bool], Awaitable[tuple[Upstream, list[int]]]]]:
    """Answers each request of a connection with the given bytes; tells how many connections there were."""
    servers: list[asyncio.Server] = []

    async def begin(answer: bytes, kept: bool) -> tuple[Upstream, list[int]]:
        connections: list[int] = []

        async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connections.append(1)
            while await reader.readline():
                while (await reader.readline()).strip():
                    pass
                writer.write(answer)
                await writer.drain()
                if not kept:
                    break
            writer.close()

        servers.append(await asyncio.start_unix_server(one, tmp_path / "s"))
        return Upstream(str(tmp_path / "s")), connections

    yield begin
    for server in servers:
        server.close()


Begin = Callable[[bytes, bool], Awaitable[tuple[Upstream, list[int]]]]


@pytest.mark.parametrize(
    "answer,kept",
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi", True),
        (b"HTTP/1.1 103 Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi", True),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", True),
        (b"HTTP/1.1 304 Not Modified\r\netag: x\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi", False),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi", False),
        (b"HTTP/1.1 200 OK\r\n\r\nhi", False),
    ],
)
async def test_connections_are_used_again(serve: Begin, answer: bytes, kept: bool) -> None:
    upstream, connections = await serve(answer, kept)
    for _ in range(5):
        assert (await ask(upstream)).body == (b"" if b"304" in answer else b"hi")
    assert len(connections) == (1 if kept else 5)
    upstream.close()


@pytest.mark.parametrize(
    "answer,reason",
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhi", CLOSED),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhi", CLOSED),
        (b"HTTP/1.1 200", CLOSED),
        (b"", CLOSED),
        (b"hello\r\n\r\n", NOT_HTTP),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", NOT_HTTP),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-2\r\nhi\r\n0\r\n\r\n", NOT_HTTP),
        (b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n", NOT_HTTP),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 20, NOT_HTTP),
    ],
)
async def test_what_is_cut_or_no_answer_is_told(serve: Begin, answer: bytes, reason: str) -> None:
    upstream, _ = await serve(answer, False)
    asked = await ask(upstream)
    assert asked.reason == reason
    assert upstream.take() is None


async def test_answers_that_nobody_asked_for_reach_nobody(serve: Begin) -> None:
    upstream, connections = await serve(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi" * 2, True)
    for _ in range(3):
        assert (await ask(upstream)).body == b"hi"
    assert len(connections) == 3, "a connection with an answer too many is not used again"


async def test_a_connection_with_a_request_still_to_be_sent_is_not_used_again(serve: Begin) -> None:
    upstream, connections = await serve(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n", True)
    for _ in range(2):
        await ask(upstream, method=b"POST", complete=False)
    assert len(connections) == 2


async def test_an_idle_connection_that_was_closed_is_told_apart(tmp_path: Path) -> None:
    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    server = await asyncio.start_unix_server(one, tmp_path / "s")
    upstream = Upstream(str(tmp_path / "s"))
    assert (await ask(upstream)).body == b"hi"
    assert (await ask(upstream)).untouched
    server.close()
