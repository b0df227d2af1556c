"""Work that goes on after its request was answered, so that the answer does not tell by its time what was found."""

import asyncio
from collections.abc import Coroutine
from typing import Final

import structlog

END_SECONDS: Final = 5.0

log: structlog.stdlib.BoundLogger = structlog.get_logger("api")


class Background:
    """Tasks of this process that nobody waits for. Errors are logged by kind only: a text may hold an address."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[object, object, None], what: str) -> None:
        task = asyncio.create_task(self._run(work, what))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, work: Coroutine[object, object, None], what: str) -> None:
        try:
            await work
        except Exception as error:
            log.error("work in the background failed", doing=what, error=type(error).__name__)

    async def settle(self) -> None:
        """Wait until what was started has ended."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def aclose(self) -> None:
        """Give what runs a few seconds, then end it."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=END_SECONDS)
            for task in late:
                task.cancel()
