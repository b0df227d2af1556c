"""Many sessions at once on this machine, with a model that answers at once: what is left is stich's own work.

    make load                       (20 sessions, at most 10 minutes)
    python -m tests.bench.load --sessions 40 --minutes 20 --slots 4 --speed 1

Reports sessions per minute, how long every step waited and ran, memory, size of histories, growth of the databases, and
names the bottleneck. docs/sizing.md carries the numbers on.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import asyncpg
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import History
from temporalio.client import Client, WorkflowHistory

from schemas.http import CreateSession
from schemas.session import RESTING_STATES
from stich.client import StichClient
from stich.home import Home
from stich.processes.postgres import Postgres
from tests.e2e.service import Up, descendants, read

PROMPT: Final = "Build a simple counter app with plus and minus buttons"
PARTS: Final = ("worker", "api", "temporal", "postgres", "demo")
ALL: Final = (*PARTS, "sandboxes")
TICKS: Final = os.sysconf("SC_CLK_TCK")
MEBIBYTE: Final = 1024 * 1024


@dataclass
class Load:
    """What was measured. Times in seconds, sizes in bytes."""

    sessions: int
    seconds: float = 0.0
    ended: dict[str, str] = field(default_factory=dict)
    waits: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    runs: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    queues: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    events: list[int] = field(default_factory=list)
    history_bytes: list[int] = field(default_factory=list)
    idle: dict[str, int] = field(default_factory=dict)
    peak: dict[str, int] = field(default_factory=dict)
    rest: dict[str, int] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)
    tables: dict[str, int] = field(default_factory=dict)
    temporal_bytes: int = 0


# ------------------------------------------------------------------------------------------------------ the machine


def memory(up: Up) -> dict[str, int]:
    """Bytes that each part has for itself: pages that several share count in shares."""
    return {part: sum(map(_pss, pids)) for part, pids in _processes(up).items()}


def _processes(up: Up) -> dict[str, set[int]]:
    """The living processes of each part; what a worker started, and what lost its parent since, are sandboxes."""
    found = {part: set(up.children(part)) for part in PARTS}
    for part in ("api", "temporal", "postgres", "demo"):
        found[part] |= {child for pid in tuple(found[part]) for child in descendants(pid)}
    found["sandboxes"] = set(descendants(up.process.pid)) - set[int]().union(*found.values())
    return found


def _pss(pid: int) -> int:
    lines = read(pid, "smaps_rollup").decode().splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def processor_time(up: Up) -> dict[str, float]:
    """Seconds of processor time so far, with that of processes which have ended."""
    processes = _processes(up)
    found = {part: sum(sum(_times(pid)) for pid in pids) for part, pids in processes.items()}
    ended = sum(_times(pid)[1] for pid in processes["worker"])
    found["worker"] -= ended
    found["sandboxes"] += ended + _times(up.process.pid)[1]  # those without a parent end as children of `stich up`
    return found


def _times(pid: int) -> tuple[float, float]:
    """Processor time of a process, and of those of its children that have ended."""
    stat = read(pid, "stat").rpartition(b")")[2].split()
    if not stat:
        return 0.0, 0.0
    user, system, ended_user, ended_system = (int(value) / TICKS for value in stat[11:15])
    return user + system, ended_user + ended_system


async def table_sizes(dsn: str) -> dict[str, int]:
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch(
            "SELECT relname, pg_total_relation_size(oid) AS size FROM pg_class WHERE relkind = 'r' AND relnamespace ="
            " 'public'::regnamespace"
        )
        return {row["relname"]: row["size"] for row in rows}
    finally:
        await connection.close()


def folder_size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


# ------------------------------------------------------------------------------------------------------ the sessions


async def run(up: Up, load: Load, minutes: float) -> None:
    """Start the sessions and wait until they rest, or the time is over."""
    at = await asyncio.to_thread(up.wait_ready)
    dsn = Postgres(Home(up.home), {}).dsn
    load.idle = memory(up)
    tables, stored, used = await table_sizes(dsn), folder_size(up.home / "temporal"), processor_time(up)
    started = time.monotonic()
    async with StichClient(at.local_url, at.token) as client:
        request = CreateSession(prompt=PROMPT)
        ids = [(await client.start(request, f"load-{number}")).id for number in range(load.sessions)]
        while len(load.ended) < load.sessions and time.monotonic() - started < minutes * 60:
            await asyncio.sleep(2)
            now = memory(up)
            load.peak = {part: max(now[part], load.peak.get(part, 0)) for part in ALL}
            load.ended = await resting(dsn)
    load.seconds = time.monotonic() - started
    load.cpu = {part: spent - used[part] for part, spent in processor_time(up).items()}
    load.rest = memory(up)
    load.tables = {name: size - tables.get(name, 0) for name, size in (await table_sizes(dsn)).items()}
    load.temporal_bytes = folder_size(up.home / "temporal") - stored
    temporal = await Client.connect(at.temporal_address)
    for session_id in ids:
        note(load, await temporal.get_workflow_handle(session_id).fetch_history())


async def resting(dsn: str) -> dict[str, str]:
    """The sessions that have come to rest, and where."""
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch("SELECT id, state FROM sessions WHERE state = ANY ($1)", list(RESTING_STATES))
        return {row["id"]: row["state"] for row in rows}
    finally:
        await connection.close()


def note(load: Load, history: WorkflowHistory) -> None:
    """Take down how long each step of a session waited for a slot, and ran."""
    scheduled, began = {}, {}
    for event in history.events:
        at = event.event_time.ToDatetime()
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            scheduled[event.event_id] = (at, event.activity_task_scheduled_event_attributes)
        elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
            step = event.activity_task_started_event_attributes.scheduled_event_id
            asked, attributes = scheduled[step]
            began[step] = at
            load.waits[attributes.activity_type.name].append((at - asked).total_seconds())
            load.queues[attributes.task_queue.name.partition("@")[0]].append((at - asked).total_seconds())
        elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
            step = event.activity_task_completed_event_attributes.scheduled_event_id
            name = scheduled[step][1].activity_type.name
            load.runs[name].append((at - began[step]).total_seconds())
    load.events.append(len(history.events))
    load.history_bytes.append(History(events=history.events).ByteSize())


# ------------------------------------------------------------------------------------------------------ the report


def percentile(values: Iterable[float], share: float) -> float:
    """The value that a share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def bottleneck(load: Load) -> str:
    """What the sessions waited for, in a sentence."""
    waited = {queue: sum(times) for queue, times in load.queues.items()}
    queue = max(waited, key=lambda name: waited[name])
    share = waited[queue] / (sum(waited.values()) or 1)
    part = max(load.cpu, key=lambda name: load.cpu[name])
    busy = sum(load.cpu.values()) / (load.seconds * (os.cpu_count() or 1))
    return (
        f"{share:.0%} of all waiting was for a slot of {queue}; {busy:.0%} of this machine's {os.cpu_count()} cores"
        f" were used by stich, most by {part} ({load.cpu[part] / sum(load.cpu.values()):.0%})."
    )


def report(load: Load) -> None:
    done = list(load.ended.values())
    print(f"\n{load.sessions} sessions at once, {done.count('completed')} completed, {len(done)} ended, "
          f"in {load.seconds:.0f} s: {len(done) / load.seconds * 60:.1f} sessions/min")  # fmt: skip
    print("\n| step | runs | waited p50 s | waited p99 s | ran p50 s | ran p99 s |\n|---|---|---|---|---|---|")
    for step in sorted(load.runs, key=lambda name: -sum(load.runs[name])):
        waits, runs = load.waits[step], load.runs[step]
        print(f"| {step} | {len(runs)} | {percentile(waits, 0.5):.2f} | {percentile(waits, 0.99):.2f} |"
              f" {percentile(runs, 0.5):.2f} | {percentile(runs, 0.99):.2f} |")  # fmt: skip
    print("\n| part | memory idle MiB | peak MiB | at rest MiB | at rest per session KiB | processor s per session |")
    print("|---|---|---|---|---|---|")
    for part in ALL:
        idle, peak, rest = load.idle[part], load.peak.get(part, 0), load.rest[part]
        print(f"| {part} | {idle / MEBIBYTE:.0f} | {peak / MEBIBYTE:.0f} | {rest / MEBIBYTE:.0f} |"
              f" {(rest - idle) / 1024 / load.sessions:.0f} | {load.cpu[part] / load.sessions:.2f} |")  # fmt: skip
    print(f"history: {statistics.mean(load.events):.0f} events, {statistics.mean(load.history_bytes) / 1024:.0f} KiB"
          f" per session (most: {max(load.events)}, {max(load.history_bytes) / 1024:.0f} KiB)")  # fmt: skip
    grown = sorted(load.tables.items(), key=lambda each: -each[1])
    print(f"Postgres: {sum(load.tables.values()) / 1024 / load.sessions:.0f} KiB per session: "
          + ", ".join(f"{name} {size / 1024 / load.sessions:.0f}" for name, size in grown[:6]))  # fmt: skip
    print(f"Temporal's database: {load.temporal_bytes / 1024 / load.sessions:.0f} KiB per session")
    print(f"bottleneck: {bottleneck(load)}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Many sessions at once, with a model that answers at once.")
    parser.add_argument("--sessions", type=int, default=20, metavar="K", help="how many at once (default: 20)")
    parser.add_argument("--minutes", type=float, default=10, help="stop waiting after so long (default: 10)")
    parser.add_argument("--slots", metavar="N", help="sandbox steps at once (default: what this machine carries)")
    parser.add_argument("--speed", default="instant", help="pace of the model: instant (default), or 1 for 80 tokens/s")
    options = parser.parse_args()
    load = Load(options.sessions)
    with tempfile.TemporaryDirectory(prefix="stich-load-") as folder:
        more = {"STICH_SANDBOX_SLOTS": options.slots} if options.slots else {}
        more["STICH_DEMO_SPEED"] = options.speed
        limits = "requests=off, concurrent_sessions=off, calls=off"
        up = Up(Path(folder) / "home", Path(folder) / "output", STICH_PAYLOAD_KEY="off", STICH_LIMITS=limits, **more)
        try:
            asyncio.run(run(up, load, options.minutes))
        finally:
            up.close()
    report(load)


if __name__ == "__main__":
    main()
