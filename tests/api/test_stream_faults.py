"""Postgres is killed, stopped and frozen while sessions stream: nothing is lost, repeated or out of order."""

import asyncio
import itertools
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from api.stream import Stream
from schemas.events import SessionInfoEvent
from schemas.http import SessionSnapshot
from storage.database import Database
from storage.events import EventLog, EventWriter
from tests.api.watching import Watcher
from tests.fragile_postgres import FragilePostgres


@pytest.fixture(scope="module")
def fragile_postgres() -> Iterator[FragilePostgres]:
    server = FragilePostgres(Path(tempfile.mkdtemp(prefix="stich-fragile-")))
    yield server
    server.remove()


@pytest.fixture
async def fragile_database(fragile_postgres: FragilePostgres) -> AsyncIterator[Database]:
    database = await Database.connect(fragile_postgres.dsn)
    await database.migrate()
    yield database
    await database.aclose()


session_numbers = itertools.count()


async def no_snapshot() -> SessionSnapshot:
    raise AssertionError("nobody should ask for a snapshot")


async def produce(writer: EventWriter, stop: asyncio.Event) -> int:
    """Put numbered events until told to stop. Returns how many."""
    for number in itertools.count(1):
        writer.put(SessionInfoEvent(title=str(number), template=None, model=None, demo=False))
        await writer.drain()
        await asyncio.sleep(0.005)
        if stop.is_set():
            await writer.flush()
            return number
    raise AssertionError("unreachable")


@pytest.mark.parametrize("how", ["kill", "stop"])
async def test_postgres_goes_and_comes_back(
    fragile_postgres: FragilePostgres, fragile_database: Database, how: str
) -> None:
    sessions = [f"session-{next(session_numbers)}" for _ in range(4)]
    event_log, stream = EventLog(fragile_database), Stream(fragile_database)
    await event_log.start()
    await stream.start()
    writers = [await event_log.open(session, "op", run_id="run", attempt=1) for session in sessions]
    stop = asyncio.Event()
    producing = [asyncio.create_task(produce(writer, stop)) for writer in writers]
    watchers = {session: Watcher() for session in sessions}

    async def follow(session: str) -> None:
        async for piece in stream.follow(session, 0, no_snapshot):
            watchers[session].feed(piece)

    following = [asyncio.create_task(follow(session)) for session in sessions]
    for _ in range(2):
        await asyncio.sleep(0.3)
        fragile_postgres.kill() if how == "kill" else fragile_postgres.stop()
        await fragile_postgres.start()
    await asyncio.sleep(0.3)
    late = Watcher()
    stop.set()
    counts = await asyncio.wait_for(asyncio.gather(*producing), 20)
    for _ in range(500):
        if all(watchers[session].last >= count for session, count in zip(sessions, counts, strict=True)):
            break
        await asyncio.sleep(0.02)
    await late.read(stream.follow(sessions[0], 0, no_snapshot), until=counts[0])
    for session, count in zip(sessions, counts, strict=True):
        assert [data["title"] for _, _, data in watchers[session].events] == [str(n) for n in range(1, count + 1)]
    assert late.events == watchers[sessions[0]].events
    await stream.aclose()
    await asyncio.gather(*following)
    await event_log.aclose()


async def test_starting_without_postgres(fragile_postgres: FragilePostgres, fragile_database: Database) -> None:
    """A reader that comes while Postgres is away is kept, and served when it is back; a writer waits."""
    session = f"session-{next(session_numbers)}"
    event_log, stream = EventLog(fragile_database), Stream(fragile_database)
    fragile_postgres.stop()
    await event_log.start()
    await stream.start()
    watcher = Watcher()
    reading = asyncio.create_task(watcher.read(stream.follow(session, 0, no_snapshot), until=1, seconds=40))
    opening = asyncio.create_task(event_log.open(session, "op", run_id="run", attempt=1))
    await asyncio.sleep(0.7)
    assert watcher.comments
    assert not opening.done()
    await fragile_postgres.start()
    writer = await asyncio.wait_for(opening, 20)
    writer.put(SessionInfoEvent(title="1", template=None, model=None, demo=False))
    await writer.flush()
    await reading
    await stream.aclose()
    await event_log.aclose()
