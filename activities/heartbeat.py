"""Beats while an activity works, so that its worker's death is noticed and a cancellation arrives."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio import activity

DEFAULT_INTERVAL = 1.0


@asynccontextmanager
async def heartbeat(*details: object) -> AsyncIterator[None]:
    """Beat at a third of the heartbeat timeout, carrying `details`, until the block ends."""
    timeout = activity.info().heartbeat_timeout
    interval = timeout.total_seconds() / 3 if timeout else DEFAULT_INTERVAL

    async def beat() -> None:
        while True:
            activity.heartbeat(*details)
            await asyncio.sleep(interval)

    beating = asyncio.create_task(beat(), name="heartbeat")
    try:
        yield
    finally:
        beating.cancel()
