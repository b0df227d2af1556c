"""How sessions look from outside: the whole picture of one, and a line for each of many."""

from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Final

from api.access import Session
from api.examples import EXAMPLE_ID, EXAMPLE_PROMPT, EXAMPLE_STATE, EXAMPLE_TIME
from api.problems import (
    NO_SESSION,
    Refusal,
)
from api.services import Services
from schemas.events import Staleness
from schemas.http import (
    SessionList,
    SessionSnapshot,
    SessionSummary,
)
from schemas.session import (
    ChatMessage,
    Progress,
    QueuedMessage,
)
from storage.sessions import SessionMissing, SessionRecord


async def snapshot(services: Services, session: Session) -> SessionSnapshot:
    """The workflow's own answer; when it gives none, the progress stored last, saying how old it is and why.

    Raises Refusal NO_WORKER or TEMPORAL_AWAY when nothing is stored either.
    """
    try:
        return await fresh_snapshot(services, session.id)
    except Refusal as refusal:
        stored = await services.sessions.load_progress(session.id) if session.record else None
        if stored is None:
            raise
        reason = "Its workflow is no longer kept." if refusal.kind is NO_SESSION else f"{refusal.kind.title}."
        return await _with_conversation(services, stored.progress, Staleness(age=stored.age, reason=reason))


async def fresh_snapshot(services: Services, session_id: str) -> SessionSnapshot:
    """The workflow's own answer with the conversation. It is kept for when no worker answers. Raises Refusal."""
    progress = await services.workflows.progress(session_id)
    with suppress(SessionMissing):
        await services.sessions.save_progress(session_id, progress)
    return await _with_conversation(services, progress)


async def _with_conversation(services: Services, progress: Progress, stale: Staleness | None = None) -> SessionSnapshot:
    session_id = progress.session_id
    turns = [record.message for record in await services.messages.list(session_id)]
    return SessionSnapshot(
        # The files as they are stored: users' edits reach the workflow a little later.
        progress=services.settings.readdressed(
            progress.model_copy(update={"files": await services.files.current(session_id)})
        ),
        conversation=_with_unstored(turns, progress.messages),
        conflicts=await services.conflicts.open(session_id),
        stale=stale,
    )


def _with_unstored(turns: list[ChatMessage], queued: Sequence[QueuedMessage]) -> list[ChatMessage]:
    """The stored conversation and the messages that the workflow has taken but nobody has stored yet."""
    stored = {turn.id for turn in turns}
    return turns + [message.turn for message in queued if message.id not in stored]


async def summaries(services: Services, records: Sequence[SessionRecord]) -> list[SessionSummary]:
    """A line for each session, in the same order."""
    rows = await services.database.pool.fetch(
        """SELECT id, coalesce((progress->>'demo')::bool, false) AS demo,
             coalesce((progress#>>'{usage,cost_usd}')::numeric, 0) AS cost_usd,
             (SELECT sha256 FROM screenshots WHERE session_id = sessions.id
              ORDER BY width < 700, created_at DESC, id DESC LIMIT 1) AS screenshot
           FROM sessions WHERE id = ANY ($1)""",
        [record.id for record in records],
    )
    more = {row["id"]: dict(row) for row in rows}
    return [SessionSummary(**record.model_dump(exclude={"id"}), **more[record.id]) for record in records]


EXAMPLE_SNAPSHOT: Final = SessionSnapshot(
    progress=Progress(
        session_id=EXAMPLE_ID,
        title="Kanban board",
        prompt=EXAMPLE_PROMPT,
        mode="deterministic",
        template="react-vite",
        model="demo/recorded",
        demo=True,
        state=EXAMPLE_STATE,
        created_at=EXAMPLE_TIME,
        last_seq=17,
    ),
    conversation=[ChatMessage(id="m-1", role="user", text="Add dark mode", at=EXAMPLE_TIME, state="queued")],
)
EXAMPLE_LIST: Final = SessionList(
    sessions=[
        SessionSummary(
            id=EXAMPLE_ID,
            title="Kanban board",
            prompt=EXAMPLE_PROMPT,
            mode="deterministic",
            template="react-vite",
            state="generating",
            demo=True,
            cost_usd=Decimal("0.0421"),
            created_at=EXAMPLE_TIME,
            updated_at=EXAMPLE_TIME,
        )
    ]
)
