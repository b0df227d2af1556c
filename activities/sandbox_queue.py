"""Tell a session that waits for a free sandbox how many are before it."""

import asyncio

from temporalio import activity

from activities.context import Rooms
from activities.heartbeat import heartbeat
from schemas.operations import QueuePosition, QueuePositionInput

PAUSE = 1.0


class SandboxQueueActivities:
    """Run on the workflow's queue, where there is always room."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    @activity.defn(name="sandbox_position")
    async def position(self, given: QueuePositionInput) -> QueuePosition:
        """Wait until the position is another one than `known`, at least `pause` seconds; `before` None: it runs."""
        waits, step = self._rooms.sandbox_waits, (given.session_id, given.operation_id)
        begun = asyncio.get_running_loop().time()
        async with heartbeat():
            try:
                while True:
                    before = await waits.before(*step, given.queue, given.common_queue, given.priority)
                    waited = asyncio.get_running_loop().time() - begun
                    if before is None or (before != given.known and waited >= given.pause):
                        return QueuePosition(before=before)
                    await asyncio.sleep(PAUSE)
            except asyncio.CancelledError:
                await waits.ended(*step)
                raise
