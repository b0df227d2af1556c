"""A beat in the background for as long as an activity runs, so that a dead worker is noticed and a stop arrives."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from temporalio import activity

FRACTION = 3
"""Beats per heartbeat timeout, at least: two may be lost."""

LONGEST = 0.5
"""Seconds between beats, at most: a stop arrives with the answer to a beat. (Workers have to let beats through this
often: `max_heartbeat_throttle_interval`.)"""


class Beat:
    """The running beat. `details` go with every beat; they are small cursors, not results."""

    def __init__(self) -> None:
        self.details: tuple[object, ...] = ()

    def now(self) -> None:
        """Beat at once, with the newest details."""
        activity.heartbeat(*self.details)


@asynccontextmanager
async def heartbeat(*details: object) -> AsyncIterator[Beat]:
    """Beat at a third of the activity's heartbeat timeout, or every half second, until the block ends, and once more
    then, so that the last details are known to the next attempt. Without a timeout there is only that last beat."""
    beat = Beat()
    beat.details = details
    timeout = activity.info().heartbeat_timeout
    interval = min(timeout.total_seconds() / FRACTION, LONGEST) if timeout else None
    beating = asyncio.create_task(_keep_beating(beat, interval)) if interval else None
    try:
        yield beat
    finally:
        if beating is not None:
            beating.cancel()
            with suppress(asyncio.CancelledError):
                await beating
        if beat.details:
            beat.now()


async def _keep_beating(beat: Beat, interval: float) -> None:
    while True:
        beat.now()
        await asyncio.sleep(interval)
