"""The gateway's server, spoken to byte by byte."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sandbox import front
from sandbox.http1 import Request
from sandbox.routes import Reply, Route
from sandbox.upstream import Upstream
from tests.sandbox.conftest import listening

HOST = b"Host: x\r\n"
GET = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"


@dataclass
class Pass:
    """A permission that a test takes back."""

    good: bool = True

    async def holds(self) -> bool:
        return self.good


@dataclass
class House:
    """Routes everything to one server, which plays what a test gave it and keeps what it was sent."""

    upstream: Upstream
    port: int = 0
    sent: bytes = b""
    uses: int = 0
    permission: Pass = field(default_factory=Pass)
    play: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]] | None = None

    def route(self, request: Request) -> Route | None:
        if request.path == b"/own":
            return None
        up = request.fields.kept(frozenset({b"connection", b"transfer-encoding", b"upgrade", b"expect"}))
        failed = self.failed
        return Route(self.upstream, up, b"added: 1\r\n", failed, held=self, permission=self.permission)

    async def answer(self, request: Request) -> Route | Reply:
        await asyncio.sleep(0.01)
        return Reply(200, b"", b"own")

    def failed(self, reason: str) -> Reply:
        return Reply(502, b"", reason.encode())

    def hold(self) -> None:
        self.uses += 1

    def let_go(self) -> None:
        self.uses -= 1


class Keeping(asyncio.StreamReader):
    """Keeps everything that the server is sent."""

    def __init__(self, house: House) -> None:
        super().__init__()
        self._house = house

    def feed_data(self, data: bytes) -> None:
        self._house.sent += data
        super().feed_data(data)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers every request with a short body, without looking at what it brings."""
    while True:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nset-cookie: a=b\r\n\r\nhi")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(Upstream(str(tmp_path / "s")), play=echo)

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert made.play is not None
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await made.play(reader, writer)
        writer.close()

    loop = asyncio.get_running_loop()
    server = await loop.create_unix_server(lambda: asyncio.StreamReaderProtocol(Keeping(made), one), tmp_path / "s")
    with listening() as listener:
        made.port = listener.getsockname()[1]
        async with front.serving(made, listener):
            yield made
    made.upstream.close()
    server.close()
    await asyncio.sleep(0)


async def said(house: House, *pieces: bytes) -> bytes:
    """Everything that comes back until the connection ends, or nothing comes any more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
    for piece in pieces:
        writer.write(piece)
        await asyncio.sleep(0.02)
    found = b""
    with contextlib.suppress(TimeoutError, ConnectionError):
        while piece := await asyncio.wait_for(reader.read(65536), 0.4):
            found += piece
    writer.close()
    await asyncio.sleep(0.02)
    return found


async def test_requests_on_one_connection_are_answered_in_order(house: House) -> None:
    own = b"GET /own HTTP/1.1\r\n" + HOST + b"\r\n"
    found = await said(house, own + GET + own + GET)
    assert found.count(b"HTTP/1.1 200 OK") == 4
    assert found.replace(b"hi", b"own").count(b"\r\n\r\nown") == 4
    assert found.index(b"\r\n\r\nown") < found.index(b"\r\n\r\nhi")
    assert b"set-cookie" not in found
    assert found.count(b"added: 1") == 2
    assert house.uses == 0


async def test_a_head_may_come_in_pieces(house: House) -> None:
    assert (await said(house, GET[:5], GET[5:20], GET[20:])).endswith(b"hi")


@pytest.mark.parametrize(
    "request_",
    [
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x",
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\nContent-Length: 40\r\n\r\n0\r\n\r\nGET /x",
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\nContent-Length: 40\r\n\r\nGET /x",
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\n" + HOST + b"A: b\r\n Content-Length: 40\r\n\r\nGET /x",
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length : 40\r\n\r\nGET /x",
        b"POST / HTTP/1.1\nHost: x\nContent-Length: 40\n\nGET /x",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    ],
)
async def test_requests_that_could_hide_another_reach_no_server(house: House, request_: bytes) -> None:
    found = await said(house, request_)
    assert found.startswith(b"HTTP/1.1 400 ")
    assert b"connection: close" in found
    assert found.count(b"HTTP/1.1") == 1
    assert house.sent == b""


@pytest.mark.parametrize("size", [b"zz", b"-1", b"0x3", b"3;ext=1", b"fffffffff"])
async def test_bad_chunks_end_the_connection(house: House, size: bytes) -> None:
    head = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    house.play = wait
    found = await said(house, head + size + b"\r\nabc\r\n0\r\n\r\nGET /hidden HTTP/1.1\r\n\r\n")
    assert found.startswith(b"HTTP/1.1 400 ")
    assert b"hidden" not in house.sent


async def test_a_body_is_framed_anew(house: House) -> None:
    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"0\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n")
        await asyncio.sleep(0.05)
        writer.write(b"3\r\nyou\r\n0\r\n\r\n")
        await reader.read(1)

    house.play = receive
    head = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: Chunked\r\nExpect: 100-continue\r\n\r\n"
    found = await said(house, head, b"00000003\r\nabc\r\n", b"1\r\nd\r\n0\r\n\r\n", GET)
    assert house.sent.startswith(b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n")
    assert b"1\r\nd\r\n0\r\n\r\n" in house.sent
    assert found.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")
    assert b"transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n3\r\nyou\r\n0\r\n\r\n" in found


async def test_an_answer_before_the_end_of_the_body_closes_both_connections(house: House) -> None:
    hidden = b"GET /hidden HTTP/1.1\r\n" + HOST + b"\r\n"
    head = b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 1000\r\n\r\n"
    found = await said(house, head, hidden, GET)
    assert found.count(b"HTTP/1.1 200") == 1
    assert b"connection: close" in found
    assert house.upstream.take() is None


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\na: b\r\n folded: x\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        b"nonsense\r\n\r\n",
    ],
)
async def test_what_a_server_says_wrongly_is_not_passed_on(house: House, answer: bytes) -> None:
    async def wrong(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await reader.read(1)

    house.play = wrong
    found = await said(house, GET)
    assert found.startswith(b"HTTP/1.1 502 ")
    assert b"not HTTP" in found


async def test_an_answer_too_many_reaches_nobody(house: House) -> None:
    async def twice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil")
        await reader.read(1)

    house.play = twice
    found = await said(house, GET, GET)
    assert found.count(b"\r\n\r\nhi") == 2
    assert b"evil" not in found


async def test_a_cut_answer_is_seen_to_be_cut(house: House) -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n")
        await asyncio.sleep(0.05)

    house.play = cut
    assert (await said(house, GET)).endswith(b"2\r\nhi\r\n")
    assert house.uses == 0


async def test_old_clients_get_a_body_that_ends_with_the_connection(house: House) -> None:
    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n")
        await asyncio.sleep(0.05)
        writer.write(b"1\r\n!\r\n0\r\n\r\n")
        await reader.read(1)

    house.play = slow
    found = await said(house, b"GET / HTTP/1.0\r\n\r\n")
    assert b"chunked" not in found
    assert found.endswith(b"\r\n\r\nhi!")


async def test_a_closed_idle_connection_is_replaced_unnoticed(house: House) -> None:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")
        await reader.readuntil(b"\r\n\r\n")

    house.play = once
    assert (await said(house, GET, GET, GET)).count(b"200 OK") == 3


async def test_large_bodies_wait_for_slow_readers(house: House) -> None:
    size = 8_000_000
    written = 0

    async def large(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        for _ in range(80):
            writer.write(b"x" * (size // 80))
            await writer.drain()
            written += size // 80
        await reader.read(1)

    house.play = large
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port, limit=1024)
    writer.write(GET)
    await reader.readuntil(b"\r\n\r\n")
    await asyncio.sleep(0.3)
    held = written
    assert held < size, "what nobody reads is not taken from the server"
    assert len(await reader.readexactly(size)) == size
    writer.close()


UPGRADE = b"GET / HTTP/1.1\r\n" + HOST + b"Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n"


async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\nfirst")
    while data := await reader.read(100):
        writer.write(data.upper())


async def test_sockets_go_through_as_they_are(house: House) -> None:
    house.play = tunnel
    found = await said(house, UPGRADE, b"abc", GET)
    assert found.startswith(b"HTTP/1.1 101 ")
    assert b"first" in found
    assert b"ABC" in found
    assert b"GET / HTTP/1.1\r\nHOST: X" in found, "nothing in it is taken for a request"
    assert house.uses == 0


async def test_open_sockets_end_when_their_permission_does(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.front._LONG_SECONDS", 0.0)
    house.play = tunnel
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
    writer.write(UPGRADE)
    await reader.readuntil(b"first")
    await asyncio.sleep(1.2)
    writer.write(b"abc")
    assert await reader.readexactly(3) == b"ABC"
    house.permission.good = False
    async with asyncio.timeout(5):
        with contextlib.suppress(ConnectionError):
            assert await reader.read(1) == b""
    writer.close()


async def test_connections_without_a_request_are_closed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.front._HEAD_SECONDS", 0.3)
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
    ended = asyncio.create_task(reader.read(1))
    with contextlib.suppress(ConnectionError):
        for _ in range(100):  # a byte now and then does not keep it
            if ended.done():
                break
            writer.write(b"G")
            await asyncio.sleep(0.05)
        assert await asyncio.wait_for(ended, 0.1) == b""
    writer.close()
