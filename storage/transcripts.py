"""Transcripts of models that work with tools, message by message."""

from schemas.inference import Message
from storage.database import Database


class Transcripts:
    """A thread is one conversation of a model with its tools, for instance a round of a session."""

    def __init__(self, database: Database) -> None:
        self._pool = database.pool

    async def append(self, session_id: str, thread: str, operation_id: str, message: Message) -> None:
        """Add what an operation said or found. An operation that is repeated keeps what it said first."""
        await self._pool.execute(
            """INSERT INTO transcripts (session_id, thread, operation_id, message) VALUES ($1, $2, $3, $4::json)
               ON CONFLICT DO NOTHING""",
            session_id,
            thread,
            operation_id,
            message.model_dump_json(),
        )

    async def said(self, session_id: str, thread: str, operation_id: str) -> Message | None:
        """What an operation has said, if it got that far."""
        text = await self._pool.fetchval(
            "SELECT message::text FROM transcripts WHERE session_id = $1 AND thread = $2 AND operation_id = $3",
            session_id,
            thread,
            operation_id,
        )
        return None if text is None else Message.model_validate_json(text)

    async def messages(self, session_id: str, thread: str) -> list[Message]:
        """The whole thread, in order."""
        rows = await self._pool.fetch(
            "SELECT message::text FROM transcripts WHERE session_id = $1 AND thread = $2 ORDER BY position",
            session_id,
            thread,
        )
        return [Message.model_validate_json(row[0]) for row in rows]
