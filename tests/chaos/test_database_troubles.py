"""A database that takes no more, and one that is out of reach of those who serve the stream."""

import asyncio
import itertools
import os
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path

import asyncpg
import pytest

from tests.api.relay import Relay, postgres_relay
from tests.chaos.evidence import Undisturbed, verify
from tests.chaos.moments import PROMPT, FileStreaming
from tests.chaos.site import Site
from tests.chaos.watching import Watcher

AWAY = 4.0
DISK_BYTES = 64 * 1024 * 1024
FILLER = "filler"
Trouble = Callable[[Site], AbstractAsyncContextManager[None]]

_REFUSE = """
    CREATE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full';
    END $$;
    CREATE TRIGGER no_space BEFORE INSERT ON events FOR EACH STATEMENT EXECUTE FUNCTION no_space();"""


@asynccontextmanager
async def disk_full(site: Site) -> AsyncIterator[None]:
    """The disk that holds the events is full; where no disk of one's own can be mounted, Postgres only says so."""
    with tempfile.TemporaryDirectory(prefix="stich-disk-") as name:
        disk = Path(name)
        mounted = await asyncio.to_thread(mount, disk)
        async with full(site, disk) if mounted else refusing(site):
            yield


def mount(disk: Path) -> bool:
    """Whether a small disk could be put there: it takes root and a kernel that lets root do it."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=700", "stich-test", str(disk)]
    return os.geteuid() == 0 and subprocess.run(command, stderr=subprocess.DEVNULL).returncode == 0


@asynccontextmanager
async def full(site: Site, disk: Path) -> AsyncIterator[None]:
    """Move the events to the small disk and fill that to the last byte; at the end, make space and move them back."""
    ballast = disk / "ballast"
    (disk / "events").mkdir(mode=0o700)
    try:
        await statements(site, f"CREATE TABLESPACE small LOCATION '{disk / 'events'}'", *move_events("small"))
        with suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        await fill_last_pages(site)
        yield
    finally:
        ballast.unlink(missing_ok=True)
        forget = f"DELETE FROM events WHERE session_id = '{FILLER}'"
        await statements(site, forget, *move_events("pg_default"), "DROP TABLESPACE IF EXISTS small")
        await asyncio.to_thread(subprocess.run, ["umount", str(disk)], check=True)


def move_events(tablespace: str) -> list[str]:
    indexes = [f"ALTER INDEX {index} SET TABLESPACE {tablespace}" for index in ("events_pkey", "events_of_workflow")]
    return [f"ALTER TABLE events SET TABLESPACE {tablespace}", *indexes]


async def fill_last_pages(site: Site) -> None:
    """Write rows of another session into what is left inside the table's pages, until Postgres has no room for one."""
    numbers = itertools.count(1)
    for size in (1_000, 10):
        with pytest.raises(asyncpg.DiskFullError):
            while True:
                row = f"('{FILLER}', {next(numbers)}, 'filler', '{'x' * size}', '')"
                await statements(site, f"INSERT INTO events (session_id, seq, type, data, writer) VALUES {row}")


@asynccontextmanager
async def refusing(site: Site) -> AsyncIterator[None]:
    await statements(site, _REFUSE)
    yield
    await statements(site, "DROP TRIGGER no_space ON events", "DROP FUNCTION no_space")


@asynccontextmanager
async def read_only(site: Site) -> AsyncIterator[None]:
    """Postgres refuses every write, as after a failover or when an operator freezes it."""
    setting = "ALTER SYSTEM {} default_transaction_read_only{}"
    await statements(site, setting.format("SET", " = on"), "SELECT pg_reload_conf()")
    yield
    await statements(site, setting.format("RESET", ""), "SELECT pg_reload_conf()")


async def statements(site: Site, *statements: str) -> None:
    connection = await asyncpg.connect(site.dsn, server_settings={"default_transaction_read_only": "off"})
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.mark.timeout(240)
@pytest.mark.parametrize("trouble", [disk_full, read_only], ids=["disk_full", "read_only"])
async def test_refused_writes_are_made_up_for(
    trouble: Trouble, whole: Site, undisturbed: Undisturbed, measured: list[str]
) -> None:
    moment = FileStreaming()
    run = await whole.start(PROMPT, faults=moment.faults)
    async with Watcher(run) as watcher:
        await moment.come(run, watcher)
        since = time.monotonic()
        async with trouble(whole):
            await asyncio.sleep(0.3)
            before = watcher.last
            await asyncio.sleep(AWAY)
            assert watcher.last == before, "nothing is shown that is not stored"
        healed = time.monotonic()
        await verify(run, [watcher], undisturbed)
        assert not watcher.breaks, "those who watch stay connected"
        assert not watcher.saw("operation_reset"), "the step went on with what it had kept in memory"
        pause = watcher.longest_pause(since, "phase-1/implement")
    measured.append(f"{trouble.__name__} for {healed - since:.1f} s: {pause:.1f} s")


async def cut(relay: Relay) -> None:
    """Connections end and new ones are refused."""
    await relay.cut()
    await asyncio.sleep(AWAY)
    await relay.listen()


async def drop(relay: Relay) -> None:
    """Nothing passes, and nobody is told."""
    relay.freeze()
    await asyncio.sleep(AWAY)
    relay.thaw()


@pytest.mark.timeout(240)
@pytest.mark.parametrize("partition", [cut, drop])
async def test_a_service_cut_off_from_its_database(
    partition: Callable[[Relay], Awaitable[None]],
    whole: Site,
    undisturbed: Undisturbed,
    tmp_path: Path,
    measured: list[str],
) -> None:
    async with postgres_relay(whole.dsn) as (relay, dsn), whole.second_api(tmp_path, DATABASE_URL=dsn) as url:
        moment = FileStreaming()
        run = await whole.start(PROMPT, faults=moment.faults)
        async with Watcher(run) as near, Watcher(run, urls=[url]) as far:
            await moment.come(run, far)
            since = time.monotonic()
            await partition(relay)
            await verify(run, [near, far], undisturbed)
            assert not near.breaks
            pause = far.longest_pause(since, "phase-1/implement")
            assert near.longest_pause(since, "phase-1/implement") < AWAY, "those who watch elsewhere noticed nothing"
    measured.append(f"a service is cut off ({partition.__name__}) from Postgres for {AWAY:.0f} s: {pause:.1f} s")


@pytest.mark.timeout(240)
async def test_one_of_two_services_is_killed(
    whole: Site, undisturbed: Undisturbed, tmp_path: Path, measured: list[str]
) -> None:
    async with whole.second_api(tmp_path) as url:
        moment = FileStreaming()
        run = await whole.start(PROMPT, faults=moment.faults)
        async with Watcher(run, urls=[whole.stich.at.local_url, url]) as watcher:
            await moment.come(run, watcher)
            since = time.monotonic()
            whole.kill("api")
            await verify(run, [watcher], undisturbed)
            assert watcher.breaks
            pause = watcher.longest_pause(since, "phase-1/implement")
    measured.append(f"one of two services is killed: {pause:.2f} s")
