"""What happened in a session and when, as its events and files tell it afterwards."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple

import asyncpg
import orjson

from schemas.session import RESTING_STATES
from storage.database import Database
from storage.versions import restored


class Decision(NamedTuple):
    """What somebody did to the session.

    edit: the file `path` got `content`, or was deleted without one. restore: everything, or the file `path`, became
    what it was at `version`, which the step `step` had made. choose, retry: `name` is the candidate, or the phase.
    """

    kind: Literal["stop", "resume", "edit", "restore", "choose", "retry", "check"]
    at: datetime
    path: str | None = None
    content: bytes | None = None
    name: str | None = None
    version: int | None = None
    step: str | None = None


class EnteredState(NamedTuple):
    """A state of the session, and when it began."""

    name: str
    since: datetime


class Past(NamedTuple):
    """When files were complete and phases over, the session's states, and what was decided; each in order of time.

    deployments: how many were asked for.
    """

    files: list[datetime]
    phases: list[datetime]
    states: list[EnteredState]
    decisions: list[Decision]
    deployments: int = 0

    def state_at(self, at: datetime, *, resting: bool = False) -> str | None:
        """The session's state at that time; `resting`: the newest until then in which it rested."""
        found = [s.name for s in self.states if s.since <= at and (not resting or s.name in RESTING_STATES)]
        return found[-1] if found else None


class SessionHistory:
    """Reads of one session's past."""

    def __init__(self, database: Database) -> None:
        self._pool = database.pool

    async def of(self, session_id: str) -> Past:
        """What the event log and the versions of files tell."""
        rows = await self._pool.fetch(
            """SELECT type, at, CASE type WHEN 'file_generated' THEN '' ELSE data END AS data FROM events
               WHERE session_id = $1
                 AND type IN ('file_generated', 'phase', 'session_state', 'operation_started', 'deployment')
               ORDER BY seq""",
            session_id,
        )
        edits = await self._pool.fetch(
            """SELECT v.path, v.created_at, b.content FROM file_versions v
               LEFT JOIN blobs b ON b.sha256 = coalesce(v.given_sha256, v.sha256)
               WHERE v.session_id = $1 AND v.author = 'user' ORDER BY v.version""",
            session_id,
        )
        restores = await self._pool.fetch(
            """SELECT DISTINCT ON (operation_id) operation_id, reason, created_at FROM file_versions
               WHERE session_id = $1 AND author = 'restore' AND operation_id LIKE 'restore-%'
               ORDER BY operation_id, version""",
            session_id,
        )
        numbered = await self._pool.fetch(
            "SELECT version, operation_id FROM file_versions WHERE session_id = $1", session_id
        )
        made_by: dict[int, str] = {row["version"]: row["operation_id"] for row in numbered}
        states, asked = _states(rows), _asked(rows)
        retries = [decision.at for decision in asked if decision.kind == "retry"]
        decisions = [
            *_turns(states, retries),
            *asked,
            *(Decision("edit", e["created_at"], e["path"], e["content"]) for e in edits),
        ]
        for row in restores:
            version, path = restored(row["reason"])
            decisions.append(Decision("restore", row["created_at"], path, version=version, step=made_by.get(version)))
        return Past(
            sorted(row["at"] for row in rows if row["type"] == "file_generated"),
            _phases(rows),
            states,
            sorted(decisions, key=lambda decision: decision.at),
            len({orjson.loads(row["data"])["deployment"]["id"] for row in rows if row["type"] == "deployment"}),
        )


def _asked(rows: Sequence[asyncpg.Record]) -> list[Decision]:
    """What somebody asked for that a step carried out, as its id tells."""
    found: dict[str, Decision] = {}
    for row in rows:
        if row["type"] != "operation_started":
            continue
        operation = orjson.loads(row["data"])["operation"]
        step, at = operation["id"], datetime.fromisoformat(operation["since"])
        if step.startswith("retry-"):
            found.setdefault(step, Decision("retry", at, name=operation["phase_id"]))
        elif "/chosen-" in step:
            found.setdefault(step, Decision("choose", at, name=step.partition("/")[0]))
        elif "/check-asked-" in step:
            found.setdefault(step, Decision("check", at))
    return list(found.values())


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


def _turns(states: Sequence[EnteredState], retries: Sequence[datetime]) -> list[Decision]:
    """A session stops and starts again when somebody says so. A retry starts it again too, and is told by itself."""
    found: list[Decision] = []
    before, left = "starting", list(retries)
    for state in states:
        if state.name == "stopped" and before != "stopped":
            found.append(Decision("stop", state.since))
        if state.name == "starting" and before != "starting":
            if left and left[0] <= state.since:
                left.pop(0)
            else:
                found.append(Decision("resume", state.since))
        before = state.name
    return found
