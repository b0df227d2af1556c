"""The Python client through the death of worker and service, a stop and a resume: every event once, in order."""

import asyncio
import contextlib
import os
import signal

import pytest

from schemas.http import CreateSession
from stich.client import Sequenced, StichClient
from tests.e2e.conftest import MakeUp
from tests.e2e.service import Up


def kill(up: Up, part: str) -> None:
    for pid in up.children(part):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.timeout(300)
async def test_a_program_follows_through_every_death(make_up: MakeUp) -> None:
    up = make_up(STICH_DEMO_SPEED="20", STICH_API_PROCESSES="1")
    running = await asyncio.to_thread(up.wait_ready)
    breaks: list[str] = []
    seqs: list[int] = []
    files = 0
    stopped: asyncio.Task[object] | None = None

    async with StichClient(running.local_url, running.token, patience=120, lost=breaks.append) as client:

        async def stop_and_resume(session_id: str) -> None:
            assert (await client.stop(session_id)).name == "stopped"
            await client.resume(session_id)

        wanted = CreateSession(prompt="Build a simple counter app with plus and minus buttons")
        session = await client.start(wanted, "through-deaths")
        async with contextlib.aclosing(client.follow(session.id, after=0)) as items:
            async for item in items:
                if not isinstance(item, Sequenced):
                    continue
                seqs.append(item.seq)
                if item.event.type == "blueprint":
                    kill(up, "worker")
                elif item.event.type == "file_generating" and stopped is None:
                    kill(up, "api")
                    stopped = asyncio.create_task(stop_and_resume(session.id))
                elif item.event.type == "file_generated":
                    files += 1
                elif item.event.type == "session_state" and item.event.state.name in ("completed", "failed"):
                    assert item.event.state.name == "completed", item.event.state.reason
                    break
        assert stopped is not None
        await stopped
        assert (await client.start(wanted, "through-deaths")).id == session.id
        shown = await client.files(session.id)
    assert seqs == sorted(set(seqs)), "every event once and in order"
    assert breaks and files >= 2
    assert "src/App.tsx" in [file.path for file in shown.files]
