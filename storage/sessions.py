"""One row per session: what is listed and shown without asking the workflow."""

from collections.abc import Sequence
from datetime import UTC, datetime

import asyncpg
from pydantic import BaseModel, Field

from schemas.session import Mode, Progress, SessionRequest, State
from storage.database import Database


class SessionMissing(Exception):
    """There is no such session."""


def _now() -> datetime:
    return datetime.now(UTC)


class SessionRecord(BaseModel):
    """A session. `preview_name` is the host name part under which its application is shown."""

    id: str = Field(pattern=r"^[A-Za-z0-9._:@-]{1,100}$")
    user_id: str = "local"
    idempotency_key: str | None = None
    title: str = ""
    prompt: str
    mode: Mode
    template: str | None = None
    request: SessionRequest | None = None
    state: State = "starting"
    state_reason: str = ""
    state_since: datetime = Field(default_factory=_now)
    preview_name: str | None = None
    created_at: datetime = Field(default_factory=_now)
    updated_at: datetime = Field(default_factory=_now)


class StoredProgress(BaseModel):
    """The progress stored last; every event up to `seq` is reflected in it. `age` in seconds."""

    progress: Progress
    seq: int
    age: float


_COLUMNS = """id, user_id, idempotency_key, title, prompt, mode, template, request, state, state_reason, state_since,
  preview_name, created_at, updated_at"""


class Sessions:
    """Repository of sessions."""

    def __init__(self, database: Database) -> None:
        self._pool = database.pool

    async def create(self, session: SessionRecord) -> SessionRecord:
        """Store a session unless its id, or its user's idempotency key, is known. Returns what is stored."""
        row = await self._pool.fetchrow(
            f"""INSERT INTO sessions
                 (id, user_id, idempotency_key, title, prompt, mode, template, request, state, state_reason,
                  state_since, preview_name, created_at, updated_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
               ON CONFLICT DO NOTHING RETURNING {_COLUMNS}""",
            session.id,
            session.user_id,
            session.idempotency_key,
            session.title,
            session.prompt.replace("\0", ""),  # Postgres text cannot hold it
            session.mode,
            session.template,
            session.request.model_dump_json() if session.request else None,
            session.state,
            session.state_reason,
            session.state_since,
            session.preview_name,
            session.created_at,
            session.updated_at,
        )
        if row is not None:
            return _session(row)
        if (known := await self._find("id = $1", session.id)) is not None:
            return known
        if session.idempotency_key is not None:
            same = await self.by_idempotency_key(session.user_id, session.idempotency_key)
            if same is not None:
                return same
        raise ValueError(f"the preview name {session.preview_name} is taken")

    async def get(self, session_id: str) -> SessionRecord:
        """Raises SessionMissing."""
        session = await self._find("id = $1", session_id)
        if session is None:
            raise SessionMissing(session_id)
        return session

    async def by_idempotency_key(self, user_id: str, key: str) -> SessionRecord | None:
        return await self._find("user_id = $1 AND idempotency_key = $2", user_id, key)

    async def by_preview_name(self, preview_name: str) -> SessionRecord | None:
        return await self._find("preview_name = $1", preview_name)

    async def list(
        self,
        user_id: str,
        limit: int = 50,
        before: str | None = None,
        *,
        text: str | None = None,
        states: Sequence[State] = (),
        archived: bool = False,
    ) -> list[SessionRecord]:
        """A user's sessions, newest first; `before` is the id of the last one on the page before.

        Only those with `text` in title or prompt, whatever its case, and in one of `states`, where any are given. Those
        put away are a list of their own.
        """
        rows = await self._pool.fetch(
            f"""SELECT {_COLUMNS} FROM sessions
               WHERE user_id = $1 AND (archived_at IS NOT NULL) = $6
                 AND ($3::text IS NULL OR (created_at, id) < (SELECT created_at, id FROM sessions WHERE id = $3))
                 AND ($4::text IS NULL OR strpos(lower(title || ' ' || prompt), lower($4)) > 0)
                 AND (cardinality($5::text[]) = 0 OR state = ANY ($5))
               ORDER BY created_at DESC, id DESC LIMIT $2""",
            user_id,
            limit,
            before,
            text.replace("\0", "") if text else None,
            list(states),
            archived,
        )
        return [_session(row) for row in rows]

    async def some(self, session_ids: Sequence[str]) -> Sequence[SessionRecord]:
        """Those of these sessions that exist, in any order."""
        rows = await self._pool.fetch(f"SELECT {_COLUMNS} FROM sessions WHERE id = ANY ($1)", list(session_ids))
        return [_session(row) for row in rows]

    async def set_state(self, session_id: str, state: State, reason: str = "") -> None:
        """Note the state; `state_since` moves only when the state changes. Raises SessionMissing."""
        await self._update(
            session_id,
            """state = $2, state_reason = $3,
               state_since = CASE WHEN state = $2 THEN state_since ELSE now() END""",
            state,
            reason,
        )

    async def set_archived(self, session_id: str, archived: bool) -> None:
        """Put the session away, or take it out again."""
        await self._pool.execute(
            "UPDATE sessions SET archived_at = CASE WHEN $2 THEN coalesce(archived_at, now()) END WHERE id = $1",
            session_id,
            archived,
        )

    async def set_title(self, session_id: str, title: str) -> None:
        """Raises SessionMissing."""
        await self._update(session_id, "title = $2", title)

    async def set_template(self, session_id: str, template: str) -> None:
        """Raises SessionMissing."""
        await self._update(session_id, "template = $2", template)

    async def set_preview_name(self, session_id: str, preview_name: str) -> None:
        """Raises SessionMissing."""
        await self._update(session_id, "preview_name = $2", preview_name)

    async def save_progress(self, session_id: str, progress: Progress) -> None:
        """Keep the session's progress for when no worker answers; an older one never replaces a newer one.

        Title, template and state of the session follow it. Raises SessionMissing.
        """
        found = await self._pool.fetchval("SELECT true FROM sessions WHERE id = $1", session_id)
        if not found:
            raise SessionMissing(session_id)
        await self._pool.execute(
            """UPDATE sessions SET progress = $2, progress_seq = $3, progress_at = now(), updated_at = now(),
                 title = $4, template = $5, state = $6, state_reason = $7, state_since = $8
               WHERE id = $1 AND progress_seq <= $3""",
            session_id,
            progress.model_dump_json(),
            progress.last_seq,
            progress.title,
            progress.template,
            progress.state.name,
            progress.state.reason,
            progress.state.since,
        )

    async def load_progress(self, session_id: str) -> StoredProgress | None:
        """The progress stored last, or None when none is."""
        row = await self._pool.fetchrow(
            """SELECT progress, progress_seq, extract(epoch FROM now() - progress_at)::float8 AS age
               FROM sessions WHERE id = $1 AND progress IS NOT NULL""",
            session_id,
        )
        if row is None:
            return None
        progress = Progress.model_validate_json(row["progress"])
        return StoredProgress(progress=progress, seq=row["progress_seq"], age=max(0.0, row["age"]))

    async def _find(self, condition: str, *values: str) -> SessionRecord | None:
        row = await self._pool.fetchrow(f"SELECT {_COLUMNS} FROM sessions WHERE {condition}", *values)
        return _session(row) if row else None

    async def _update(self, session_id: str, assignments: str, *values: str) -> None:
        status = await self._pool.execute(
            f"UPDATE sessions SET {assignments}, updated_at = now() WHERE id = $1", session_id, *values
        )
        if status == "UPDATE 0":
            raise SessionMissing(session_id)


def _session(row: asyncpg.Record) -> SessionRecord:
    values = dict(row)
    if values["request"] is not None:
        values["request"] = SessionRequest.model_validate_json(values["request"])
    return SessionRecord.model_validate(values)
