"""Following a session: snapshot and tail, late and slow readers, lost notifications, Postgres away, shutdown."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable

import pytest

from api import ring as ring_module
from api import stream as stream_module
from api.stream import Stream
from schemas.events import FileChunk
from schemas.http import SessionSnapshot
from schemas.session import ChatMessage
from storage.database import Database
from storage.events import EventLog, EventWriter
from storage.messages import Messages
from storage.sessions import SessionRecord, Sessions
from tests.api.watching import Watcher, chunk, generated, head_of, snapshot_of

SESSION = SessionRecord(id="session-1", prompt="an app", mode="deterministic", title="Stored")


@pytest.fixture
async def event_log(database: Database) -> AsyncIterator[EventLog]:
    event_log = EventLog(database, tick=0.01)
    await event_log.start()
    yield event_log
    await event_log.aclose()


@pytest.fixture
async def writer(event_log: EventLog) -> EventWriter:
    return await event_log.open(SESSION.id, "op", run_id="run", attempt=1)


@pytest.fixture
async def stream(database: Database) -> AsyncIterator[Stream]:
    stream = Stream(database)
    await stream.start()
    yield stream
    await stream.aclose()


async def snapshot() -> SessionSnapshot:
    return snapshot_of(SESSION)


async def no_snapshot() -> SessionSnapshot:
    raise AssertionError("nobody should ask for a snapshot")


async def write(writer: EventWriter, count: int, path: str = "a", every: float = 0) -> int:
    """Put that many pieces, each an event of its own, and return the last number."""
    for number in range(count):
        writer.put(FileChunk(operation_id="op", path=path, offset=2 * number, text="x", format="full_content"))
        if every:
            await asyncio.sleep(every)
    return await writer.flush()


async def test_snapshot_then_tail(stream: Stream, writer: EventWriter) -> None:
    await write(writer, 5)
    watcher = Watcher(strict=False)

    async def at_three() -> SessionSnapshot:
        return snapshot_of(SESSION, last_seq=3)

    reading = asyncio.create_task(watcher.read(stream.follow(SESSION.id, None, at_three), until=8))
    await asyncio.sleep(0.05)
    await write(writer, 3)
    await reading
    assert watcher.retry == 150
    assert [(seq, kind) for seq, kind, _ in watcher.events[:2]] == [(3, "snapshot"), (4, "file_chunk")]
    assert [seq for seq, _, _ in watcher.events] == [3, 4, 5, 6, 7, 8]
    assert SessionSnapshot.model_validate(watcher.events[0][2]).progress.title == "Fresh"
    assert watcher.events[0][2]["stale"] is None


@pytest.mark.parametrize("after", [0, 3, 5])
async def test_after_a_known_event_there_is_no_snapshot(stream: Stream, writer: EventWriter, after: int) -> None:
    await write(writer, 5)
    watcher = Watcher()
    reading = asyncio.create_task(watcher.read(stream.follow(SESSION.id, after, no_snapshot), until=6))
    await asyncio.sleep(0.05)
    await write(writer, 1)
    await reading
    assert [seq for seq, _, _ in watcher.events] == list(range(after + 1, 7))


@pytest.mark.parametrize("after", [-1, 6, 10**17])
async def test_after_an_unknown_event_comes_a_snapshot(stream: Stream, writer: EventWriter, after: int) -> None:
    await write(writer, 5)
    watcher = Watcher()
    await watcher.read(stream.follow(SESSION.id, after, snapshot), until=5)
    assert watcher.kinds == ["snapshot", *["file_chunk"] * 5]


async def test_the_snapshot_never_goes_beyond_the_head(stream: Stream, writer: EventWriter) -> None:
    """A database restored from a backup forgot what the workflow remembers."""
    await write(writer, 2)
    watcher = Watcher()

    async def from_the_future() -> SessionSnapshot:
        return snapshot_of(SESSION, last_seq=99)

    reading = asyncio.create_task(watcher.read(stream.follow(SESSION.id, None, from_the_future), until=3))
    await asyncio.sleep(0.05)
    await write(writer, 1)
    await reading
    assert [(seq, kind) for seq, kind, _ in watcher.events] == [(2, "snapshot"), (3, "file_chunk")]


async def first_event(stream: Stream, source: Callable[[], object]) -> SessionSnapshot:
    watcher = Watcher()
    frames = stream.follow(SESSION.id, None, source)  # type: ignore[arg-type]
    async for piece in frames:
        watcher.feed(piece)
        if watcher.events:
            break
    await frames.aclose()  # type: ignore[attr-defined]
    assert watcher.kinds[0] == "snapshot"
    return SessionSnapshot.model_validate(watcher.events[0][2])


async def failing() -> SessionSnapshot:
    raise RuntimeError("no worker")


async def sleeping() -> SessionSnapshot:
    await asyncio.sleep(60)
    raise AssertionError


@pytest.mark.parametrize("source", [failing, sleeping])
async def test_without_an_answer_the_stored_snapshot_is_shown(
    stream: Stream, database: Database, monkeypatch: pytest.MonkeyPatch, source: Callable[[], object]
) -> None:
    monkeypatch.setattr(stream_module, "SNAPSHOT_SECONDS", 0.1)
    sessions = Sessions(database)
    await sessions.create(SESSION)
    turn = ChatMessage(id="m1", role="user", text="dark mode", at=SESSION.created_at)
    await Messages(database).put(SESSION.id, turn)

    bare = await first_event(stream, source)
    assert (bare.progress.title, bare.progress.last_seq, bare.conversation) == ("Stored", 0, [turn])
    assert bare.stale is not None

    progress = snapshot_of(SESSION, last_seq=0).progress.model_copy(update={"title": "Remembered"})
    await sessions.save_progress(SESSION.id, progress)
    await database.pool.execute("UPDATE sessions SET progress_at = now() - interval '90 seconds'")
    stored = await first_event(stream, source)
    assert stored.progress.title == "Remembered"
    assert stored.stale is not None
    assert 89 < stored.stale.age < 120
    assert "worker" in stored.stale.reason


async def test_a_session_that_is_not_stored_yet_is_waited_for(stream: Stream, database: Database) -> None:
    answers = iter([failing, failing, snapshot])

    async def source() -> SessionSnapshot:
        return await next(answers)()

    watcher = Watcher()
    async for piece in stream.follow(SESSION.id, None, source):
        watcher.feed(piece)
        if watcher.events:
            break
    assert watcher.comments == 2
    assert watcher.kinds == ["snapshot"]


async def test_many_readers_share_one_query(stream: Stream, writer: EventWriter) -> None:
    last = await write(writer, 50)
    asked = 0

    async def counted() -> SessionSnapshot:
        nonlocal asked
        asked += 1
        await asyncio.sleep(1)  # in which all have come, also on a busy machine
        return snapshot_of(SESSION)

    watchers = [Watcher() for _ in range(100)]
    await asyncio.gather(*(each.read(stream.follow(SESSION.id, None, counted), until=last) for each in watchers))
    assert asked == 1
    assert all(watcher.events == watchers[0].events for watcher in watchers)


async def test_a_slow_reader_is_caught_up_from_the_table(
    stream: Stream, writer: EventWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ring_module, "MAX_BATCHES", 4)
    fast, slow = Watcher(), Watcher()
    reading = asyncio.create_task(fast.read(stream.follow(SESSION.id, 0, no_snapshot), until=3_000))
    frames = stream.follow(SESSION.id, 0, no_snapshot)
    slow.feed(await anext(frames))
    for _ in range(30):
        await write(writer, 100)
        if not slow.events:
            slow.feed(await anext(frames))  # then it takes nothing for long
    await reading
    assert slow.last < 200
    await slow.read(frames, until=3_000)
    assert slow.events == fast.events


async def test_a_silent_stream_beats(database: Database) -> None:
    stream = Stream(database, heartbeat=0.05)
    await stream.start()
    watcher = Watcher()
    async for piece in stream.follow(SESSION.id, 0, no_snapshot):
        watcher.feed(piece)
        if watcher.comments == 3:
            break
    await stream.aclose()
    assert not watcher.events


async def test_readers_end_when_the_stream_closes(stream: Stream, writer: EventWriter) -> None:
    async def read_all() -> int:
        return len([piece async for piece in stream.follow(SESSION.id, 0, no_snapshot)])

    reading = [asyncio.create_task(read_all()) for _ in range(5)]
    await asyncio.sleep(0.05)
    await write(writer, 3)
    stream.close_readers()
    assert all(count >= 1 for count in await asyncio.wait_for(asyncio.gather(*reading), 1))


async def test_a_lost_listener_is_replaced(stream: Stream, writer: EventWriter, database: Database) -> None:
    watcher = Watcher()
    reading = asyncio.create_task(watcher.read(stream.follow(SESSION.id, 0, no_snapshot), until=40))
    for _ in range(4):
        await write(writer, 10)
        await database.pool.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'stich listener'"
        )
    await reading


async def test_a_lost_notification_is_made_up_for(
    stream: Stream, writer: EventWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write(writer, 1)
    watcher = Watcher()
    monkeypatch.setattr(stream, "_hear", lambda *_: None)
    monkeypatch.setattr(stream_module, "POLL_SECONDS", 0.1)
    reading = asyncio.create_task(watcher.read(stream.follow(SESSION.id, 0, no_snapshot), until=6))
    await asyncio.sleep(0.05)
    await write(writer, 5)
    await reading


async def test_compacted_text_is_skipped_in_order(stream: Stream, writer: EventWriter, event_log: EventLog) -> None:
    """A reader that was away while a file was closed gets the file's announcement instead of its typing."""
    await write(writer, 10, path="a")
    watcher = Watcher(strict=False)
    await watcher.read(stream.follow(SESSION.id, 0, no_snapshot), until=4)
    seen = 4
    writer.put(generated("a"))
    writer.put(chunk("b", 0, "open"))
    await writer.flush()
    await event_log.compact(SESSION.id, "op")
    writer.put(chunk("b", 4, " file"))
    last = await writer.flush()
    late = Watcher(strict=False)
    await late.read(stream.follow(SESSION.id, seen, no_snapshot), until=last)
    # What was still in memory may come too, with nothing left out in between.
    shown = [(seq, kind) for seq, kind, _ in late.events if seq > 10]
    assert shown == [(11, "file_generated"), (13, "file_chunk")]


async def test_readers_that_come_and_go_miss_nothing(stream: Stream, event_log: EventLog, database: Database) -> None:
    """Watchers with random breaks and late joiners with slow snapshots, while several operations write."""
    random.seed(7)
    writers = [await event_log.open(SESSION.id, f"op-{number}", run_id="run", attempt=1) for number in range(3)]
    done = asyncio.Event()

    async def produce(number: int, writer: EventWriter) -> None:
        await write(writer, 150, path=f"file-{number}", every=0.002)

    async def watch() -> Watcher:
        watcher = Watcher()
        after: int | None = random.choice([None, 0])

        async def slow_snapshot() -> SessionSnapshot:
            known = await head_of(database, SESSION.id)
            await asyncio.sleep(random.random() * 0.05)
            return snapshot_of(SESSION, last_seq=known)

        await asyncio.sleep(random.random() * 0.3)
        while watcher.last < 450:
            goal = watcher.last + random.randint(1, 200)
            await watcher.read(stream.follow(SESSION.id, after, slow_snapshot), until=min(450, goal))
            after = watcher.last
        return watcher

    producing = [asyncio.create_task(produce(number, writer)) for number, writer in enumerate(writers)]
    watchers = await asyncio.gather(*(watch() for _ in range(40)))
    await asyncio.gather(*producing)
    done.set()
    rows = await database.pool.fetch("SELECT seq, type, data FROM events ORDER BY seq")
    stored = {row["seq"]: json.loads(row["data"]) for row in rows}
    assert sorted(stored) == list(range(1, 451))
    for watcher in watchers:
        events = [event for event in watcher.events if event[1] != "snapshot"]
        first = events[0][0]
        assert [seq for seq, _, _ in events] == list(range(first, 451))
        assert all({k: v for k, v in data.items() if k not in ("seq", "at")} == stored[seq] for seq, _, data in events)
