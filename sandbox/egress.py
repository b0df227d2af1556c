"""The only way out of the installer's sandbox: an HTTP CONNECT proxy on a unix socket that knows one address.

The sandbox has no network; a relay inside leads its loopback to this socket. Where the machine itself reaches the
network through a proxy (`HTTPS_PROXY`), the tunnel goes through that.
"""

import asyncio
import contextlib
import os
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

_CONNECT_SECONDS = 20.0
_HEAD_BYTES = 8192


class Egress:
    """An async context manager that serves the proxy at `path`. `denied` lists what was asked for and refused."""

    def __init__(self, path: Path, allowed: frozenset[tuple[str, int]]) -> None:
        self._path = path
        self._allowed = allowed
        self._server: asyncio.Server | None = None
        self._tunnels: set[asyncio.Task[None]] = set()
        self.denied: list[str] = []

    async def __aenter__(self) -> "Egress":
        self._server = await asyncio.start_unix_server(self._serve, self._path, limit=_HEAD_BYTES)
        # The installer's user id must be able to connect; the folder's name is unguessable.
        self._path.chmod(0o666)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tunnels):
            task.cancel()
        await asyncio.gather(*self._tunnels, return_exceptions=True)
        self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tunnels.add(task)
        try:
            await self._tunnel(reader, writer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        except asyncio.CancelledError:
            pass  # the proxy is closing
        finally:
            self._tunnels.discard(task)
            writer.close()

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _CONNECT_SECONDS)
        words = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        host, _, port = (words[1] if len(words) == 3 else "").rpartition(":")
        if words[0] != "CONNECT" or not port.isdigit() or (host.lower(), int(port)) not in self._allowed:
            self.denied.append(" ".join(words[:2])[:200])
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return
        try:
            outer_reader, outer_writer = await asyncio.wait_for(_connect(host, int(port)), _CONNECT_SECONDS)
        except (OSError, TimeoutError):
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return
        try:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await asyncio.gather(_pour(reader, outer_writer), _pour(outer_reader, writer))
        finally:
            outer_writer.close()


async def _connect(host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    proxy = os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy")
    if not proxy:
        return await asyncio.open_connection(host, port)
    address = urlsplit(proxy)
    reader, writer = await asyncio.open_connection(address.hostname, address.port or 80)
    writer.write(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
    answer = await reader.readuntil(b"\r\n\r\n")
    if b" 200" not in answer.split(b"\r\n", 1)[0]:
        writer.close()
        raise OSError("the machine's proxy refused the connection")
    return reader, writer


async def _pour(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await source.read(65536):
            target.write(chunk)
            await target.drain()
        target.write_eof()
