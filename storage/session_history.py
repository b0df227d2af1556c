"""What happened in a session and when, as its events and files tell it afterwards."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple

import asyncpg
import orjson

from storage.database import Database


class Decision(NamedTuple):
    """Somebody stopped or resumed the session, or changed a file; `content` is None where it was deleted."""

    kind: Literal["stop", "resume", "edit"]
    at: datetime
    path: str | None = None
    content: bytes | None = None


class EnteredState(NamedTuple):
    """A state of the session, and when it began."""

    name: str
    since: datetime


class Past(NamedTuple):
    """When files were complete and phases over, the session's states, and what was decided; each in order of time."""

    files: list[datetime]
    phases: list[datetime]
    states: list[EnteredState]
    decisions: list[Decision]


class SessionHistory:
    """Reads of one session's past."""

    def __init__(self, database: Database) -> None:
        self._pool = database.pool

    async def of(self, session_id: str) -> Past:
        """What the event log and the versions of files tell."""
        rows = await self._pool.fetch(
            """SELECT type, at, CASE type WHEN 'file_generated' THEN '' ELSE data END AS data FROM events
               WHERE session_id = $1 AND type IN ('file_generated', 'phase', 'session_state') ORDER BY seq""",
            session_id,
        )
        edits = await self._pool.fetch(
            """SELECT v.path, v.created_at, b.content FROM file_versions v
               LEFT JOIN blobs b ON b.sha256 = coalesce(v.given_sha256, v.sha256)
               WHERE v.session_id = $1 AND v.author = 'user' ORDER BY v.version""",
            session_id,
        )
        states = _states(rows)
        decisions = [*_turns(states), *(Decision("edit", e["created_at"], e["path"], e["content"]) for e in edits)]
        return Past(
            sorted(row["at"] for row in rows if row["type"] == "file_generated"),
            _phases(rows),
            states,
            sorted(decisions, key=lambda decision: decision.at),
        )


def _states(rows: Sequence[asyncpg.Record]) -> list[EnteredState]:
    found = [orjson.loads(row["data"])["state"] for row in rows if row["type"] == "session_state"]
    return sorted(
        (EnteredState(state["name"], datetime.fromisoformat(state["since"])) for state in found),
        key=lambda state: state.since,
    )


def _phases(rows: Sequence[asyncpg.Record]) -> list[datetime]:
    over: dict[str, datetime] = {}
    for row in rows:
        if row["type"] == "phase" and (phase := orjson.loads(row["data"])["phase"])["status"] == "completed":
            over.setdefault(phase["id"], row["at"])
    return sorted(over.values())


def _turns(states: Sequence[EnteredState]) -> list[Decision]:
    """A session stops and starts again when somebody says so."""
    found: list[Decision] = []
    before = "starting"
    for state in states:
        if state.name == "stopped" and before != "stopped":
            found.append(Decision("stop", state.since))
        if state.name == "starting" and before != "starting":
            found.append(Decision("resume", state.since))
        before = state.name
    return found
