"""Rows of the event log inside a transaction. Whoever changes a session's log holds its head's row lock first."""

import uuid
from collections.abc import Sequence
from typing import Final, NamedTuple

from storage.database import Connection

WORKFLOW: Final = ""  # the workflow's name as a writer
REMEMBERED_RUNS: Final = 50


class Fenced(Exception):
    """A newer attempt of this operation writes now; this one has to end."""


class OutboxGap(Exception):
    """The workflow's events before these were never written."""


class Row(NamedTuple):
    """An event ready to be stored. `chunk_of` names the whole that a piece of text belongs to."""

    type: str
    chunk_of: str | None
    data: str


class Holder(NamedTuple):
    """Who asks to hold a writer: within a workflow run the higher (execution, attempt) goes first."""

    token: uuid.UUID
    run_id: str
    execution: int
    attempt: int


async def lock_head(connection: Connection, session_id: str) -> int:
    """Wait for the session's turn, beginning its log if it is new. Returns the last number given out."""
    await connection.execute("INSERT INTO event_heads (session_id) VALUES ($1) ON CONFLICT DO NOTHING", session_id)
    head: int = await connection.fetchval(
        "SELECT last_seq FROM event_heads WHERE session_id = $1 FOR UPDATE", session_id
    )
    return head


async def append_rows(
    connection: Connection, session_id: str, writer: str, rows: Sequence[Row], first_n: int | None = None
) -> int:
    """Append under the head's lock and tell the readers. Returns the last number. `first_n` numbers workflow events."""
    last_seq: int = await connection.fetchval(
        "UPDATE event_heads SET last_seq = last_seq + $2 WHERE session_id = $1 RETURNING last_seq",
        session_id,
        len(rows),
    )
    await connection.execute(
        """INSERT INTO events (session_id, seq, type, data, writer, chunk_of, n)
           SELECT $1, $2 + i.position, i.type, i.data, $3, i.chunk_of, $4::bigint - 1 + i.position
           FROM unnest($5::text[], $6::text[], $7::text[]) WITH ORDINALITY AS i (type, data, chunk_of, position)""",
        session_id,
        last_seq - len(rows),
        writer,
        first_n,
        [row.type for row in rows],
        [row.data for row in rows],
        [row.chunk_of for row in rows],
    )
    await connection.execute("SELECT pg_notify('events', $1)", f"{session_id} {last_seq}")
    return last_seq


async def remove_pieces(connection: Connection, session_id: str, writer: str, of: Sequence[str] | None = None) -> int:
    """Remove a writer's pieces of text, all or those `of` the named wholes. Returns how many rows went."""
    gone = await connection.fetchrow(
        """WITH gone AS (
             DELETE FROM events e USING event_writers w
             WHERE w.session_id = $1 AND w.writer = $2 AND e.session_id = $1 AND e.seq >= w.first_seq
               AND e.writer = $2 AND e.chunk_of IS NOT NULL AND ($3::text[] IS NULL OR e.chunk_of = ANY ($3))
             RETURNING e.seq)
           SELECT count(*) AS rows, max(seq) AS last FROM gone""",
        session_id,
        writer,
        of,
    )
    assert gone is not None  # an aggregate always has one row
    if gone["rows"]:
        await connection.execute(
            "UPDATE event_heads SET compacted_seq = greatest(compacted_seq, $2) WHERE session_id = $1",
            session_id,
            gone["last"],
        )
    return int(gone["rows"])


async def take_over(connection: Connection, session_id: str, writer: str, holder: Holder, reset: Row | None) -> bool:
    """Give the writer to `holder`. Returns whether earlier attempts wrote events. Raises Fenced."""
    head = await lock_head(connection, session_id)
    row = await connection.fetchrow(
        "SELECT * FROM event_writers WHERE session_id = $1 AND writer = $2", session_id, writer
    )
    if row is None:
        await connection.execute(
            """INSERT INTO event_writers (session_id, writer, token, run_id, execution, attempt, first_seq)
               VALUES ($1, $2, $3, $4, $5, $6, $7)""",
            session_id,
            writer,
            *holder,
            head + 1,
        )
        return False
    if row["token"] == holder.token:  # the reply of an earlier try was lost
        return bool(row["resumed"])
    superseded = list(row["superseded_runs"])
    if row["run_id"] == holder.run_id:
        refused = (row["execution"], row["attempt"]) > (holder.execution, holder.attempt)
    else:
        refused = holder.run_id in superseded
        superseded.append(row["run_id"])
    if refused:
        raise Fenced(f"a newer attempt of {writer} took over")
    wrote = row["last_n"] > 0
    if wrote:
        await remove_pieces(connection, session_id, writer)
        if reset is not None:
            await append_rows(connection, session_id, writer, [reset])
    await connection.execute(
        """UPDATE event_writers
           SET token = $3, run_id = $4, execution = $5, attempt = $6, superseded_runs = $7, resumed = resumed OR $8,
               last_n = 0, last_seq = 0
           WHERE session_id = $1 AND writer = $2""",
        session_id,
        writer,
        *holder,
        superseded[-REMEMBERED_RUNS:],
        wrote,
    )
    return bool(row["resumed"]) or wrote


async def check_token(connection: Connection, session_id: str, writer: str, token: uuid.UUID) -> tuple[int, int]:
    """The (last item, last number) of the token, under the head's lock. Raises Fenced when it lost the writer."""
    row = await connection.fetchrow(
        "SELECT token, last_n, last_seq FROM event_writers WHERE session_id = $1 AND writer = $2", session_id, writer
    )
    if row is None or row["token"] != token:
        raise Fenced(f"a newer attempt of {writer} took over")
    return row["last_n"], row["last_seq"]


async def append_workflow_rows(
    connection: Connection, session_id: str, run_id: str, first_n: int, rows: Sequence[Row]
) -> int:
    """Append those of the workflow's events that are new. Returns the session's last number. Raises Fenced, OutboxGap.

    Within one run the workflow's number decides what is new. Another run either continues the numbers, or was reset and
    counts again from an earlier one: then the first event that differs from the stored one begins a new branch.
    """
    head = await lock_head(connection, session_id)
    state = await connection.fetchrow(
        "SELECT run_id, last_n, superseded_runs FROM event_writers WHERE session_id = $1 AND writer = $2",
        session_id,
        WORKFLOW,
    )
    current, last_n, superseded = (state["run_id"], state["last_n"], state["superseded_runs"]) if state else ("", 0, [])
    if first_n > last_n + 1:
        raise OutboxGap(f"event {first_n} of the workflow follows {last_n}")
    if run_id == current:
        known = last_n - first_n + 1
    else:
        known = await _count_stored(connection, session_id, first_n, rows)
    if known >= len(rows):
        return head
    if run_id in superseded:
        raise Fenced(f"a newer run of the workflow writes the events of {session_id}")
    seq = await append_rows(connection, session_id, WORKFLOW, rows[known:], first_n + known)
    await connection.execute(
        """INSERT INTO event_writers AS w (session_id, writer, token, run_id, execution, attempt, first_seq, last_n)
           VALUES ($1, $2, $3, $4, 0, 0, 1, $5)
           ON CONFLICT (session_id, writer) DO UPDATE SET run_id = $4, last_n = $5, superseded_runs = $6""",
        session_id,
        WORKFLOW,
        uuid.UUID(int=0),
        run_id,
        first_n + len(rows) - 1,
        [*superseded, current][-REMEMBERED_RUNS:] if current not in ("", run_id) else superseded,
    )
    return seq


async def _count_stored(connection: Connection, session_id: str, first_n: int, rows: Sequence[Row]) -> int:
    """How many of the workflow's events, from the first on, are stored just so under their numbers."""
    stored = await connection.fetch(
        """SELECT DISTINCT ON (n) n, type, data FROM events
           WHERE session_id = $1 AND n BETWEEN $2 AND $3 ORDER BY n, seq DESC""",
        session_id,
        first_n,
        first_n + len(rows) - 1,
    )
    count = 0
    for row, record in zip(rows, stored, strict=False):
        if (record["n"], record["type"], record["data"]) != (first_n + count, row.type, row.data):
            break
        count += 1
    return count
