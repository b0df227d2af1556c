"""kill -9 in the middle of a phase: the session goes on, nothing is paid for twice, watchers catch up."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from playwright.async_api import Browser

from schemas.events import Event
from schemas.http import CreateSession, SessionSnapshot
from stich.client import StichClient
from tests.e2e.journeys.acts import KANBAN, reach
from tests.e2e.journeys.conftest import Model, Stich, running


async def follow(client: StichClient, session_id: str, seen: list[tuple[int, Event]]) -> None:
    """Collect a session's events until it is completed."""
    async for item in client.follow(session_id, after=0):
        if isinstance(item, SessionSnapshot):
            continue
        seen.append((item.seq, item.event))
        if item.event.type == "session_state" and item.event.state.name in ("completed", "failed"):
            return


async def kill_everything(stich: Stich) -> None:
    stich.up.signal(signal.SIGKILL)
    stich.up.end()
    await stich.start()


async def kill_worker(stich: Stich) -> None:
    os.kill(stich.up.child("worker"), signal.SIGKILL)


async def kill_service(stich: Stich) -> None:
    for pid in stich.up.children("api"):
        os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module")
async def own(model: Model, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stich]:
    """A stich that only these tests kill."""
    async with running(tmp_path_factory.mktemp("survival"), model) as stich:
        yield stich


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "disaster", [kill_worker, kill_service, kill_everything], ids=["worker", "service", "everything"]
)
async def test_a_kill_in_mid_phase_costs_nothing(
    disaster: Callable[[Stich], Awaitable[None]], own: Stich, model: Model, browser: Browser
) -> None:
    async with own.client() as client:
        with model.writing(500):
            session_id = (await client.start(CreateSession(prompt=KANBAN), disaster.__name__)).id
            seen: list[tuple[int, Event]] = []
            watching = asyncio.create_task(follow(client, session_id, seen))
            page = await browser.new_page()
            await page.goto(own.url)
            await page.goto(f"{own.at.local_url}/s/{session_id}")
            for _ in range(3_000):
                if sum(event.type == "file_generated" and "/implement" in event.operation_id for _, event in seen) >= 3:
                    break
                await asyncio.sleep(0.02)
            await disaster(own)
        await asyncio.wait_for(watching, 120)
        assert seen[-1][1].state.name == "completed"  # type: ignore[union-attr]
        await reach(page, "Finished", 30)
        await page.close()

        numbers = [seq for seq, _ in seen]
        assert numbers == sorted(set(numbers)), "each event came once, in order"
        written = [(event.operation_id, event.file.path) for _, event in seen if event.type == "file_generated"]
        assert len(written) == len(set(written)), "no file was generated again by its step"
        finished: dict[str, set[str]] = {}
        for request in model.asked(session_id):
            assert finished.get(request.operation, set()) <= set(request.already_written)
            finished[request.operation] = set(request.already_written)
        went_on = any(request.already_written for request in model.asked(session_id))
        assert went_on or disaster is kill_service, "the step went on where it was"
