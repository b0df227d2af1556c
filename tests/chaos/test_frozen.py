"""A worker that is frozen past its heartbeat and comes back: what it has still to say is refused."""

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from tests.chaos.evidence import Undisturbed, verify
from tests.chaos.moments import PROMPT, FileStreaming
from tests.chaos.site import Site, until
from tests.chaos.watching import Watcher


@pytest.mark.timeout(240)
async def test_another_worker_takes_over(
    whole: Site, undisturbed: Undisturbed, tmp_path: Path, measured: list[str]
) -> None:
    async with whole.second_worker(tmp_path):
        moment = FileStreaming()
        run = await whole.start(PROMPT, faults=moment.faults)
        async with Watcher(run) as watcher:
            await moment.come(run, watcher)
            frozen = await until(lambda: run.worker_of("implement_phase"), "a worker writes the files")
            os.kill(frozen, signal.SIGSTOP)
            since = time.monotonic()
            try:
                await watcher.wait_for("operation_finished", "phase-1/implement")
                pause = watcher.longest_pause(since, "phase-1/implement")
            finally:
                os.kill(frozen, signal.SIGCONT)
            await asyncio.sleep(2)  # in which it tries to go on
            # What was on its way to the frozen worker may have reached it whole.
            await verify(run, [watcher], undisturbed, twice=1)
            assert watcher.saw("operation_reset", "phase-1/implement")
    measured.append(f"a worker is frozen, another takes over: {pause:.1f} s")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seconds", [9, 40], ids=["one_attempt", "all_attempts"])
async def test_the_only_worker_comes_back(
    seconds: int, whole: Site, undisturbed: Undisturbed, measured: list[str]
) -> None:
    """The longer time is that of all five attempts of a step, if the frozen worker's polls would still take them."""
    moment = FileStreaming()
    run = await whole.start(PROMPT, faults=moment.faults)
    async with Watcher(run) as watcher:
        await moment.come(run, watcher)
        frozen = whole.pid("worker")
        os.kill(frozen, signal.SIGSTOP)
        since = time.monotonic()
        try:
            await asyncio.sleep(seconds)
        finally:
            os.kill(frozen, signal.SIGCONT)
        await verify(run, [watcher], undisturbed, twice=5)
        assert watcher.saw("operation_reset", "phase-1/implement")
        pause = watcher.longest_pause(since, "phase-1/implement")
        measured.append(f"the only worker is frozen for {seconds} s: {pause:.1f} s")
    assert whole.pid("worker") == frozen, "it was the same process all the time"
