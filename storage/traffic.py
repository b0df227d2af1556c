"""What models answered, sealed, bounded, and kept for some days."""

import zlib
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final, NamedTuple

from schemas.inference import AttemptRecord
from schemas.traffic import RecordedAnswer, TrafficEntry
from storage.database import Database
from storage.vault import Vault

KEPT: Final = timedelta(days=14)
LARGEST_ANSWER: Final = 4 * 1024 * 1024
"""Bytes of one answer as JSON: a longer one is not kept."""
LARGEST_SESSION: Final = 64 * 1024 * 1024
"""Bytes of a session's sealed answers: what comes after is not kept."""
LEVEL: Final = 6
PAGE: Final = 20
"""Answers that are read at once."""


class Counted(NamedTuple):
    """How many calls of a session are kept, and how many succeeded as the ledger has it."""

    kept: int
    succeeded: int


class Traffic:
    """Repository of answers."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._pool = database.pool
        self._vault = vault

    async def put(self, record: AttemptRecord, answer: RecordedAnswer) -> bool:
        """Keep an answer, unless it is known or too much. Returns whether it is kept. Raises VaultLocked."""
        content = answer.model_dump_json(exclude_defaults=True).encode()
        if len(content) > LARGEST_ANSWER:
            return False
        user_id = record.user_id or ""
        sealed = await self._vault.seal_text(user_id, _label(record.session_id), zlib.compress(content, LEVEL))
        status: str = await self._pool.execute(
            """INSERT INTO model_traffic
                 (session_id, operation_id, execution, attempt, call_number, user_id, outcome, started_at, sealed)
               SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9
               WHERE (SELECT coalesce(sum(length(sealed)), 0) FROM model_traffic WHERE session_id = $1) < $10
               ON CONFLICT DO NOTHING""",
            record.session_id,
            record.operation_id,
            record.execution,
            record.attempt,
            record.call_number,
            user_id,
            record.outcome,
            record.started_at,
            sealed,
            LARGEST_SESSION,
        )
        return status != "INSERT 0 0"

    async def of_session(self, session_id: str) -> list[TrafficEntry]:
        """The answers of a session in the order in which they ended. Raises VaultLocked."""
        return [entry async for entry in self.each(session_id)]

    async def each(self, session_id: str) -> AsyncIterator[TrafficEntry]:
        """The same, some at a time. Raises VaultLocked."""
        for page in range(1 << 31):
            rows = await self._pool.fetch(
                """SELECT * FROM model_traffic WHERE session_id = $1
                   ORDER BY ended_at, operation_id, execution, attempt, call_number LIMIT $2 OFFSET $3""",
                session_id,
                PAGE,
                page * PAGE,
            )
            if not rows:
                return
            sealed = [row["sealed"] for row in rows]
            opened = await self._vault.unseal_texts(rows[0]["user_id"], _label(session_id), sealed)
            for row, content in zip(rows, opened, strict=True):
                yield TrafficEntry(
                    **{name: row[name] for name in TrafficEntry.model_fields if name in row},
                    answer=RecordedAnswer.model_validate_json(_expand(content)),
                )

    async def count(self, session_id: str) -> Counted:
        """Whether something is missing."""
        row = await self._pool.fetchrow(
            """SELECT (SELECT count(*) FROM model_traffic WHERE session_id = $1 AND outcome = 'succeeded') AS kept,
                 (SELECT count(*) FROM model_attempts WHERE session_id = $1 AND outcome = 'succeeded') AS succeeded""",
            session_id,
        )
        assert row is not None
        return Counted(row["kept"], row["succeeded"])

    async def forget_old(self) -> None:
        """Drop what is older than it is kept."""
        await self._pool.execute("DELETE FROM model_traffic WHERE ended_at < now() - $1::interval", KEPT)


def _label(session_id: str) -> str:
    return f"traffic:{session_id}"


def _expand(content: bytes) -> bytes:
    return zlib.decompressobj().decompress(content, LARGEST_ANSWER)
