"""Who waits for a free sandbox. The queue itself is Temporal's, which does not tell positions."""

from typing import Final

from storage.database import Database

FORGOTTEN_SECONDS: Final = 15.0
"""A step that nobody asked about for this long waits no more: its session was stopped, or its worker died."""
KEPT_HOURS: Final = 2


class SandboxWaits:
    """Repository of waiting and running sandbox steps."""

    def __init__(self, database: Database) -> None:
        self._pool = database.pool

    async def before(self, session_id: str, operation_id: str, queue: str, common: str, priority: int) -> int | None:
        """How many wait before this step, in its queue or the common one; None once it runs. A lower `priority` goes
        first, then who came first.

        Asking is what keeps a step in the line, from the first time on.
        """
        started: bool = await self._pool.fetchval(
            """INSERT INTO sandbox_waits (session_id, operation_id, queue, priority) VALUES ($1, $2, $3, $4)
               ON CONFLICT (session_id, operation_id)
                 DO UPDATE SET seen_at = clock_timestamp(), queue = $3, priority = $4
               RETURNING started""",
            session_id,
            operation_id,
            queue,
            priority,
        )
        if started:
            return None
        found: int = await self._pool.fetchval(
            """SELECT count(*) FROM sandbox_waits AS other, sandbox_waits AS own
               WHERE own.session_id = $1 AND own.operation_id = $2 AND NOT other.started
                 AND other.queue IN ($3, $4)
                 AND (other.priority, other.since, other.session_id) < (own.priority, own.since, own.session_id)
                 AND other.seen_at > clock_timestamp() - make_interval(secs => $5)""",
            session_id,
            operation_id,
            queue,
            common,
            FORGOTTEN_SECONDS,
        )
        return found

    async def started(self, session_id: str, operation_id: str, queue: str) -> None:
        """The step runs from here on."""
        await self._pool.execute(
            """INSERT INTO sandbox_waits (session_id, operation_id, queue, started) VALUES ($1, $2, $3, true)
               ON CONFLICT (session_id, operation_id) DO UPDATE SET started = true, seen_at = clock_timestamp()""",
            session_id,
            operation_id,
            queue,
        )

    async def ended(self, session_id: str, operation_id: str) -> None:
        """The step runs or waits no more. What workers that were killed left behind goes too, after hours."""
        await self._pool.execute(
            """DELETE FROM sandbox_waits WHERE (session_id = $1 AND operation_id = $2)
                 OR seen_at < clock_timestamp() - make_interval(hours => $3)""",
            session_id,
            operation_id,
            KEPT_HOURS,
        )
