"""Calls that wait at a provider's batch endpoint, so that whoever takes the step up again finds them."""

from datetime import datetime
from typing import Literal, NamedTuple

import asyncpg

from schemas.inference import AttemptRecord
from storage.database import Database

BatchState = Literal["sent", "done", "failed", "cancelled"]


class BatchKey(NamedTuple):
    """Which call it is: that of a step, by its number in the step and by what it asks of whom."""

    session_id: str
    operation_id: str
    call_number: int
    digest: str


class StoredBatch(NamedTuple):
    """A batch, and the ledger's row of its call."""

    key: BatchKey
    user_id: str
    provider: str
    batch_id: str
    name: str
    state: BatchState
    record: AttemptRecord
    sent_at: datetime


class Batches:
    """Repository of batches."""

    def __init__(self, database: Database) -> None:
        self._pool = database.pool

    async def wanted(self, session_id: str) -> bool:
        """Whether the session was started as a bulk one."""
        return bool(
            await self._pool.fetchval("SELECT (request ->> 'bulk')::boolean FROM sessions WHERE id = $1", session_id)
        )

    async def find(self, key: BatchKey) -> StoredBatch | None:
        row = await self._pool.fetchrow(
            """SELECT * FROM model_batches
               WHERE session_id = $1 AND operation_id = $2 AND call_number = $3 AND digest = $4""",
            *key,
        )
        return _stored(row) if row else None

    async def add(
        self, key: BatchKey, user_id: str, provider: str, batch_id: str, name: str, record: AttemptRecord
    ) -> None:
        """Note a batch that was sent, in place of one that was cancelled."""
        await self._pool.execute(
            """INSERT INTO model_batches
                 (session_id, operation_id, call_number, digest, user_id, provider, batch_id, name, record)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
               ON CONFLICT (session_id, operation_id, call_number, digest) DO UPDATE
               SET batch_id = $7, name = $8, record = $9, state = 'sent', reason = '', sent_at = now()""",
            *key,
            user_id,
            provider,
            batch_id,
            name,
            record.model_dump_json(),
        )

    async def end(self, key: BatchKey, state: BatchState, reason: str = "") -> None:
        """Note what became of it."""
        await self._pool.execute(
            """UPDATE model_batches SET state = $5, reason = $6
               WHERE session_id = $1 AND operation_id = $2 AND call_number = $3 AND digest = $4""",
            *key,
            state,
            reason[:300],
        )

    async def unwanted(self, limit: int = 50) -> list[StoredBatch]:
        """Batches that nobody waits for: their session was stopped or is over, or the step asks something else now."""
        rows = await self._pool.fetch(
            """SELECT b.* FROM model_batches b JOIN sessions s ON s.id = b.session_id
               WHERE b.state = 'sent' AND (s.state IN ('stopped', 'completed', 'failed') OR EXISTS (
                 SELECT FROM model_batches n WHERE n.session_id = b.session_id AND n.operation_id = b.operation_id
                   AND n.call_number = b.call_number AND n.digest <> b.digest AND n.sent_at > b.sent_at))
               ORDER BY b.sent_at LIMIT $1""",
            limit,
        )
        return [_stored(row) for row in rows]


def _stored(row: asyncpg.Record) -> StoredBatch:
    return StoredBatch(
        key=BatchKey(row["session_id"], row["operation_id"], row["call_number"], row["digest"]),
        user_id=row["user_id"],
        provider=row["provider"],
        batch_id=row["batch_id"],
        name=row["name"],
        state=row["state"],
        record=AttemptRecord.model_validate_json(row["record"]),
        sent_at=row["sent_at"],
    )
