"""What the workflow adds to the work itself: whole sessions with a model that answers at once.

    python -m tests.bench.bench_session [--sessions 5]

A session is compared with its own bare activities in the same run: the time during which at least one of its steps was
carried out, as its history has it. The rest is the workflow's: scheduling, deciding, writing down. The median of the
ratios must not exceed 1.3.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
from datetime import datetime
from pathlib import Path

from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHistory

from tests.chaos.moments import PROMPT
from tests.chaos.site import Site, site
from tests.e2e.journeys.conftest import Model
from tests.stich.demo_server import demo

LIMIT = 1.3
ASIDE = "record_events"  # runs beside the steps and is no work of the session


def spans(history: WorkflowHistory) -> list[tuple[datetime, datetime]]:
    """When each step began and ended."""
    steps = {
        event.event_id
        for event in history.events
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
        and event.activity_task_scheduled_event_attributes.activity_type.name != ASIDE
    }
    began: dict[int, datetime] = {}
    found = []
    for event in history.events:
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
            began[event.activity_task_started_event_attributes.scheduled_event_id] = event.event_time.ToDatetime()
        elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
            step = event.activity_task_completed_event_attributes.scheduled_event_id
            if step in steps:
                found.append((began[step], event.event_time.ToDatetime()))
    return sorted(found)


def covered(found: list[tuple[datetime, datetime]]) -> float:
    """Seconds during which at least one of the spans held."""
    total, end = 0.0, found[0][0]
    for start, stop in found:
        total += max(0.0, (stop - max(start, end)).total_seconds())
        end = max(end, stop)
    return total


async def measure(place: Site) -> tuple[float, float]:
    """Seconds of one session, and of its bare activities."""
    run = await place.start(PROMPT, keep_open=False)
    await asyncio.wait_for(run.handle.result(), 180)
    history = await run.handle.fetch_history()
    times = [event.event_time.ToDatetime() for event in (history.events[0], history.events[-1])]
    return (times[1] - times[0]).total_seconds(), covered(spans(history))


async def bench(sessions: int) -> list[tuple[float, float]]:
    async with demo() as (server, client):
        model = Model(server, str(client.base_url).rstrip("/"))
        with tempfile.TemporaryDirectory(prefix="stich-bench-") as folder:
            async with site(Path(folder), model) as place:
                await measure(place)  # the first one warms the sandbox and the browser
                return [await measure(place) for _ in range(sessions)]


def main() -> None:
    parser = argparse.ArgumentParser(description="What the workflow adds to a session's bare activities.")
    parser.add_argument("--sessions", type=int, default=5)
    found = asyncio.run(bench(parser.parse_args().sessions))
    print("| session s | bare activities s | ratio |")
    print("|---|---|---|")
    for whole, bare in found:
        print(f"| {whole:.2f} | {bare:.2f} | {whole / bare:.2f} |")
    ratio = statistics.median(whole / bare for whole, bare in found)
    print(f"\nmedian ratio {ratio:.2f}, at most {LIMIT}")
    sys.exit(ratio > LIMIT)


if __name__ == "__main__":
    main()
