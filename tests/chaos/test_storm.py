"""A larger application, of three phases and a repair, built while one part after another is killed."""

import asyncio
import itertools
import time

import pytest

from tests.chaos.conftest import build_in_peace
from tests.chaos.evidence import verify
from tests.chaos.site import Site, until
from tests.chaos.watching import Watcher

PROMPT = "Build a kanban board with drag and drop, labels, due dates and search"
PACE = 900.0  # tokens a second
PAUSE = 6.0  # seconds between two kills, from when it gets on


@pytest.mark.timeout(900)
async def test_a_board_is_built_through_a_storm(whole: Site, measured: list[str]) -> None:
    undisturbed = await build_in_peace(whole, PROMPT)
    await whole.wait_back()
    whole.model.demo.rate = PACE
    run = await whole.start(PROMPT)
    began, kills = time.monotonic(), 0
    async with Watcher(run) as first, Watcher(run, after=None) as second:
        await first.wait_for("file_chunk")
        for part in itertools.cycle(("worker", "api", "temporal", "postgres")):
            if first.saw("phase", "'id': 'phase-3'") and first.saw("file_generated", "'phase_id': 'phase-3'"):
                break
            assert kills < 40, "it does not get on between the kills"
            await whole.wait_back()
            seen = first.last
            whole.kill(part)
            kills += 1
            await until(lambda seen=seen: first.last > seen, "it gets on after a kill")  # type: ignore[misc]
            await asyncio.sleep(PAUSE)
        whole.model.demo.rate = None
        await run.completed(240)
        # An answer that came whole to a worker which was killed before it could keep it has to come again.
        await verify(run, [first, second], undisturbed, twice=kills // 4 + 1)
    measured.append(f"a board is built through {kills} kills: {time.monotonic() - began:.0f} s")
