"""Reading the event log: heads, pages of events, and the notifications that tell when there is more."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, NamedTuple

from storage.database import Database

CHANNEL: Final = "events"
READ_SECONDS: Final = 10.0


class StoredEvent(NamedTuple):
    """An event as stored; `data` is a JSON object on one line."""

    session_id: str
    seq: int
    type: str
    data: str
    at: datetime


class EventTail:
    """Repository of the log for those who follow it."""

    def __init__(self, database: Database) -> None:
        self._pool = database.pool

    async def heads(self, session_ids: Iterable[str]) -> dict[str, int]:
        """The last number given out in each session; a session without events is missing."""
        rows = await self._pool.fetch(
            "SELECT session_id, last_seq FROM event_heads WHERE session_id = ANY ($1)",
            list(session_ids),
            timeout=READ_SECONDS,
        )
        return {row["session_id"]: row["last_seq"] for row in rows}

    async def head(self, session_id: str) -> int:
        """The last number given out in a session, 0 when it has no events."""
        return (await self.heads([session_id])).get(session_id, 0)

    async def after(self, cursors: Mapping[str, int], limit: int) -> list[StoredEvent]:
        """Up to `limit` events of each session after its cursor, in order within a session."""
        rows = await self._pool.fetch(
            """SELECT e.session_id, e.seq, e.type, e.data, e.at
               FROM unnest($1::text[], $2::bigint[]) AS c (session_id, after)
               CROSS JOIN LATERAL (
                 SELECT * FROM events
                 WHERE session_id = c.session_id AND seq > c.after ORDER BY seq LIMIT $3) e""",
            list(cursors),
            list(cursors.values()),
            limit,
            timeout=READ_SECONDS,
        )
        return [StoredEvent(*row) for row in rows]

    async def page(self, session_id: str, after: int, upto: int, limit: int) -> list[StoredEvent]:
        """Up to `limit` events of a session after one number, up to another, in order."""
        rows = await self._pool.fetch(
            """SELECT session_id, seq, type, data, at FROM events
               WHERE session_id = $1 AND seq > $2 AND seq <= $3 ORDER BY seq LIMIT $4""",
            session_id,
            after,
            upto,
            limit,
            timeout=READ_SECONDS,
        )
        return [StoredEvent(*row) for row in rows]

    async def latest(self, session_id: str, type: str, among: int) -> list[StoredEvent]:
        """The events of a type among the last `among` of a session, in order."""
        rows = await self._pool.fetch(
            """SELECT session_id, seq, type, data, at FROM events
               WHERE session_id = $1 AND type = $2
                 AND seq > (SELECT last_seq FROM event_heads WHERE session_id = $1) - $3
               ORDER BY seq""",
            session_id,
            type,
            among,
            timeout=READ_SECONDS,
        )
        return [StoredEvent(*row) for row in rows]


def parse_notification(payload: str) -> dict[str, int]:
    """The sessions that a notification on CHANNEL names, and their last numbers."""
    pairs = (line.rsplit(" ", 1) for line in payload.split("\n"))
    return {session_id: int(seq) for session_id, seq in pairs}
