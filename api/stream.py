"""The events of sessions for everyone who watches them through this process.

One connection listens to Postgres and one task reads what is new for all sessions that are watched, each event once.
Readers take it from the session's ring; one that is behind the ring is served from the table until it has caught up, so
it neither slows others nor costs memory.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import suppress
from itertools import groupby
from operator import attrgetter
from typing import Final

import asyncpg
import structlog

from api.frames import HEARTBEAT, OPENING, event_frames, snapshot_frame
from api.ring import Ring, Slice
from schemas.events import Staleness
from schemas.http import SessionSnapshot
from schemas.session import Progress, StateInfo
from storage.database import Database, is_transient, until_available
from storage.event_tail import CHANNEL, EventTail, StoredEvent, parse_notification
from storage.messages import Messages
from storage.sessions import SessionMissing, SessionRecord, Sessions

log = structlog.get_logger(__name__)

READ_ROWS: Final = 1_000  # rows of one session in one read
BATCH_ROWS: Final = 200  # events of one batch in a ring
POLL_SECONDS: Final = 2.0  # a notification can be lost together with its connection
HEARTBEAT_SECONDS: Final = 15.0
IDLE_SECONDS: Final = 30.0  # how long a ring without readers is kept
SNAPSHOT_SECONDS: Final = 2.0  # how long a snapshot may take before the stored one is shown
WAIT_SECONDS: Final = 0.5  # between two tries while Postgres is away
LONGEST_REST: Final = 0.03  # seconds between two rounds of waking readers
ANYTHING: Final = 1 << 62  # a head that makes a ring read whatever there is

SnapshotSource = Callable[[], Awaitable[SessionSnapshot]]


class Stream:
    """The reading end of the log in one API process. `start()` it before, `aclose()` it after use."""

    def __init__(self, database: Database, *, heartbeat: float = HEARTBEAT_SECONDS) -> None:
        self._database = database
        self._tail = EventTail(database)
        self._sessions = Sessions(database)
        self._messages = Messages(database)
        self._heartbeat = heartbeat
        self._rings: dict[str, Ring] = {}
        self._behind: dict[str, int] = {}
        self._work = asyncio.Event()
        self._snapshots: dict[str, asyncio.Task[tuple[int, bytes]]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = asyncio.Event()
        self.waiting = 0
        """Streams whose readers have not proven yet that they may read."""
        self.lag = 0.0
        """Seconds that the newest event read here was old by the database's clock and this machine's."""

    @property
    def readers(self) -> int:
        """How many streams this process serves."""
        return sum(ring.readers for ring in self._rings.values())

    async def start(self) -> None:
        """Listen and read in the background. Postgres may be away: the stream then begins when it is back."""
        rounds = ((self._listen, 0.25), (self._read, 0.0), (self._poll, POLL_SECONDS), (self._beat, self._heartbeat))
        self._tasks = [asyncio.create_task(self._keep(work, pause)) for work, pause in rounds]

    async def aclose(self) -> None:
        """End every reader's stream, and stop."""
        self.close_readers()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._snapshots.values(), return_exceptions=True)

    def close_readers(self) -> None:
        """End every reader's stream at once; their browsers come back, to another process or to the next one."""
        self._closing.set()
        for ring in self._rings.values():
            ring.stir()

    def stir(self, session_id: str) -> None:
        """Wake the readers of a session, which then send a sign of life."""
        if (ring := self._rings.get(session_id)) is not None:
            ring.stir()

    async def follow(self, session_id: str, after: int | None, snapshot: SnapshotSource) -> AsyncGenerator[bytes, None]:
        """Frames of a session, many in one piece, until the reader goes or the stream is closed.

        Without `after`, or with one beyond the head, it begins with an event `snapshot`; else with the event that
        follows `after`. When `snapshot` fails or takes over two seconds, the one stored last takes its place.
        """
        yield OPENING
        begun: tuple[Ring, int, bytes] | None = None
        while begun is None:
            try:
                begun = await self._begin(session_id, after, snapshot)
            except Exception as error:
                if not isinstance(error, SessionMissing) and not is_transient(error):
                    raise
                yield HEARTBEAT
                if await self.closes_within(WAIT_SECONDS):
                    return
        ring, cursor, first = begun
        ring.readers += 1
        try:
            if first:
                yield first
            while not self._closing.is_set():
                wake = ring.wake
                piece = ring.after(cursor) or await self._stored(session_id, cursor, ring.boundary(cursor))
                if piece.data:
                    cursor = piece.last
                    yield piece.data
                elif piece.last > cursor:
                    cursor = piece.last
                else:
                    await wake.wait()
                    if cursor >= ring.last and not self._closing.is_set():
                        yield HEARTBEAT
        finally:
            ring.readers -= 1
            ring.idle_since = time.monotonic()

    async def _stored(self, session_id: str, cursor: int, upto: int) -> Slice:
        """The events after `cursor` out of the table, up to a page; a sign of life while Postgres is away."""
        try:
            page = await self._tail.page(session_id, cursor, upto, READ_ROWS)
        except Exception as error:
            if not is_transient(error):
                raise
            await self.closes_within(WAIT_SECONDS)
            return Slice(HEARTBEAT, cursor)
        return Slice(event_frames(page), page[-1].seq if len(page) == READ_ROWS else upto)

    async def _begin(self, session_id: str, after: int | None, source: SnapshotSource) -> tuple[Ring, int, bytes]:
        """The session's ring, where in it a reader begins, and what it is given first."""
        head = await self._tail.head(session_id)
        if after is not None and 0 <= after <= head:
            return await self._ring(session_id), after, b""
        seq, first = await self._snapshot(session_id, source)
        return await self._ring(session_id), seq, first

    # ---------------------------------------------------------------- snapshots

    async def _snapshot(self, session_id: str, source: SnapshotSource) -> tuple[int, bytes]:
        """The last event that a snapshot reflects, and its frame.

        One is taken at a time per session: who comes while it is under way shares it.
        """
        task = self._snapshots.get(session_id)
        if task is None:
            task = asyncio.create_task(self._encode_snapshot(session_id, source))
            self._snapshots[session_id] = task
            task.add_done_callback(lambda done: self._snapshot_taken(session_id, done))
        return await asyncio.shield(task)

    async def _encode_snapshot(self, session_id: str, source: SnapshotSource) -> tuple[int, bytes]:
        snapshot = await self._take_snapshot(session_id, source)
        # Never beyond the head: a database restored from a backup may have forgotten what the workflow remembers.
        seq = min(snapshot.progress.last_seq, await self._tail.head(session_id))
        return seq, snapshot_frame(snapshot, seq)

    def _snapshot_taken(self, session_id: str, task: asyncio.Task[tuple[int, bytes]]) -> None:
        del self._snapshots[session_id]
        if not task.cancelled():
            task.exception()  # seen by those who waited, if they still do

    async def _take_snapshot(self, session_id: str, source: SnapshotSource) -> SessionSnapshot:
        try:
            async with asyncio.timeout(SNAPSHOT_SECONDS):
                return await source()
        except TimeoutError:
            reason = "The session's worker did not answer in time."
        except Exception as error:
            log.warning("no snapshot from the workflow", session=session_id, error=f"{type(error).__name__}: {error}")
            reason = "The session's worker does not answer."
        return await self._stored_snapshot(session_id, reason)

    async def _stored_snapshot(self, session_id: str, reason: str) -> SessionSnapshot:
        """The last known picture, or the bare session when none was stored yet. Raises SessionMissing."""
        session = await self._sessions.get(session_id)
        stored = await self._sessions.load_progress(session_id)
        progress, age = (stored.progress, stored.age) if stored else (_bare_progress(session), 0.0)
        conversation = [record.message for record in await self._messages.list(session_id)]
        return SessionSnapshot(progress=progress, conversation=conversation, stale=Staleness(age=age, reason=reason))

    # ---------------------------------------------------------------- what keeps the rings filled

    async def _ring(self, session_id: str) -> Ring:
        if (ring := self._rings.get(session_id)) is None:
            head = await self._tail.head(session_id)
            ring = self._rings.setdefault(session_id, Ring(head))
            self._note(session_id, ANYTHING)  # what was committed between the two lines above
        return ring

    def _note(self, session_id: str, head: int) -> None:
        """There may be events up to `head`."""
        if (ring := self._rings.get(session_id)) is not None and head > ring.last:
            self._behind[session_id] = head
            self._work.set()

    async def _keep(self, work: Callable[[], Awaitable[None]], pause: float) -> None:
        """Do `work` for ever; an error ends one round of it, never the stream."""
        while True:
            try:
                await work()
            except Exception as error:
                log.warning("the stream starts over", error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(pause)

    async def _listen(self) -> None:
        """Hold the connection that hears of new events, until it is lost."""
        connection = await asyncpg.connect(
            self._database.dsn, timeout=5, command_timeout=5, server_settings={"application_name": "stich listener"}
        )
        try:
            lost = asyncio.Event()
            connection.add_termination_listener(lambda _: lost.set())
            await connection.add_listener(CHANNEL, self._hear)
            for session_id in self._rings:
                self._note(session_id, ANYTHING)  # whatever was said while nobody listened
            while not lost.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout(5):
                        await lost.wait()
                if not lost.is_set():
                    await connection.execute("SELECT 1")  # a connection can be dead without saying so
        finally:
            connection.terminate()

    def _hear(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        for session_id, head in parse_notification(str(payload)).items():
            self._note(session_id, head)

    async def _read(self) -> None:
        """Read what is new, for all sessions that have something new in one query."""
        await self._work.wait()
        self._work.clear()
        behind, self._behind = self._behind, {}
        cursors = {session_id: ring.last for session_id in behind if (ring := self._rings.get(session_id))}
        if not cursors:
            return
        events = await until_available(lambda: self._tail.after(cursors, READ_ROWS), "read events")
        began = time.monotonic()
        for session_id, group in groupby(events, key=attrgetter("session_id")):
            self._fill(session_id, list(group))
        await asyncio.sleep(0)  # in which those who were woken take their pieces
        # With many readers, half of the time is left for what else is to be done, and pieces grow instead.
        await asyncio.sleep(min(time.monotonic() - began, LONGEST_REST))

    def _fill(self, session_id: str, events: Sequence[StoredEvent]) -> None:
        ring = self._rings.get(session_id)
        if ring is None:
            return
        if len(events) == READ_ROWS:
            self._note(session_id, ANYTHING)
        self.lag = max(0.0, time.time() - events[-1].at.timestamp())
        events = [event for event in events if event.seq > ring.last]  # the ring may be a new one by now
        for start in range(0, len(events), BATCH_ROWS):
            batch = events[start : start + BATCH_ROWS]
            ring.add(event_frames(batch), batch[-1].seq)

    async def _poll(self) -> None:
        """Find what no notification told, and let go of rings that nobody reads."""
        old = time.monotonic() - IDLE_SECONDS
        for session_id in [s for s, r in self._rings.items() if not r.readers and r.idle_since < old]:
            del self._rings[session_id]
        if self._rings:
            for session_id, head in (await self._tail.heads(self._rings)).items():
                self._note(session_id, head)

    async def _beat(self) -> None:
        """Show everyone that the connection lives."""
        for ring in self._rings.values():
            ring.stir()

    async def closes_within(self, seconds: float) -> bool:
        """Wait, and tell whether the stream was closed meanwhile."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        return self._closing.is_set()


def _bare_progress(session: SessionRecord) -> Progress:
    """What is known of a session whose workflow never told."""
    state = StateInfo(name=session.state, since=session.state_since, reason=session.state_reason)
    return Progress(
        session_id=session.id,
        title=session.title,
        prompt=session.prompt,
        mode=session.mode,
        template=session.template,
        state=state,
        created_at=session.created_at,
    )
