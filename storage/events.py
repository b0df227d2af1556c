"""Writing the event log: one ordered, gap-free sequence per session, from any number of workers.

An operation writes through an EventWriter. Its token belongs to one attempt: a newer attempt takes the writer over,
the older one is refused from then on (`Fenced`). All writers of a process share one transaction per tick. The
workflow's own events go through `append_outbox`, numbered by the workflow.

Numbers are given out without gaps. Pieces of text (`file_chunk` and the like) are removed from storage once the whole
is known: a reader that comes later skips them and finds the whole announced by a later event (`file_generated` has
path, hash and version: who lacks the text loads it by these). Up to `event_heads.compacted_seq` rows may be missing
for that reason, after it none is.
"""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

import structlog

from schemas.events import Event, FileGenerated
from storage.database import Connection, Database, until_available
from storage.event_pieces import JoinedText, TextEvent, row_of
from storage.event_rows import (
    Fenced,
    Holder,
    Row,
    append_rows,
    append_workflow_rows,
    check_token,
    lock_head,
    remove_pieces,
    take_over,
)

__all__ = ["EventLog", "EventWriter", "Fenced", "LogClosed"]

log = structlog.get_logger(__name__)

TICK: Final = 0.04  # seconds between two transactions of a busy process, at most; an idle one sends at once
QUICK: Final = (
    4  # a quick Postgres is written to more often: this many times what a transaction takes, half a TICK at least
)
SMOOTHING: Final = 8
BUFFER: Final = 256 * 1024  # characters a writer may have unsent before `drain` waits
TRANSACTION: Final = 4 * 1024 * 1024  # characters of one transaction
STATEMENT_SECONDS: Final = 10.0


class LogClosed(Exception):
    """The event log of this process was closed before everything was written."""


class Batch(NamedTuple):
    """What one writer sends in one transaction: rows numbered from `first`."""

    writer: "EventWriter"
    first: int
    rows: list[Row]
    settles: int


class EventLog:
    """The writing end of the log in one worker process. `start()` it before, `aclose()` it after use."""

    def __init__(self, database: Database, tick: float = TICK) -> None:
        self.database = database
        self._tick = tick
        self._takes = tick  # what a transaction took lately, in seconds
        self._changed: dict[EventWriter, None] = {}
        self._wake = asyncio.Event()
        self._hurry = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="event log")

    async def aclose(self, timeout: float = 5) -> None:
        """Write what is buffered, for at most `timeout` seconds; what could not be written fails with LogClosed."""
        if self._task is None:
            return
        deadline = time.monotonic() + timeout
        while self._changed and time.monotonic() < deadline:
            self._hurry.set()
            await asyncio.sleep(0.01)
        task, self._task = self._task, None
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        for writer in list(self._changed):
            writer.fail(LogClosed("the event log was closed"))

    async def open(
        self,
        session_id: str,
        writer: str,
        *,
        run_id: str,
        attempt: int,
        execution: int = 0,
        reset: Event | None = None,
    ) -> "EventWriter":
        """Take over `writer` (an operation's id) for this attempt.

        Within a workflow run the higher (execution, attempt) holds the writer; a run that took over from another keeps
        it. When an earlier attempt wrote events, `reset` is appended first and the earlier pieces of text are removed.

        Waits while Postgres is away. Raises Fenced when this attempt was superseded already.
        """
        holder = Holder(uuid.uuid4(), run_id, execution, attempt)

        async def take() -> bool:
            async with self.database.transaction() as connection:
                return await take_over(connection, session_id, writer, holder, row_of(reset) if reset else None)

        resumed = await until_available(take, "open a writer")
        return EventWriter(self, session_id, writer, holder.token, resumed)

    async def append_outbox(self, session_id: str, first_n: int, events: Sequence[Event], *, run_id: str = "") -> int:
        """Append the workflow's events number `first_n` and following, once each however often this is called.

        `run_id` is the workflow's run: it tells a workflow that was reset, and counts again, from a repeated call.
        Returns the session's last sequence number. Waits while Postgres is away. Raises OutboxGap when events before
        these are missing, Fenced when another run of the workflow took over (after a reset).
        """

        async def append() -> int:
            async with self.database.transaction() as connection:
                return await append_workflow_rows(connection, session_id, run_id, first_n, [row_of(e) for e in events])

        return await until_available(append, "append the workflow's events")

    async def compact(self, session_id: str, operation_id: str) -> int:
        """Remove the pieces of text of an operation that is over. Returns how many rows went."""

        async def remove() -> int:
            async with self.database.transaction() as connection:
                await lock_head(connection, session_id)
                return await remove_pieces(connection, session_id, operation_id)

        return await until_available(remove, "compact an operation's events")

    def changed(self, writer: "EventWriter") -> None:
        """`writer` has something to send. For EventWriter. Raises LogClosed."""
        if self._task is None:
            raise LogClosed("the event log is not running")
        self._changed[writer] = None
        self._wake.set()

    def hurry(self) -> None:
        """Somebody waits for what is buffered: do not wait for the tick. For EventWriter."""
        self._hurry.set()

    async def _run(self) -> None:
        last = 0.0
        while True:
            await self._wake.wait()
            await self._until_tick(last + min(self._tick, max(self._tick / 2, QUICK * self._takes)))
            self._wake.clear()
            self._hurry.clear()
            last = time.monotonic()
            batches = self._take_batches()
            if batches:
                await self._send(batches)
                self._takes += (time.monotonic() - last - self._takes) / SMOOTHING

    async def _until_tick(self, due: float) -> None:
        if (wait := due - time.monotonic()) > 0:
            try:
                async with asyncio.timeout(wait):
                    await self._hurry.wait()
            except TimeoutError:
                pass

    def _take_batches(self) -> list[Batch]:
        batches, size = [], 0
        for writer in list(self._changed):
            if size > TRANSACTION:
                self._wake.set()  # the rest takes its turn in the next transaction
                break
            size += writer.buffered
            if (batch := writer.take()) is not None:
                batches.append(batch)
        return batches

    def _settle(self, batch: Batch, seq: int | None) -> None:
        """The batch is in the log up to `seq`, or was refused (None)."""
        if seq is None:
            batch.writer.fail(Fenced(f"a newer attempt of {batch.writer.name} took over"))
        else:
            batch.writer.settle(batch, seq)
        self._sent(batch.writer)

    def _sent(self, writer: "EventWriter") -> None:
        if not writer.unsent:
            self._changed.pop(writer, None)

    async def _send(self, batches: list[Batch]) -> None:
        """Store batches in one transaction, trying until Postgres accepts. A batch that it rejects fails alone."""
        try:
            placed = await until_available(lambda: self._append(batches), "append events")
        except Exception as error:
            if len(batches) == 1:
                log.error("events rejected", session=batches[0].writer.session_id, error=str(error))
                batches[0].writer.fail(error)
                self._sent(batches[0].writer)
                return
            for batch in batches:
                await self._send([batch])
            return
        for position, batch in enumerate(batches, 1):
            self._settle(batch, placed.get(position))

    async def _append(self, batches: list[Batch]) -> dict[int, int]:
        """Position of each accepted batch (from 1) and its last sequence number."""
        writers = [batch.writer for batch in batches]
        rows = [(position, row) for position, batch in enumerate(batches, 1) for row in batch.rows]
        answer = await self.database.pool.fetch(
            "SELECT segment, last_seq FROM append_events($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            [writer.session_id for writer in writers],
            [writer.name for writer in writers],
            [writer.token for writer in writers],
            [batch.first for batch in batches],
            [len(batch.rows) for batch in batches],
            [position for position, _ in rows],
            [row.type for _, row in rows],
            [row.chunk_of for _, row in rows],
            [row.data for _, row in rows],
            timeout=STATEMENT_SECONDS,
        )
        return {record["segment"]: record["last_seq"] for record in answer}


class EventWriter:
    """One attempt's right to write an operation's events. Used by one task at a time."""

    def __init__(self, event_log: EventLog, session_id: str, name: str, token: uuid.UUID, resumed: bool) -> None:
        self.session_id = session_id
        self.name = name
        self.token = token
        self.resumed = resumed
        """An earlier attempt wrote events: its closed files stand."""
        self.last_seq = 0
        self.buffered = 0
        self._log = event_log
        self._n = 0  # events of this attempt handed to Postgres so far
        self._buffer: list[Row | JoinedText] = []
        self._put = 0
        self._settled = 0
        self._busy = False  # a batch or a transaction of this writer is under way
        self._progress = asyncio.Event()
        self._failure: Exception | None = None
        self._closed_files: list[str] = []

    @property
    def unsent(self) -> bool:
        return bool(self._buffer or self._busy) and self._failure is None

    def put(self, event: Event) -> None:
        """Buffer an event; adjacent pieces of the same text are joined.

        Raises Fenced once a newer attempt took over, LogClosed, and UnicodeEncodeError for half a surrogate pair.
        """
        self._check()
        if isinstance(event, TextEvent):
            tail = self._buffer[-1] if self._buffer else None
            if not (isinstance(tail, JoinedText) and tail.join(event)):
                self._buffer.append(JoinedText(event))
            self.buffered += len(event.text)
        else:
            row = row_of(event)
            self._buffer.append(row)
            self.buffered += len(row.data)
        self._put += 1
        self._log.changed(self)

    async def drain(self) -> None:
        """Wait while more than 256 KB are unsent, as when Postgres is slow or away. Raises Fenced."""
        while self.buffered > BUFFER:
            await self._wait()
        self._check()

    async def flush(self) -> int:
        """Wait until everything put so far is in the log. Returns its last sequence number. Raises Fenced."""
        goal = self._put
        while self._settled < goal:
            self._log.hurry()
            await self._wait()
        self._check()
        return self.last_seq

    async def store(self, work: Callable[[Connection], Awaitable[Sequence[Event]]]) -> int:
        """Write other tables and events in one transaction, after everything put before and only if not fenced.

        `work` receives the connection and returns the events to append. It runs again when a reply was lost, so it has
        to recognise what it stored before. Returns the last sequence number. Waits while Postgres is away. Raises
        Fenced, and what `work` raises.
        """
        await self.flush()
        # A cancelled caller must not leave a transaction of unknown end behind: it finishes first.
        return await asyncio.shield(asyncio.create_task(self._store_alone(work)))

    async def aclose(self, finished: bool) -> None:
        """Write what is buffered. `finished` says that the operation is done: its pieces of text are removed.

        Raises Fenced, and LogClosed.
        """
        await self.flush()
        if finished:
            await self._log.compact(self.session_id, self.name)

    def take(self) -> Batch | None:
        """The buffered events as a batch, numbered; None when there is none or one is under way. For EventLog."""
        if self._busy or not self._buffer or self._failure is not None:
            return None
        rows = [item.row() if isinstance(item, JoinedText) else item for item in self._buffer]
        batch = Batch(self, self._n + 1, rows, self._put)
        self._buffer, self.buffered, self._busy = [], 0, True
        self._n += len(rows)
        return batch

    def settle(self, batch: Batch, seq: int) -> None:
        """The batch is in the log. For EventLog."""
        self.last_seq, self._settled, self._busy = seq, batch.settles, False
        self._notify()

    def fail(self, error: Exception) -> None:
        """Nothing more will be accepted from this writer. For EventLog."""
        self._failure = self._failure or error
        self._buffer, self.buffered, self._busy = [], 0, False
        self._notify()

    async def _store_alone(self, work: Callable[[Connection], Awaitable[Sequence[Event]]]) -> int:
        while self._busy:
            await self._wait()
        self._busy = True
        try:
            self._n, self.last_seq, files = await until_available(lambda: self._store(work), "store with events")
            self._closed_files = files or self._closed_files
        except Fenced as error:
            self.fail(error)
            raise
        finally:
            self._busy = False
            self._notify()
            if self._buffer:
                self._log.changed(self)
        return self.last_seq

    async def _store(self, work: Callable[[Connection], Awaitable[Sequence[Event]]]) -> tuple[int, int, list[str]]:
        """The last item, its number and the files announced."""
        async with self._log.database.transaction() as connection:
            await lock_head(connection, self.session_id)
            last_n, seq = await check_token(connection, self.session_id, self.name, self.token)
            events = await work(connection)
            files = [event.file.path for event in events if isinstance(event, FileGenerated)]
            if last_n > self._n or not events:  # committed by an earlier try whose reply was lost, or nothing to say
                return last_n, seq, files
            seq = await append_rows(connection, self.session_id, self.name, [row_of(event) for event in events])
            last_n = self._n + len(events)
            await connection.execute(
                "UPDATE event_writers SET last_n = $3, last_seq = $4 WHERE session_id = $1 AND writer = $2",
                self.session_id,
                self.name,
                last_n,
                seq,
            )
            if files and self._closed_files:  # one file behind, so that those who watch see this one to its end
                await remove_pieces(connection, self.session_id, self.name, self._closed_files)
            return last_n, seq, files

    async def _wait(self) -> None:
        self._check()
        await self._progress.wait()

    def _notify(self) -> None:
        progress, self._progress = self._progress, asyncio.Event()
        progress.set()

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure
