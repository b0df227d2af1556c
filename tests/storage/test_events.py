"""The event log's writing end: order, exactly-once, fencing, joining, backpressure, compaction."""

import asyncio
import itertools
import json
from collections.abc import Sequence
from datetime import UTC, datetime

import asyncpg
import pytest

from schemas.events import (
    ErrorEvent,
    Event,
    FileChunk,
    FileGenerated,
    OperationFinished,
    OperationReset,
    SessionInfoEvent,
)
from schemas.session import FileRef
from storage.database import Connection, Database
from storage.event_rows import OutboxGap
from storage.events import EventLog, EventWriter, Fenced, LogClosed

SESSION = "session-1"
RESET = OperationReset(operation_id="op", attempt=2, reason="the worker was lost")


def chunk(path: str, offset: int, text: str) -> FileChunk:
    return FileChunk(operation_id="op", path=path, offset=offset, text=text, format="full_content")


def generated(path: str, version: int = 1) -> FileGenerated:
    return FileGenerated(operation_id="op", file=FileRef(path=path, sha256="0" * 64, size=1, version=version))


def info(title: str) -> SessionInfoEvent:
    return SessionInfoEvent(title=title, template=None, model=None, demo=False)


async def stored(database: Database, session_id: str = SESSION) -> list[tuple[int, str, dict[str, object]]]:
    rows = await database.pool.fetch(
        "SELECT seq, type, data FROM events WHERE session_id = $1 ORDER BY seq", session_id
    )
    return [(row["seq"], row["type"], json.loads(row["data"])) for row in rows]


async def open_writer(event_log: EventLog, attempt: int = 1, run_id: str = "run", execution: int = 0) -> EventWriter:
    return await event_log.open(SESSION, "op", run_id=run_id, attempt=attempt, execution=execution, reset=RESET)


async def test_numbers_follow_the_order_of_puts(event_log: EventLog, database: Database) -> None:
    writer = await open_writer(event_log)
    assert not writer.resumed
    for number in range(5):
        writer.put(info(str(number)))
    assert await writer.flush() == 5
    writer.put(info("5"))
    assert await writer.flush() == 6
    assert [(seq, data["title"]) for seq, _, data in await stored(database)] == [(i + 1, str(i)) for i in range(6)]


async def test_pieces_of_one_text_are_joined(event_log: EventLog, database: Database) -> None:
    writer = await open_writer(event_log)
    writer.put(chunk("a", 0, "one "))
    writer.put(chunk("a", 4, "two "))
    writer.put(chunk("a", 8, "three"))
    writer.put(chunk("b", 0, "other"))
    writer.put(chunk("a", 13, " four"))
    writer.put(chunk("a", 99, "not adjacent"))
    await writer.flush()
    pieces = [(data["path"], data["offset"], data["text"]) for _, _, data in await stored(database)]
    assert pieces == [("a", 0, "one two three"), ("b", 0, "other"), ("a", 13, " four"), ("a", 99, "not adjacent")]


async def test_joined_pieces_stay_small(event_log: EventLog, database: Database) -> None:
    writer = await open_writer(event_log)
    for number in range(100):
        writer.put(chunk("a", number * 500, "x" * 500))
    await writer.flush()
    texts = [str(data["text"]) for _, _, data in await stored(database)]
    assert "".join(texts) == "x" * 50_000
    assert max(map(len, texts)) <= 6_000


async def test_many_writers_of_many_sessions_share_transactions(event_log: EventLog, database: Database) -> None:
    writers = [
        await event_log.open(f"session-{number % 7}", f"op-{number}", run_id="run", attempt=1) for number in range(40)
    ]
    for writer in writers * 3:
        writer.put(info(writer.name))
    await asyncio.gather(*(writer.flush() for writer in writers))
    transactions = await database.pool.fetchval("SELECT count(DISTINCT xmin::text) FROM events")
    assert transactions <= 3
    for number in range(7):
        rows = await stored(database, f"session-{number}")
        assert [seq for seq, _, _ in rows] == list(range(1, len(rows) + 1))
    assert await database.pool.fetchval("SELECT count(*) FROM events") == 120


async def test_a_newer_attempt_fences_and_resets(event_log: EventLog, database: Database) -> None:
    old = await open_writer(event_log)
    old.put(chunk("a", 0, "half of a fi"))
    await old.flush()
    new = await open_writer(event_log, attempt=2)
    assert new.resumed
    new.put(chunk("a", 0, "the file"))
    old.put(chunk("a", 12, "le, too late"))
    with pytest.raises(Fenced):
        await old.flush()
    with pytest.raises(Fenced):
        old.put(info("x"))
    await new.flush()
    with pytest.raises(Fenced):
        await open_writer(event_log, attempt=1)
    # The dead attempt's piece (number 1) is compacted away; its number is not given out again.
    assert [(seq, kind) for seq, kind, _ in await stored(database)] == [(2, "operation_reset"), (3, "file_chunk")]


async def test_an_attempt_that_wrote_nothing_is_not_reset(event_log: EventLog, database: Database) -> None:
    await open_writer(event_log)
    second = await open_writer(event_log, attempt=2)
    assert not second.resumed
    second.put(info("a"))
    await second.flush()
    assert [kind for _, kind, _ in await stored(database)] == ["session_info"]
    await open_writer(event_log, attempt=3)
    fourth = await open_writer(event_log, attempt=4)
    assert fourth.resumed
    assert [kind for _, kind, _ in await stored(database)] == ["session_info", "operation_reset"]


async def test_executions_and_runs_are_ordered(event_log: EventLog) -> None:
    await open_writer(event_log, attempt=5)
    await open_writer(event_log, attempt=1, execution=1)
    with pytest.raises(Fenced):
        await open_writer(event_log, attempt=6)
    await open_writer(event_log, run_id="run after a reset")
    with pytest.raises(Fenced):
        await open_writer(event_log, attempt=9, execution=9)
    await open_writer(event_log, run_id="run after a reset", attempt=2)


async def test_store_writes_both_or_nothing(event_log: EventLog, database: Database) -> None:
    await database.pool.execute("CREATE TABLE note (text text)")
    writer = await open_writer(event_log)
    writer.put(chunk("a", 0, "text"))

    async def note(connection: Connection) -> Sequence[Event]:
        await connection.execute("INSERT INTO note VALUES ('a')")
        return [generated("a")]

    assert await writer.store(note) == 2

    async def broken(connection: Connection) -> Sequence[Event]:
        await connection.execute("INSERT INTO note VALUES ('b')")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await writer.store(broken)
    writer.put(info("goes on"))
    assert await writer.flush() == 3
    await open_writer(event_log, attempt=2)
    with pytest.raises(Fenced):
        await writer.store(note)
    assert await database.pool.fetchval("SELECT count(*) FROM note") == 1
    assert [kind for _, kind, _ in await stored(database)] == ["file_generated", "session_info", "operation_reset"]


async def test_a_cancelled_store_leaves_the_writer_usable(event_log: EventLog, database: Database) -> None:
    writer = await open_writer(event_log)
    entered = asyncio.Event()

    async def slow(connection: Connection) -> Sequence[Event]:
        entered.set()
        await connection.execute("SELECT pg_sleep(0.1)")
        return [generated("a")]

    task = asyncio.create_task(writer.store(slow))
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    writer.put(info("discarded"))
    assert await writer.flush() == 2
    await writer.aclose(finished=False)
    assert [kind for _, kind, _ in await stored(database)] == ["file_generated", "session_info"]


async def test_closing_files_compacts_their_pieces(event_log: EventLog, database: Database) -> None:
    writer = await open_writer(event_log)
    for path in "abc":
        writer.put(chunk(path, 0, path * 10))

        async def close(connection: Connection, path: str = path) -> Sequence[Event]:
            return [generated(path)]

        await writer.store(close)
    kinds = [(seq, kind) for seq, kind, _ in await stored(database)]
    assert kinds == [(2, "file_generated"), (4, "file_generated"), (5, "file_chunk"), (6, "file_generated")]
    assert await database.pool.fetchval("SELECT compacted_seq FROM event_heads") == 3
    writer.put(OperationFinished(operation_id="op", outcome="done"))
    await writer.aclose(finished=True)
    assert [seq for seq, _, _ in await stored(database)] == [2, 4, 6, 7]
    assert await database.pool.fetchval("SELECT compacted_seq FROM event_heads") == 5


async def test_an_unfinished_operation_keeps_its_pieces(event_log: EventLog, database: Database) -> None:
    writer = await open_writer(event_log)
    writer.put(chunk("a", 0, "text"))
    await writer.aclose(finished=False)
    assert len(await stored(database)) == 1
    assert await event_log.compact(SESSION, "op") == 1
    assert await event_log.compact(SESSION, "op") == 0


async def test_one_bad_writer_does_not_stop_the_others(event_log: EventLog, database: Database) -> None:
    good, bad = await open_writer(event_log), await event_log.open("session-2", "op", run_id="run", attempt=1)
    await database.pool.execute(
        "ALTER TABLE events ADD CONSTRAINT no_errors CHECK (type <> 'error' OR session_id <> 'session-2')"
    )
    good.put(info("a"))
    bad.put(ErrorEvent(operation_id=None, code="x", sentence="x", next_action="x"))
    assert await good.flush() == 1
    with pytest.raises(Exception, match="no_errors"):
        await bad.flush()
    good.put(info("b"))
    assert await good.flush() == 2


async def test_half_a_surrogate_pair_is_refused_at_once(event_log: EventLog, database: Database) -> None:
    writer = await open_writer(event_log)
    writer.put(chunk("a", 0, "nul \0 and \u2028 are fine, 😀 too"))
    with pytest.raises(UnicodeEncodeError):
        writer.put(chunk("a", 31, "\ud83d"))
    await writer.flush()
    assert (await stored(database))[0][2]["text"] == "nul \0 and \u2028 are fine, 😀 too"


async def test_drain_waits_while_postgres_is_slow(event_log: EventLog, database: Database) -> None:
    writer = await open_writer(event_log)
    async with database.transaction() as connection:
        await connection.execute("SELECT 1 FROM event_heads WHERE session_id = $1 FOR UPDATE", SESSION)
        put = 0
        for number in itertools.count():
            writer.put(chunk("a", number * 1000, "x" * 1000))
            put += 1
            try:
                await asyncio.wait_for(writer.drain(), 0.2)
            except TimeoutError:
                break
        assert 250 <= put <= 600
    await asyncio.wait_for(writer.drain(), 5)
    await writer.flush()
    texts = [str(data["text"]) for _, _, data in await stored(database)]
    assert len("".join(texts)) == put * 1000


async def test_a_lost_reply_is_recognised(event_log: EventLog, database: Database) -> None:
    """The connection dies after the commit: the same batch again changes nothing."""
    writer = await open_writer(event_log)
    original = event_log._append
    calls = 0

    async def commit_then_lose(batches: list[object]) -> dict[int, int]:
        nonlocal calls
        calls += 1
        answer = await original(batches)  # type: ignore[arg-type]
        if calls == 1:
            raise ConnectionResetError("reply lost")
        return answer

    event_log._append = commit_then_lose  # type: ignore[method-assign, assignment]
    writer.put(info("a"))
    writer.put(info("b"))
    assert await writer.flush() == 2
    assert calls == 2
    assert len(await stored(database)) == 2


async def test_close_fails_what_cannot_be_written(database: Database) -> None:
    event_log = EventLog(database)
    await event_log.start()
    writer = await event_log.open(SESSION, "op", run_id="run", attempt=1)
    writer.put(info("in time"))
    await event_log.aclose()
    assert len(await stored(database)) == 1
    with pytest.raises(LogClosed):
        writer.put(info("too late"))


async def test_close_does_not_wait_for_ever(database: Database) -> None:
    event_log = EventLog(database)
    await event_log.start()
    writer = await event_log.open(SESSION, "op", run_id="run", attempt=1)
    async with database.transaction() as connection:
        await connection.execute("SELECT 1 FROM event_heads FOR UPDATE")
        writer.put(info("stuck"))
        waiting = asyncio.create_task(writer.flush())
        await event_log.aclose(timeout=0.2)
        with pytest.raises(LogClosed):
            await waiting


# ---------------------------------------------------------------- the workflow's own events


async def titles(database: Database) -> list[object]:
    return [data["title"] for _, _, data in await stored(database)]


async def test_outbox_is_written_once(event_log: EventLog, database: Database) -> None:
    events = [info(letter) for letter in "abcdef"]
    assert await event_log.append_outbox(SESSION, 1, events[:2], run_id="run") == 2
    assert await event_log.append_outbox(SESSION, 1, events[:2], run_id="run") == 2
    assert await event_log.append_outbox(SESSION, 2, events[1:4], run_id="run") == 4
    assert await event_log.append_outbox(SESSION, 1, [], run_id="run") == 4
    assert await event_log.append_outbox(SESSION, 1, events[:2], run_id="run") == 4
    with pytest.raises(OutboxGap):
        await event_log.append_outbox(SESSION, 6, events[5:], run_id="run")
    assert await titles(database) == list("abcd")


async def test_outbox_concurrently(event_log: EventLog, database: Database) -> None:
    events = [info(str(number)) for number in range(20)]
    await asyncio.gather(*(event_log.append_outbox(SESSION, 1, events, run_id="run") for _ in range(8)))
    assert await titles(database) == [str(number) for number in range(20)]


async def test_outbox_goes_on_in_the_next_run(event_log: EventLog, database: Database) -> None:
    """Continue as new takes the numbers along, and may take along events whose writing it did not learn of."""
    events = [info(letter) for letter in "abcdef"]
    await event_log.append_outbox(SESSION, 1, events[:4], run_id="first")
    await event_log.append_outbox(SESSION, 3, events[2:3], run_id="second")
    await event_log.append_outbox(SESSION, 4, events[3:4], run_id="second")
    await event_log.append_outbox(SESSION, 5, events[4:], run_id="second")
    assert await titles(database) == list("abcdef")
    await event_log.append_outbox(SESSION, 1, events[:4], run_id="first")  # a late retry of what was written
    with pytest.raises(Fenced):
        await event_log.append_outbox(SESSION, 4, [info("stale")], run_id="first")
    assert await titles(database) == list("abcdef")


async def test_outbox_of_a_reset_workflow_branches(event_log: EventLog, database: Database) -> None:
    await event_log.append_outbox(SESSION, 1, [info(letter) for letter in "abcd"], run_id="first")
    await event_log.append_outbox(SESSION, 2, [info("b"), info("X")], run_id="reset")
    await event_log.append_outbox(SESSION, 4, [info("d")], run_id="reset")
    await event_log.append_outbox(SESSION, 4, [info("d")], run_id="reset")
    assert await titles(database) == [*"abcd", "X", "d"]


async def test_outbox_and_writer_share_one_sequence(event_log: EventLog, database: Database) -> None:
    writer = await open_writer(event_log)

    async def write() -> None:
        for number in range(50):
            writer.put(info(f"w{number}"))
            await asyncio.sleep(0.001)
        await writer.flush()

    async def workflow() -> None:
        for number in range(1, 30):
            await event_log.append_outbox(SESSION, number, [info(f"o{number}")], run_id="run")

    await asyncio.gather(write(), workflow())
    rows = await stored(database)
    assert [seq for seq, _, _ in rows] == list(range(1, 80))
    assert [d["title"] for _, _, d in rows if str(d["title"])[0] == "w"] == [f"w{n}" for n in range(50)]
    assert [d["title"] for _, _, d in rows if str(d["title"])[0] == "o"] == [f"o{n}" for n in range(1, 30)]
    newest = await database.pool.fetchval("SELECT max(at) FROM events")
    assert abs((datetime.now(UTC) - newest).total_seconds()) < 60


@pytest.mark.parametrize("session_id", ["", "a b", "a\nb", "x" * 101])
async def test_only_ids_that_travel_in_notifications_have_a_log(
    event_log: EventLog, database: Database, session_id: str
) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await event_log.open(session_id, "op", run_id="run", attempt=1)
