"""Stop means stop: whatever a session does, its provider and its commands are left alone within a second."""

import asyncio
import time
from functools import partial

import pytest

from stich.client import StichClient
from stich.demo.request_log import LoggedRequest
from tests.chaos.evidence import Undisturbed, verify
from tests.chaos.moments import (
    FIRST,
    PHASE,
    PROMPT,
    SECOND,
    BlueprintStreaming,
    Checking,
    FileStreaming,
    Moment,
    WaitingForCapacity,
    WaitingForRateLimit,
    client_of,
    rate_limit,
)
from tests.chaos.site import Run, Site, until
from tests.chaos.watching import Watcher
from tests.e2e.service import descendants, read

PROMISED = 1.0
SLOW = {"fault": {"kind": "drip", "tokens_per_second": 60}}
TRIES = 3
"""A busy machine can delay anything: one of so many stops has to keep the promise."""


class ShortRateLimit(WaitingForRateLimit):
    faults = (rate_limit(20),)


class BetweenOperations(Moment):
    """An operation has just ended and the next one is about to start."""

    async def come(self, run: Run, watcher: Watcher) -> None:
        await watcher.wait_for("operation_finished", "template")


async def stop(run: Run, client: StichClient) -> float:
    """Ask for a stop, wait until nothing runs any more. Returns when it was asked for, as the clock shows it."""
    asked = time.time()
    assert (await client.stop(run.id)).name == "stopped"
    await run.reach(lambda p: p.state.name == "stopped" and not p.operations, "nothing runs", 20)
    return asked


async def ended(requests: list[LoggedRequest]) -> float:
    """When the last of these requests was over at the provider."""
    await until(lambda: all(request.ended is not None for request in requests), "the provider is left alone", 20)
    return max(request.ended or 0.0 for request in requests)


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    "moment", [pytest.param(FileStreaming, marks=pytest.mark.short), BlueprintStreaming], ids=["file", "blueprint"]
)
async def test_a_streaming_call_ends_within_a_second(
    moment: type[Moment], whole: Site, undisturbed: Undisturbed, measured: list[str]
) -> None:
    seconds = []
    for _ in range(TRIES):
        run = await whole.start(
            PROMPT, faults=[{**moment.faults[0], "fault": {"kind": "drip", "tokens_per_second": 60}}]
        )
        async with Watcher(run) as watcher, client_of(run) as client:
            await moment().come(run, watcher)
            asked = await stop(run, client)
            seconds.append(await ended(run.asked()) - asked)
            assert run.asked()[-1].outcome == "aborted"
            if moment is FileStreaming:
                await watcher.wait_for("file_reset", SECOND)
                stored = await run.site.sql(
                    "SELECT path FROM file_versions WHERE session_id = $1 AND operation_id = 'phase-1/implement'",
                    run.id,
                )
                assert [row["path"] for row in stored] == [FIRST], "what was closed stays, what was open does not"
            await client.resume(run.id)
            await verify(run, [watcher], undisturbed)
        if seconds[-1] < PROMISED:
            break
    measured.append(f"stop, {moment.__name__}: the provider is left alone after {min(seconds):.2f} s")
    assert min(seconds) < PROMISED


@pytest.mark.timeout(400)
@pytest.mark.parametrize("moment", [ShortRateLimit, WaitingForCapacity], ids=["20_seconds", "300_seconds"])
async def test_a_wait_for_a_rate_limit_ends_at_once(
    moment: type[Moment], whole: Site, undisturbed: Undisturbed, measured: list[str]
) -> None:
    seconds = []
    for _ in range(TRIES):
        run = await whole.start(PROMPT, faults=moment.faults)
        async with Watcher(run) as watcher, client_of(run) as client:
            await moment().come(run, watcher)
            calls = len(run.asked())
            asked = await stop(run, client)
            seconds.append(time.time() - asked)
            await asyncio.sleep(0.3)
            assert len(run.asked()) == calls, "nothing is asked of the provider while the session is stopped"
            await client.resume(run.id)
            await verify(run, [watcher], undisturbed)
        assert len(run.asked(PHASE)) == 2, "the one that met the limit, and one after the resume"
        if seconds[-1] < PROMISED:
            break
    measured.append(f"stop, {moment.__name__}: nothing waits after {min(seconds):.2f} s")
    assert min(seconds) < PROMISED


@pytest.mark.timeout(400)
async def test_a_command_in_the_sandbox_ends_within_a_second(
    whole: Site, undisturbed: Undisturbed, measured: list[str]
) -> None:
    seconds = []
    for _ in range(TRIES):
        run = await whole.start(PROMPT)
        async with Watcher(run) as watcher, client_of(run) as client:
            await Checking().come(run, watcher)
            await until(partial(runs_command, run), "a command runs in the sandbox")
            asked = time.time()
            await client.stop(run.id)
            await until(partial(rests, run), "no command runs", 20)
            seconds.append(time.time() - asked)
            await stop(run, client)
            await client.resume(run.id)
            await verify(run, [watcher], undisturbed)
        if seconds[-1] < PROMISED:
            break
    measured.append(f"stop, command in the sandbox: gone after {min(seconds):.2f} s")
    assert min(seconds) < PROMISED


def runs_command(run: Run) -> bool:
    """Whether a sandbox of this session runs below the worker."""
    commands = [read(pid, "cmdline") for pid in descendants(run.site.pid("worker"))]
    return any(run.id.encode() in words and b"bwrap" in words.split(b"\0")[0] for words in commands)


def rests(run: Run) -> bool:
    return not runs_command(run)


@pytest.mark.timeout(200)
async def test_between_operations_nothing_new_begins(whole: Site, undisturbed: Undisturbed) -> None:
    run = await whole.start(PROMPT)
    async with Watcher(run) as watcher, client_of(run) as client:
        await BetweenOperations().come(run, watcher)
        await stop(run, client)
        await asyncio.sleep(0.5)
        states = [event for event in watcher.seen if event.event.type == "session_state"]
        assert states[-1].event.state.name == "stopped"  # type: ignore[union-attr]
        at = states[-1].seq
        started = [item.seq for item in watcher.seen if item.event.type == "operation_started" and item.seq > at]
        assert not started, "an operation began after the stop"
        await client.resume(run.id)
        await verify(run, [watcher], undisturbed)
