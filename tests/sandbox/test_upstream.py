"""The client of development servers: connections are kept and used again."""

import asyncio
from pathlib import Path

import pytest

from sandbox.upstream import Answer, Upstream, UpstreamError


async def body_of(answer: Answer) -> bytes:
    pieces, more = [], True
    while more:
        piece, more = await answer.read()
        pieces.append(piece)
    answer.release()
    return b"".join(pieces)


@pytest.mark.parametrize(
    "answer,kept",
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi", True),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", True),
        (b"HTTP/1.1 304 Not Modified\r\netag: x\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi", False),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi", False),
    ],
)
async def test_connections_are_used_again(tmp_path: Path, answer: bytes, kept: bool) -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while await reader.readline():
            while (await reader.readline()).strip():
                pass
            writer.write(answer)
            await writer.drain()
            if not kept:
                break
        writer.close()

    server = await asyncio.start_unix_server(serve, tmp_path / "s")
    upstream = Upstream(str(tmp_path / "s"))
    for _ in range(5):
        given = await upstream.request("GET", b"/", [(b"host", b"x")], None)
        assert await body_of(given) == (b"" if b"304" in answer else b"hi")
    assert connections == (1 if kept else 5)
    upstream.close()
    server.close()


async def test_a_body_that_is_cut_is_told(tmp_path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhi")
        writer.close()

    server = await asyncio.start_unix_server(serve, tmp_path / "s")
    given = await Upstream(str(tmp_path / "s")).request("GET", b"/", [(b"host", b"x")], None)
    with pytest.raises(UpstreamError):
        await body_of(given)
    given.release()
    server.close()
