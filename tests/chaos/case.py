"""One cell of the matrix: a moment, a disaster, and the evidence afterwards."""

import time
from contextlib import AsyncExitStack, suppress
from pathlib import Path

from tests.chaos.disasters import DISASTERS
from tests.chaos.evidence import Undisturbed, verify
from tests.chaos.moments import PROMPT, Missed, Moment
from tests.chaos.site import Site
from tests.chaos.watching import Watcher

TRIES = 3


async def play(site: Site, moment: Moment, disaster: str, undisturbed: Undisturbed, folder: Path) -> float:
    """Returns the longest time in which a watcher saw nothing, from the disaster until the operation that it befell
    had ended."""
    for _ in range(TRIES):
        with suppress(Missed):
            return await _play(site, moment, disaster, undisturbed, folder)
    raise AssertionError(f"{TRIES} sessions did not meet the moment {type(moment).__name__}")


async def _play(site: Site, moment: Moment, disaster: str, undisturbed: Undisturbed, folder: Path) -> float:
    async with AsyncExitStack() as stack:
        if disaster == "one_of_two_workers":
            await stack.enter_async_context(site.second_worker(folder))
        site.model.demo.rate = moment.rate
        run = await site.start(PROMPT, faults=moment.faults, max_history_events=moment.max_history_events)
        first = await stack.enter_async_context(Watcher(run))
        await moment.come(run, first)
        joined = await stack.enter_async_context(Watcher(run, after=None))
        site.model.demo.rate = None
        async with moment.during(run):
            killed, killed_at = time.monotonic(), time.time()
            await DISASTERS[disaster](site, run, moment.activity)
        await moment.afterwards(run, first)
        await verify(run, [first, joined], undisturbed, killed=killed_at)
        assert await run.runs() == moment.runs
        return first.longest_pause(killed, moment.operation)
