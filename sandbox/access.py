"""Whether a grant is good now: the database is asked every few seconds, not with every request."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from sandbox.grants import Grant

REVISION_SECONDS: Final = 3.0
"""How long an answer is believed: what was taken back is void after this time."""
_REFRESH_SECONDS: Final = 1.5
_MOST: Final = 10_000

Revision = Callable[[str, str], Awaitable[int | None]]


class _Known(NamedTuple):
    at: float
    revision: int | None


class Access:
    """The present revisions of sessions, for the viewers that look at them."""

    def __init__(self, revision: Revision) -> None:
        self._revision = revision
        self._known: dict[tuple[str, str], _Known] = {}
        self._asking: dict[tuple[str, str], asyncio.Task[int | None]] = {}

    def known(self, session_id: str, grant: Grant) -> bool | None:
        """Whether a grant is good for a session; None where that must be looked up first."""
        key = (session_id, grant.viewer)
        known = self._known.get(key)
        if known is None or (age := time.monotonic() - known.at) > REVISION_SECONDS:
            return None
        if age > _REFRESH_SECONDS and key not in self._asking:
            self._ask(key)
        return known.revision is not None and grant.holds(session_id, known.revision)

    async def allows(self, session_id: str, grant: Grant) -> bool:
        """Like `known`, looked up where needed. Raises whatever the database does."""
        known = self.known(session_id, grant)
        if known is not None:
            return known
        key = (session_id, grant.viewer)
        revision = await asyncio.shield(self._asking.get(key) or self._ask(key))
        return revision is not None and grant.holds(session_id, revision)

    def _ask(self, key: tuple[str, str]) -> "asyncio.Task[int | None]":
        task = self._asking[key] = asyncio.create_task(self._look_up(key))
        task.add_done_callback(lambda done: self._asked(key, done))
        return task

    def _asked(self, key: tuple[str, str], done: "asyncio.Task[int | None]") -> None:
        self._asking.pop(key, None)
        if not done.cancelled():
            done.exception()  # those who wait are told; a refresh that failed leaves what is known to run out

    async def _look_up(self, key: tuple[str, str]) -> int | None:
        at = time.monotonic()
        revision = await self._revision(*key)
        if len(self._known) > _MOST:
            self._known.clear()
        self._known[key] = _Known(at, revision)
        return revision


class Permission(NamedTuple):
    """A grant that a browser came in with."""

    access: Access
    session_id: str
    grant: Grant

    async def holds(self) -> bool:
        """Whether it is still good."""
        return await self.access.allows(self.session_id, self.grant)
