"""The conversation of a session: turns in the order in which they came, each with an id its sender chose."""

import hashlib
from collections.abc import Sequence
from typing import Literal

import asyncpg
import orjson
from pydantic import BaseModel

from schemas.session import ChatMessage, ImageRef, UserMessage
from storage.database import Database
from storage.images import attach_images

Claim = Literal["given", "heard", "taken", "withdrawn"]
"""Whose the id of a message is: this message's, this one's that the session has taken already, another one's, or this
one's that was taken back."""


class MessageRecord(BaseModel):
    """A turn and, where it asked for a change, the phase that carries it out. `meaning` spells out what it asks for,
    where its words alone do not."""

    message: ChatMessage
    phase_id: str | None
    meaning: str | None = None


class Messages:
    """Repository of conversations."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pool = database.pool

    async def claim(self, session_id: str, message: UserMessage) -> Claim:
        """Keep an id for a message, from the first call on, and say whether it is this one's.

        Everything that a person can choose counts, not the text alone.
        """
        row = await self._pool.fetchrow(
            """WITH known AS (SELECT text, author, state, reflects FROM messages WHERE session_id = $1 AND id = $2),
                 claimed AS (
                   INSERT INTO message_ids AS m (session_id, id, sha256)
                   SELECT $1, $2, $3 WHERE NOT EXISTS (SELECT FROM known WHERE text <> $4)
                     OR EXISTS (SELECT FROM message_ids WHERE session_id = $1 AND id = $2)
                   ON CONFLICT (session_id, id) DO UPDATE SET id = m.id RETURNING sha256)
               SELECT EXISTS (SELECT FROM claimed WHERE sha256 = $3)
                   AND NOT EXISTS (SELECT FROM known WHERE author <> $5) AS same,
                 EXISTS (SELECT FROM known WHERE state = 'withdrawn') AS withdrawn,
                 EXISTS (SELECT FROM known WHERE reflects > 0) AS heard""",
            session_id,
            message.id,
            _digest(message),
            _plain(message.text),
            message.author,
        )
        assert row is not None  # one row of answers, always
        if not row["same"]:
            return "taken"
        if row["withdrawn"]:
            return "withdrawn"
        return "heard" if row["heard"] else "given"

    async def receive(self, session_id: str, message: UserMessage) -> None:
        """Show a message that the session was handed, also while no worker runs that could take it. Unless its id is
        known: then there is more to show already."""
        async with self._database.transaction() as connection:
            status = await connection.execute(
                """INSERT INTO messages (session_id, id, role, text, author, state)
                   SELECT id, $2, 'user', $3, $4, 'queued' FROM sessions WHERE id = $1
                   ON CONFLICT DO NOTHING""",
                session_id,
                message.id,
                _plain(message.text),
                message.author,
            )
            if status != "INSERT 0 0":
                await attach_images(connection, session_id, message.id, message.images)

    async def withdrawn(self, session_id: str, message_id: str) -> None:
        """Note that a message was taken back: its id cannot be used again from here on."""
        await self._pool.execute(
            "UPDATE messages SET state = 'withdrawn', updated_at = now() WHERE session_id = $1 AND id = $2",
            session_id,
            message_id,
        )

    async def author(self, session_id: str, message_id: str) -> str | None:
        """Who said something; None for a turn that is not stored yet."""
        found: str | None = await self._pool.fetchval(
            "SELECT author FROM messages WHERE session_id = $1 AND id = $2", session_id, message_id
        )
        return found

    async def put(self, session_id: str, message: ChatMessage, phase_id: str | None = None) -> MessageRecord:
        """Store a turn unless its id is known. Returns what is stored."""
        await self._pool.execute(
            """INSERT INTO messages (session_id, id, role, text, author, state, phase_id, created_at, options)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::json) ON CONFLICT DO NOTHING""",
            session_id,
            message.id,
            message.role,
            _plain(message.text),
            message.author,
            message.state,
            phase_id or message.phase_id,
            message.at,
            orjson.dumps(message.options).decode(),
        )
        row = await self._pool.fetchrow(
            "SELECT * FROM messages WHERE session_id = $1 AND id = $2", session_id, message.id
        )
        assert row is not None  # stored just now, and never deleted
        return _record(row, message.images)

    async def follow(self, session_id: str, message: ChatMessage, number: int) -> bool:
        """Store a turn, with its pictures, as the workflow's event `number` tells it. False where a later one did.

        Written in any order and any number of times, the last event is what stays.
        """
        async with self._database.transaction() as connection:
            status = await connection.execute(
                """INSERT INTO messages AS m
                     (session_id, id, role, text, author, state, phase_id, created_at, reflects, options)
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
                   ON CONFLICT (session_id, id) DO UPDATE
                   SET text = $4, phase_id = coalesce($7, m.phase_id), reflects = $9, updated_at = now(),
                     state = CASE WHEN m.state = 'withdrawn' THEN m.state ELSE $6 END,  -- noted before its event
                     meaning = CASE WHEN m.text = $4 THEN m.meaning END  -- another text may mean something else
                   WHERE m.reflects <= $9""",
                session_id,
                message.id,
                message.role,
                _plain(message.text),
                message.author,
                message.state,
                message.phase_id,
                message.at,
                number,
                orjson.dumps(message.options).decode(),
            )
            if status == "INSERT 0 0":
                return False
            if message.role == "user":
                await attach_images(connection, session_id, message.id, message.images)
            return True

    async def set_meaning(self, session_id: str, message_id: str, meaning: str) -> None:
        """Note what a turn asks for. The last note stands."""
        await self._pool.execute(
            "UPDATE messages SET meaning = $3, updated_at = now() WHERE session_id = $1 AND id = $2",
            session_id,
            message_id,
            _plain(meaning),
        )

    async def list(self, session_id: str, limit: int = 1_000) -> list[MessageRecord]:
        """The last turns, oldest first."""
        rows = await self._pool.fetch(
            """SELECT latest.*, nullif(u.name, '') AS author_name FROM (
                 SELECT * FROM messages WHERE session_id = $1 ORDER BY position DESC LIMIT $2) latest
               LEFT JOIN users u ON u.id = latest.author ORDER BY position""",
            session_id,
            limit,
        )
        images = await self._pool.fetch(
            """SELECT m.message_id, i.id, i.media_type, i.width, i.height, i.size
               FROM message_images m JOIN images i ON i.id = m.image_id
               WHERE m.session_id = $1 ORDER BY m.message_id, m.position""",
            session_id,
        )
        shown: dict[str, list[ImageRef]] = {}
        for row in images:
            shown.setdefault(row["message_id"], []).append(ImageRef.model_validate(dict(row)))
        return [_record(row, shown.get(row["id"], [])) for row in rows]


def _digest(message: UserMessage) -> bytes:
    """Tells messages apart; that of a bare text is the text's own."""
    parts = [_plain(message.text)]
    if message.interrupt or message.images:
        parts.append(orjson.dumps([message.interrupt, [image.id for image in message.images]]).decode())
    return hashlib.sha256("\0".join(parts).encode()).digest()


def _plain(text: str) -> str:
    """Without the one character that Postgres text cannot hold."""
    return text.replace("\0", "")


def _record(row: asyncpg.Record, images: Sequence[ImageRef]) -> MessageRecord:
    message = ChatMessage(
        id=row["id"],
        role=row["role"],
        text=row["text"],
        at=row["created_at"],
        author=row["author"],
        author_name=row.get("author_name"),
        state=row["state"],
        options=orjson.loads(row["options"]),
        phase_id=row["phase_id"],
        images=list(images),
    )
    return MessageRecord(message=message, phase_id=row["phase_id"], meaning=row["meaning"])
