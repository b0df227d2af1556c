"""The event log under random attempts, kills, lost requests, lost replies, repeats and compaction.

Several workers write a session through their own EventLog. Whatever happens, the numbers have no gap, nothing that was
flushed is lost, nothing appears twice, a superseded attempt writes nothing, and a file has one version per event.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from functools import partial
from itertools import count
from typing import Any, TypeVar

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from schemas.events import Event, FileChunk, FileGenerated, OperationReset, SessionInfoEvent
from schemas.session import FileRef
from storage.database import Connection, Database
from storage.events import EventLog, EventWriter, Fenced
from storage.files import Files, FileVersion

T = TypeVar("T")
OPERATIONS = st.sampled_from(["op-a", "op-b"])
BACK = st.sampled_from([0, 0, 0, 1])
FAULTS = st.sampled_from(["none", "lose the request", "lose the reply"])

EXAMPLES = int(os.environ.get("STICH_EXAMPLES", "12"))  # hundreds, for a long look

session_numbers = count()


class LossyPool:
    """Loses the next request before, or the next reply after it has taken effect."""

    def __init__(self, pool: Any, faults: list[str]) -> None:
        self._pool = pool
        self._faults = faults

    async def fetch(self, *arguments: Any, **options: Any) -> Any:
        fault = self._faults.pop() if self._faults else "none"
        if fault == "lose the request":
            raise ConnectionResetError(fault)
        answer = await self._pool.fetch(*arguments, **options)
        if fault == "lose the reply":
            raise ConnectionResetError(fault)
        return answer


class LossyDatabase(Database):
    """The same for transactions: lost before the commit, or after it."""

    def __init__(self, database: Database) -> None:
        self.faults: list[str] = []
        self._sound = database
        super().__init__(database.dsn, LossyPool(database.pool, self.faults))  # type: ignore[arg-type]

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        fault = self.faults.pop() if self.faults else "none"
        async with self._sound.transaction() as connection:
            yield connection
            if fault == "lose the request":
                raise ConnectionResetError(fault)
        if fault == "lose the reply":
            raise ConnectionResetError(fault)


class Attempt:
    """One attempt of an operation in the model: what it put, and what of it is certainly in the log."""

    def __init__(self, operation: str, number: int, worker: EventLog, writer: EventWriter) -> None:
        self.operation = operation
        self.number = number
        self.worker = worker
        self.writer = writer
        self.put: list[str] = []
        self.texts: set[str] = set()
        self.certain = 0
        self.offset = 0


class EventLogMachine(RuleBasedStateMachine):
    def __init__(self, loop: asyncio.AbstractEventLoop, database: Database) -> None:
        super().__init__()
        self.loop = loop
        self.database = database
        self.files = Files(database)
        self.session = f"session-{next(session_numbers)}"
        self.lossy = LossyDatabase(database)
        self.workers = [self.run(self.start_worker()) for _ in range(2)]
        self.attempts: dict[str, list[Attempt]] = {"op-a": [], "op-b": []}
        self.names = (f"e{number}" for number in count())
        self.outbox: list[SessionInfoEvent] = []
        self.written = 0
        self.seen: dict[int, tuple[str, dict[str, Any]]] = {}
        self.refused: list[str] = []

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(asyncio.wait_for(work, 20))

    async def start_worker(self) -> EventLog:
        worker = EventLog(self.lossy, tick=0.001)
        await worker.start()
        return worker

    # ---------------------------------------------------------------- what may happen

    @initialize()
    def begin_first_attempts(self) -> None:
        for worker, operation in enumerate(self.attempts):
            self.begin_attempt(operation, worker, "none")

    @rule(operation=OPERATIONS, worker=st.integers(0, 1), fault=FAULTS)
    def begin_attempt(self, operation: str, worker: int, fault: str) -> None:
        number = len(self.attempts[operation]) + 1
        reset = OperationReset(operation_id=operation, attempt=number, reason="again")
        self.run(self.collect())  # pieces of text may go now
        self.lossy.faults[:] = [fault]
        writer = self.run(self.workers[worker].open(self.session, operation, run_id="run", attempt=number, reset=reset))
        self.run(self.collect())
        written = {name for event in self.seen.values() for name in names_of(event)}
        for older in self.attempts[operation]:
            self.refused += [name for name in older.put if name not in written]
        self.attempts[operation].append(Attempt(operation, number, self.workers[worker], writer))

    @rule(operation=OPERATIONS)
    def begin_superseded_attempt(self, operation: str) -> None:
        if len(self.attempts[operation]) > 1:
            try:
                self.run(self.workers[0].open(self.session, operation, run_id="run", attempt=1))
            except Fenced:
                return
            raise AssertionError("a superseded attempt was let in")

    def pick(self, operation: str, back: int) -> Attempt | None:
        """An attempt, often the newest, that no kill has ended."""
        alive = [attempt for attempt in self.attempts[operation] if attempt.worker in self.workers]
        return alive[-1 - back % len(alive)] if alive else None

    def is_newest(self, attempt: Attempt) -> bool:
        return attempt is self.attempts[attempt.operation][-1]

    @rule(
        operation=OPERATIONS,
        back=BACK,
        kinds=st.lists(st.booleans(), min_size=1, max_size=4),
        flush=st.booleans(),
        fault=FAULTS,
    )
    def put(self, operation: str, back: int, kinds: list[bool], flush: bool, fault: str) -> None:
        attempt = self.pick(operation, back)
        if attempt is None:
            return
        self.lossy.faults[:] = [fault]
        try:
            for text in kinds:
                self.put_one(attempt, text)
            if flush:
                self.run(attempt.writer.flush())
                assert self.is_newest(attempt), "a superseded attempt got through"
                attempt.certain = len(attempt.put)
        except Fenced:
            assert not self.is_newest(attempt)

    def put_one(self, attempt: Attempt, text: bool) -> None:
        name = next(self.names)
        event: Event
        if text:
            event = FileChunk(
                operation_id=attempt.operation, path="x", offset=attempt.offset, text=f"{name} ", format="full_content"
            )
            attempt.offset += len(event.text)
        else:
            event = SessionInfoEvent(title=name, template=None, model=None, demo=False)
        attempt.writer.put(event)
        (attempt.put if self.is_newest(attempt) else self.refused).append(name)
        if text:
            attempt.texts.add(name)

    @rule(operation=OPERATIONS, back=BACK, fault=FAULTS)
    def close_file(self, operation: str, back: int, fault: str) -> None:
        attempt = self.pick(operation, back)
        if attempt is None:
            return
        name = next(self.names)

        def announce(version: FileVersion) -> Event:
            file = FileRef(path=version.path, sha256=version.sha256 or "", size=version.size, version=version.version)
            return FileGenerated(operation_id=operation, file=file)

        self.run(self.collect())
        self.lossy.faults[:] = [fault]
        try:
            self.run(
                self.files.close_file(
                    attempt.writer, name, name, author="model", reason="", phase_id=None, announce=announce
                )
            )
        except Fenced:
            assert not self.is_newest(attempt)
        else:
            assert self.is_newest(attempt), "a superseded attempt closed a file"
            attempt.put.append(name)
            attempt.certain = len(attempt.put)

    @rule(new=st.integers(0, 3), repeat=st.integers(0, 4), fault=FAULTS)
    def append_outbox(self, new: int, repeat: int, fault: str) -> None:
        for _ in range(new):
            self.outbox.append(SessionInfoEvent(title=next(self.names), template="wf", model=None, demo=False))
        first = max(0, self.written - repeat)
        self.lossy.faults[:] = [fault]
        self.run(self.workers[0].append_outbox(self.session, first + 1, self.outbox[first:], run_id="run"))
        self.written = len(self.outbox)

    @rule(worker=st.integers(0, 1))
    def kill_worker(self, worker: int) -> None:
        """kill -9: what it buffered is gone; a statement under way may commit or not."""
        killed = self.workers[worker]
        assert killed._task is not None
        killed._task.cancel()
        self.workers[worker] = self.run(self.start_worker())

    @precondition(lambda self: len(self.seen) > 5)
    @rule(operation=OPERATIONS)
    def compact(self, operation: str) -> None:
        self.run(self.collect())
        self.run(self.workers[0].compact(self.session, operation))

    # ---------------------------------------------------------------- what must hold

    async def collect(self) -> None:
        async with self.database.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            rows = await connection.fetch("SELECT seq, type, data FROM events WHERE session_id = $1", self.session)
            head = await connection.fetchrow("SELECT * FROM event_heads WHERE session_id = $1", self.session)
        present = {row["seq"]: (row["type"], json.loads(row["data"])) for row in rows}
        newest = max(self.seen, default=0)
        assert all(seq > newest for seq in present.keys() - self.seen.keys()), "an event came late"
        for seq, event in present.items():
            assert self.seen.setdefault(seq, event) == event, "an event changed"
        compacted = head["compacted_seq"] if head else 0
        last = head["last_seq"] if head else 0
        missing = set(range(1, last + 1)) - present.keys()
        assert all(seq <= compacted for seq in missing), "a gap"
        assert all(self.seen[seq][0] == "file_chunk" for seq in missing if seq in self.seen), "more than text is gone"
        assert max(present, default=0) <= last

    @invariant()
    def the_log_is_sound(self) -> None:
        self.run(self.collect())
        names = [name for _, event in sorted(self.seen.items()) for name in names_of(event)]
        assert len(names) == len(set(names)), "an event came twice"
        assert not set(self.refused) & set(names), "a superseded attempt wrote"
        workflow = [event["title"] for _, (_, event) in sorted(self.seen.items()) if event.get("template") == "wf"]
        assert workflow == [event.title for event in self.outbox[: self.written]]
        place = {name: position for position, name in enumerate(names)}
        for attempts in self.attempts.values():
            found = [place[name] for attempt in attempts for name in attempt.put if name in place]
            assert found == sorted(found), "events out of order, or of a superseded attempt"

    def teardown(self) -> None:
        self.lossy.faults.clear()
        for worker in self.workers:
            self.run(worker.aclose())
        self.the_log_is_sound()
        self.run(self.nothing_certain_is_lost())

    async def nothing_certain_is_lost(self) -> None:
        compacted = await self.database.pool.fetchval(
            "SELECT compacted_seq FROM event_heads WHERE session_id = $1", self.session
        )
        names = {name for event in self.seen.values() for name in names_of(event)}
        for attempts in self.attempts.values():
            for attempt in attempts:
                lost = set(attempt.put[: attempt.certain]) - names
                # Only pieces of text may be missing: removed as obsolete before anybody looked.
                assert lost <= attempt.texts
                assert not lost or compacted
        versions = await self.files.versions(self.session)
        announced = [event["file"]["version"] for kind, event in self.seen.values() if kind == "file_generated"]
        assert sorted(announced) == [version.version for version in versions]


def names_of(event: tuple[str, dict[str, Any]]) -> Sequence[str]:
    """The names the model gave to what is in an event; joined pieces of text hold several."""
    kind, data = event
    if kind == "file_chunk":
        return str(data["text"]).split()
    if kind == "file_generated":
        return [data["file"]["path"]]
    return [data["title"]] if kind == "session_info" else []


def test_the_log_survives_everything(database_dsn: str) -> None:
    loop = asyncio.new_event_loop()
    database = loop.run_until_complete(Database.connect(database_dsn, max_size=6))
    try:
        run_state_machine_as_test(
            partial(EventLogMachine, loop, database),  # type: ignore[arg-type]  # any callable that makes one will do
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=25,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                database=None,
            ),
        )
    finally:
        loop.run_until_complete(database.aclose())
        loop.close()
