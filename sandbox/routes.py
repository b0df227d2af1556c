"""What can become of a browser's request: an answer of the gateway's own, or a route to a running server."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sandbox.http1 import Request
from sandbox.upstream import Upstream


class Permission(Protocol):
    """What lets a browser see what it asked for."""

    async def holds(self) -> bool:
        """Whether it is still good."""


class Held(Protocol):
    """Something that may not be stopped while it is in use."""

    def hold(self) -> None: ...

    def let_go(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the gateway's own. `headers` are whole lines."""

    status: int
    headers: bytes
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request goes. `up` are the headers it takes along, `added` those that its answer gets, as whole lines.

    `framed` says that the answer, where it is a document, is shown in a frame of the session's page.
    """

    upstream: Upstream
    up: bytes
    added: bytes
    failed: Callable[[str], Reply]
    held: Held | None = None
    permission: Permission | None = None
    framed: bool = False


class Handler(Protocol):
    """Who decides about requests."""

    def route(self, request: Request) -> Route | None:
        """Where a request goes, where that is known at once."""

    async def answer(self, request: Request) -> Route | Reply:
        """Where any other goes, or the answer to it."""
