"""The sessions whose histories are kept, each played on a real system with the demo model."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from schemas.session import UserMessage
from tests.chaos.moments import (
    PHASE,
    PROMPT,
    ContinuingAsNew,
    FileStreaming,
    WaitingForCapacity,
    client_of,
    fault,
)
from tests.chaos.site import Run, Site
from tests.chaos.watching import Watcher

TOUR_RECORDING = Path(__file__).parents[1] / "recordings"
TOUR = "Build a tally of the things on my desk"
KANBAN = "Build a kanban board with drag and drop, labels, due dates and search"


async def happy(site: Site) -> AsyncIterator[tuple[str, Run]]:
    """One phase without trouble, and the workflow ends."""
    run = await site.start(PROMPT, keep_open=False)
    await asyncio.wait_for(run.handle.result(), 120)
    yield "happy", run


async def repair_and_message(site: Site) -> AsyncIterator[tuple[str, Run]]:
    """Three phases of which one needs a repair; then somebody asks for a change."""
    run = await site.start(KANBAN)
    await run.completed(300)
    yield "repair", run
    # Not through the service, which encrypts what it sends: these histories are read without its keys.
    await run.handle.signal("message", UserMessage(id="m1", text="add dark mode"))
    await run.reach(lambda p: len(p.phases) == 4 and p.state.name == "completed", "the change is made", 120)
    yield "message", run


async def stop_and_resume(site: Site) -> AsyncIterator[tuple[str, Run]]:
    """Stopped while a file streamed, resumed, built to the end."""
    moment = FileStreaming()
    run = await site.start(PROMPT, faults=moment.faults)
    async with Watcher(run) as watcher, client_of(run) as client:
        await moment.come(run, watcher)
        await client.stop(run.id)
        await run.reach(lambda p: p.state.name == "stopped" and not p.operations, "the session is stopped")
        await client.resume(run.id)
        await run.completed()
    yield "stop-and-resume", run


async def interrupt(site: Site) -> AsyncIterator[tuple[str, Run]]:
    """A message interrupts the writing of files."""
    run = await site.start(PROMPT, faults=[fault(PHASE, "drip", tokens_per_second=60)])
    async with Watcher(run) as watcher:
        await FileStreaming().come(run, watcher)
        await run.handle.signal("message", UserMessage(id="m1", text="What can you do?", interrupt=True))
        await run.reach(lambda p: p.state.name in ("completed", "failed") and not p.operations, "the session rests")
    yield "interrupt", run


async def capacity(site: Site) -> AsyncIterator[tuple[str, Run]]:
    """A long wait for a provider, cut short by a resume."""
    moment = WaitingForCapacity()
    run = await site.start(PROMPT, faults=moment.faults)
    async with Watcher(run) as watcher:
        await moment.come(run, watcher)
        await moment.afterwards(run, watcher)
        await run.completed()
    yield "capacity", run


async def continue_as_new(site: Site) -> AsyncIterator[tuple[str, Run]]:
    """The history is renewed while messages are answered and wait."""
    moment = ContinuingAsNew()
    run = await site.start(PROMPT, faults=moment.faults, max_history_events=moment.max_history_events)
    async with Watcher(run) as watcher:
        await moment.come(run, watcher)
        await run.completed()
    yield "continue-as-new", run


async def smart(site: Site) -> AsyncIterator[tuple[str, Run]]:
    """The mode in which a model chooses the steps."""
    run = await site.start(PROMPT, mode="smart")
    await run.completed(120)
    yield "smart", run


async def tour(site: Site) -> AsyncIterator[tuple[str, Run]]:
    """Smart mode with every tool: a question waits and is answered; then the debugger is called from the talk."""
    run = await take_the_tour(site)
    yield "tour", run


async def take_the_tour(site: Site) -> Run:
    """Play the recorded tour to its end."""
    run = await site.start(TOUR, mode="smart")
    await run.reach(lambda p: p.question is not None and p.state.name == "idle", "the builder asks", 180)
    await run.handle.signal("message", UserMessage(id="m1", text="teal, please"))
    await run.completed(120)
    await run.handle.signal("message", UserMessage(id="m2", text="It counts wrong: one press is two"))
    await run.reach(
        lambda p: len(p.phases) == 2 and p.state.name == "completed" and not p.operations, "it is mended", 120
    )
    return run


SCENARIOS = (happy, repair_and_message, stop_and_resume, interrupt, capacity, continue_as_new, smart, tour)
