"""The conversation of a session: turns in the order in which they came, each with an id its sender chose."""

import asyncpg
import orjson
from pydantic import BaseModel

from schemas.session import ChatMessage, MessageState
from storage.database import Database


class MessageRecord(BaseModel):
    """A turn and, where it asked for a change, the phase that carries it out. `meaning` spells out what it asks for,
    where its words alone do not."""

    message: ChatMessage
    phase_id: str | None
    meaning: str | None = None


class Messages:
    """Repository of conversations."""

    def __init__(self, database: Database) -> None:
        self._pool = database.pool

    async def claim(self, session_id: str, message_id: str, text: str) -> bool:
        """Keep an id for a text, from the first call on. False where the id belongs to another text."""
        text = text.replace("\0", "")
        claimed: bool = await self._pool.fetchval(
            """WITH claimed AS (
                 INSERT INTO message_ids AS m (session_id, id, sha256) VALUES ($1, $2, sha256(convert_to($3, 'UTF8')))
                 ON CONFLICT (session_id, id) DO UPDATE SET id = m.id RETURNING sha256)
               SELECT sha256 = sha256(convert_to($3, 'UTF8')) AND NOT EXISTS (
                 SELECT FROM messages WHERE session_id = $1 AND id = $2 AND text <> $3) FROM claimed""",
            session_id,
            message_id,
            text,
        )
        return claimed

    async def put(self, session_id: str, message: ChatMessage, phase_id: str | None = None) -> MessageRecord:
        """Store a turn unless its id is known. Returns what is stored."""
        await self._pool.execute(
            """INSERT INTO messages (session_id, id, role, text, author, state, phase_id, created_at, options)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::json) ON CONFLICT DO NOTHING""",
            session_id,
            message.id,
            message.role,
            message.text.replace("\0", ""),  # Postgres text cannot hold it
            message.author,
            message.state,
            phase_id,
            message.at,
            orjson.dumps(message.options).decode(),
        )
        row = await self._pool.fetchrow(
            "SELECT * FROM messages WHERE session_id = $1 AND id = $2", session_id, message.id
        )
        assert row is not None  # stored just now, and never deleted
        return _record(row)

    async def set_state(
        self, session_id: str, message_id: str, state: MessageState, phase_id: str | None = None
    ) -> None:
        """Note what became of a turn; `phase_id` is kept when None is given. An unknown id changes nothing."""
        await self._pool.execute(
            """UPDATE messages SET state = $3, phase_id = coalesce($4, phase_id), updated_at = now()
               WHERE session_id = $1 AND id = $2""",
            session_id,
            message_id,
            state,
            phase_id,
        )

    async def set_meaning(self, session_id: str, message_id: str, meaning: str) -> None:
        """Note what a turn asks for. The last note stands."""
        await self._pool.execute(
            "UPDATE messages SET meaning = $3, updated_at = now() WHERE session_id = $1 AND id = $2",
            session_id,
            message_id,
            meaning.replace("\0", ""),
        )

    async def list(self, session_id: str, limit: int = 1_000) -> list[MessageRecord]:
        """The last turns, oldest first."""
        rows = await self._pool.fetch(
            """SELECT * FROM (
                 SELECT * FROM messages WHERE session_id = $1 ORDER BY position DESC LIMIT $2) latest
               ORDER BY position""",
            session_id,
            limit,
        )
        return [_record(row) for row in rows]


def _record(row: asyncpg.Record) -> MessageRecord:
    message = ChatMessage(
        id=row["id"],
        role=row["role"],
        text=row["text"],
        at=row["created_at"],
        author=row["author"],
        state=row["state"],
        options=orjson.loads(row["options"]),
    )
    return MessageRecord(message=message, phase_id=row["phase_id"], meaning=row["meaning"])
