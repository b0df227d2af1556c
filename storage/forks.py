"""What a session takes over from the one that it forks from, beside the files."""

from datetime import datetime

from schemas.session import PhaseProgress
from storage.database import Database
from storage.sessions import SessionRecord, Sessions


class NotOwned(Exception):
    """The sessions belong to different people."""


class Forks:
    """Repository of what forks carry."""

    def __init__(self, database: Database) -> None:
        self._pool = database.pool
        self._sessions = Sessions(database)

    async def source(self, source_id: str, session_id: str) -> SessionRecord:
        """The session that `session_id` forks from. Raises SessionMissing, NotOwned."""
        source, session = await self._sessions.get(source_id), await self._sessions.get(session_id)
        if source.user_id != session.user_id:
            raise NotOwned(source_id)
        return source

    async def phases(self, session_id: str) -> list[PhaseProgress]:
        """The phases of a session as its events tell them, in the order in which they were begun."""
        rows = await self._pool.fetch(
            """SELECT DISTINCT ON (phase ->> 'id') phase::text FROM (
                 SELECT seq, data::json -> 'phase' AS phase FROM events WHERE session_id = $1 AND type = 'phase') told
               ORDER BY phase ->> 'id', seq DESC""",
            session_id,
        )
        phases = [PhaseProgress.model_validate_json(row["phase"]) for row in rows]
        return sorted(phases, key=lambda phase: phase.age)

    async def copy_plan(self, source_id: str, session_id: str, operation_id: str, until: datetime) -> None:
        """Begin with another session's blueprint, which `operation_id` wrote, as it stood at a time.

        Doing it again changes nothing.
        """
        await self._pool.execute(
            """INSERT INTO operations (session_id, id, begun_at, result, finished_at)
               SELECT $2, id, begun_at, result, finished_at FROM operations WHERE session_id = $1 AND id = $3
               ON CONFLICT DO NOTHING""",
            source_id,
            session_id,
            operation_id,
        )
        await self._pool.execute(
            """INSERT INTO blueprints (session_id, operation_id, blueprint, created_at)
               SELECT $2, operation_id, blueprint, created_at FROM blueprints
               WHERE session_id = $1 AND created_at <= $3 ORDER BY position ON CONFLICT DO NOTHING""",
            source_id,
            session_id,
            until,
        )

    async def copy_conversation(self, source_id: str, session_id: str, until: datetime) -> None:
        """Begin a session's conversation with another one's up to a time. Doing it again changes nothing."""
        await self._pool.execute(
            """INSERT INTO messages (session_id, id, role, text, author, state, phase_id, created_at, options, meaning)
               SELECT $2, id, role, text, author, 'done', phase_id, created_at, options, meaning FROM messages
               WHERE session_id = $1 AND created_at <= $3 AND state <> 'withdrawn'
               ORDER BY position ON CONFLICT DO NOTHING""",
            source_id,
            session_id,
            until,
        )
        await self._pool.execute(
            """INSERT INTO message_images (session_id, message_id, position, image_id)
               SELECT $2, message_id, position, image_id FROM message_images i
               WHERE session_id = $1
                 AND (message_id = '' OR EXISTS (
                   SELECT FROM messages m WHERE m.session_id = $2 AND m.id = i.message_id))
               ON CONFLICT DO NOTHING""",
            source_id,
            session_id,
        )
