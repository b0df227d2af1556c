"""SIGTERM to APIs and workers while a session streams: the reader moves on, the work goes on, nothing is missing."""

import asyncio
import contextlib
import os
import signal
import time

import pytest

from schemas.http import CreateSession, SessionSnapshot
from stich.client import StichClient
from tests.e2e.conftest import MakeUp
from tests.e2e.service import Up, read

pytestmark = pytest.mark.timeout(300)
COUNTER = "Build a simple counter app with plus and minus buttons"
GRACE = {"api": 10.0, "worker": 15.0}
"""Seconds that docs/production.md tells to wait before SIGKILL; on a busy machine, that is three times as much."""


async def drained(up: Up, part: str) -> None:
    """Ask every process of a part to end, one after the other, and see that it does so by itself."""
    for pid in up.children(part):
        began = read(pid, "stat").rpartition(b")")[2].split()[19]  # another process may get its number
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 3 * GRACE[part]
        while read(pid, "stat").rpartition(b")")[2].split()[19:20] == [began]:
            assert time.monotonic() < deadline, f"{part} did not end"
            await asyncio.sleep(0.1)


async def test_a_reader_and_the_work_go_on_elsewhere(make_up: MakeUp) -> None:
    up = make_up(STICH_DEMO_SPEED="1")
    at = await asyncio.to_thread(up.wait_ready)
    seen: list[int] = []
    first = 1
    draining: asyncio.Task[None] | None = None
    async with StichClient(at.local_url, at.token, patience=60) as client:
        session_id = (await client.start(CreateSession(prompt=COUNTER), "drain")).id
        async with asyncio.timeout(240), contextlib.aclosing(client.follow(session_id, after=0)) as items:
            async for item in items:
                if isinstance(item, SessionSnapshot):
                    first = first if seen else item.progress.last_seq + 1
                    continue
                seen.append(item.seq)
                event = item.event
                if event.type == "file_chunk" and draining is None:
                    draining = asyncio.create_task(_drain_everything(up))
                if event.type == "operation_finished" and event.operation_id == "phase-1/implement":
                    assert event.outcome == "done"
                    break
        assert draining is not None
        await draining
        assert seen == list(range(first, first + len(seen))), "every event once, in order"
        files = {file.path for file in (await client.snapshot(session_id)).progress.files}
        assert {"src/App.tsx", "src/main.tsx"} <= files


async def _drain_everything(up: Up) -> None:
    await drained(up, "api")
    await drained(up, "worker")
