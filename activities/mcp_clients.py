"""Talks to servers of the Model Context Protocol, one connection a time, whatever they do with it.

A connection lives as long as one request: a server that hangs, dies or floods takes nothing with it. Nothing that a
server says of itself is believed beyond its form.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TextIO, TypeVar

import anyio
import structlog
from pydantic import JsonValue

from schemas.external_tools import McpServer

if TYPE_CHECKING:
    from mcp import Client
    from mcp_types import CallToolResult
    from mcp_types import Tool as OfferedTool

LISTING_SECONDS: Final = 15.0
LISTED_FOR: Final = 300.0
AWAY_FOR: Final = 30.0
"""How long a listing stands, and how long a server that gave none is not asked again."""
MOST_TOOLS: Final = 100
PAGES: Final = 10

NOWHERE: Final = Path(os.devnull)
"""Where programs complain to: what they print may hold what they were given."""

T = TypeVar("T")
log: structlog.stdlib.BoundLogger = structlog.get_logger("mcp")


class ServerFailed(Exception):
    """A server did not do what it was asked to. The sentence repeats nothing that it said."""


class _Listing(NamedTuple):
    tools: list["OfferedTool"]
    until: float


class McpClients:
    """The allowed servers."""

    def __init__(self, servers: Mapping[str, McpServer]) -> None:
        self.servers: Final = dict(servers)
        self._listings: dict[str, _Listing] = {}
        self._listing: dict[str, asyncio.Task[list[OfferedTool]]] = {}

    async def tools(self) -> dict[str, list["OfferedTool"]]:
        """What each server offers and may be used. One that cannot be asked now offers nothing."""
        listed = await asyncio.gather(*(self._tools_of(name) for name in self.servers))
        return dict(zip(self.servers, listed, strict=True))

    async def call(self, name: str, tool: str, arguments: dict[str, JsonValue]) -> "CallToolResult":
        """What a tool answers. Raises ServerFailed."""
        server = self.servers[name]
        return await _asked(name, server, server.seconds, lambda client: client.call_tool(tool, arguments))

    async def _tools_of(self, name: str) -> list["OfferedTool"]:
        known = self._listings.get(name)
        if known is not None and time.monotonic() < known.until:
            return known.tools
        task = self._listing.get(name)
        if task is None:
            task = self._listing[name] = asyncio.create_task(self._list(name))
            task.add_done_callback(lambda _: self._listing.pop(name, None))
        return await asyncio.shield(task)

    async def _list(self, name: str) -> list["OfferedTool"]:
        server = self.servers[name]
        try:
            found = await _asked(name, server, min(LISTING_SECONDS, server.seconds), _listed)
        except ServerFailed as error:
            log.warning("an MCP server cannot be used", server=name, reason=str(error))
            self._listings[name] = _Listing([], time.monotonic() + AWAY_FOR)
            return []
        allowed = [tool for tool in found if server.tools is None or tool.name in server.tools]
        self._listings[name] = _Listing(allowed[:MOST_TOOLS], time.monotonic() + LISTED_FOR)
        return allowed[:MOST_TOOLS]


async def _listed(client: "Client") -> list["OfferedTool"]:
    found: list[OfferedTool] = []
    cursor: str | None = None
    for _ in range(PAGES):
        page = await client.list_tools(cursor=cursor)
        found += page.tools
        cursor = page.next_cursor
        if cursor is None or len(found) >= MOST_TOOLS:
            break
    return found


async def _asked(name: str, server: McpServer, seconds: float, work: Callable[["Client"], Awaitable[T]]) -> T:
    """What `work` finds out from a connection of its own. Raises ServerFailed.

    The connection has a task of its own, which is told to end and not cancelled from outside: a server's process is
    then ended with everything that it started.
    """
    scope = anyio.CancelScope()
    found: list[T] = []

    async def talk() -> None:
        with scope, anyio.fail_after(seconds), _nowhere() as nowhere:
            async with _client(server, seconds, nowhere) as client:
                found.append(await work(client))

    task = asyncio.create_task(talk())
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        scope.cancel()
        await asyncio.wait([task])
        raise
    except BaseExceptionGroup as errors:
        if not found:
            raise ServerFailed(_reason(name, errors.exceptions[0], seconds)) from None
    except Exception as error:
        if not found:
            raise ServerFailed(_reason(name, error, seconds)) from None
    if not found:
        raise ServerFailed(f"The server {name} ended the conversation.")
    return found[0]


def _nowhere() -> TextIO:
    return NOWHERE.open("w")


def _client(server: McpServer, seconds: float, errors: TextIO) -> "Client":
    import httpx2  # these take a second, which a worker without such servers need not wait
    from mcp import Client, StdioServerParameters, stdio_client
    from mcp.client.streamable_http import streamable_http_client

    if server.command is not None:
        env = {key: value.get_secret_value() for key, value in server.env.items()}
        parameters = StdioServerParameters(command=server.command, args=server.args, env=env)
        return Client(stdio_client(parameters, errlog=errors), read_timeout_seconds=seconds)
    assert server.url is not None, "a server has a command or a url"
    headers = {key: value.get_secret_value() for key, value in server.headers.items()}
    http = httpx2.AsyncClient(headers=headers, timeout=seconds, follow_redirects=False)
    return Client(streamable_http_client(server.url, http_client=http), read_timeout_seconds=seconds)


def _reason(name: str, error: BaseException, seconds: float) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, TimeoutError):
        return f"The server {name} did not answer within {seconds:g} seconds."
    if isinstance(error, OSError):
        return f"The server {name} cannot be started or reached."
    return f"The server {name} gave no answer that can be used ({type(error).__name__})."
