"""How long those who watch a file being written see nothing when a part dies: less than is promised."""

from contextlib import AsyncExitStack
from pathlib import Path
from time import monotonic

import pytest

from tests.chaos.disasters import DISASTERS
from tests.chaos.evidence import Undisturbed, verify
from tests.chaos.moments import PROMPT, FileStreaming
from tests.chaos.site import Site
from tests.chaos.watching import Watcher

TRIES = 3
"""A busy machine can delay anything: one of so many has to keep the promise."""


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("disaster", "promised"),
    [
        pytest.param("api", 0.5, marks=pytest.mark.short),
        ("postgres", 1.5),
        ("temporal", 0.5),
        ("one_of_two_workers", 5.0),
    ],
)
async def test_the_stream_goes_on_soon(
    disaster: str, promised: float, whole: Site, undisturbed: Undisturbed, tmp_path: Path, measured: list[str]
) -> None:
    seconds: list[float] = []
    async with AsyncExitStack() as stack:
        if disaster == "one_of_two_workers":
            await stack.enter_async_context(whole.second_worker(tmp_path))
        while len(seconds) < TRIES and min(seconds, default=promised) >= promised:
            await whole.wait_back()
            moment = FileStreaming()
            run = await whole.start(PROMPT, faults=moment.faults)
            async with Watcher(run) as watcher:
                await moment.come(run, watcher)
                since = monotonic()
                await DISASTERS[disaster](whole, run, moment.activity)
                await watcher.wait_for("operation_finished", moment.operation)
                seconds.append(watcher.longest_pause(since, moment.operation))
                await verify(run, [watcher], undisturbed)
    measured.append(f"{disaster:20} while a file streams: {min(seconds):5.2f} s of {promised} s promised")
    assert min(seconds) < promised, seconds
