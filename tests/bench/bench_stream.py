"""How fast a chunk travels from a worker to a watcher, and how many frames a server sends.

    python -m tests.bench.bench_stream [--seconds 10] [--only 50x1]

Postgres, the worker, the client and the API servers, two as `stich up` runs, are processes of their own. A chunk
carries the time at which the worker put it; the client takes the difference on arrival (one machine, one monotonic
clock). The frames per second of one server are set beside a bare sse-starlette loop that yields one encoded frame at a
time, with the same client.
"""

import argparse
import asyncio
import json
import os
import random
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple, cast

import uvicorn
import uvloop
from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from schemas.events import FileChunk, SessionInfoEvent
from stich.collector import spare_what_stays
from storage.database import Database
from storage.events import EventLog, EventWriter
from tests.fragile_postgres import FragilePostgres

ROOT = Path(__file__).parents[2]
CHUNKS_PER_SECOND = 50
WARM_UP = 2.0  # seconds after all readers are served that do not count
PATIENCE = 120.0  # seconds for all readers to be served
STAMP = re.compile(rb"<(\d+)>")
FRAME = b'id: 1\nevent: file_chunk\ndata: {"seq":1,"at":"2026-01-01T00:00:00.000Z","text":"%b"}\n\n' % (b"x" * 60)


class Scenario(NamedTuple):
    """So many sessions, each with so many readers; the figures to reach in milliseconds, if there are any."""

    sessions: int
    readers: int
    p50: float | None
    p99: float | None

    @property
    def name(self) -> str:
        return f"{self.sessions}x{self.readers}"


SCENARIOS = (
    Scenario(1, 1, None, None),
    Scenario(10, 1, None, None),
    Scenario(50, 1, 30, 70),
    Scenario(50, 20, 40, 120),
    Scenario(200, 1, 40, 70),
    Scenario(1, 200, None, None),
)

# ---------------------------------------------------------------- worker


async def produce(writer: EventWriter, seconds: float) -> None:
    """Chunks of 5 to 185 characters at a model's pace, beginning at a random moment."""
    end = time.monotonic() + seconds
    due = time.monotonic() + random.random() / CHUNKS_PER_SECOND
    offset = 0
    while due < end:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        text = f"<{time.monotonic_ns()}>" + "x" * random.randint(0, 165)
        writer.put(FileChunk(operation_id="op", path="src/app.tsx", offset=offset, text=text, format="full_content"))
        await writer.drain()
        offset += len(text)
        due += 1 / CHUNKS_PER_SECOND


async def flood(writer: EventWriter, seconds: float) -> None:
    """Events that cannot be joined, as many as Postgres takes."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for _ in range(200):
            writer.put(SessionInfoEvent(title="x" * 60, template=None, model=None, demo=False))
        await writer.drain()
        await asyncio.sleep(0)


async def worker(dsn: str, name: str, sessions: int, seconds: float, flooding: bool) -> None:
    database = await Database.connect(dsn, max_size=4)
    event_log = EventLog(database)
    await event_log.start()
    writers = [await event_log.open(f"{name}-{n}", "op", run_id="run", attempt=1) for n in range(sessions)]
    spare_what_stays()  # as workers do
    work = flood if flooding else produce
    await asyncio.gather(*(work(writer, seconds) for writer in writers))
    await event_log.aclose()
    await database.aclose()


# ---------------------------------------------------------------- client


class Reader(asyncio.Protocol):
    """A watcher that only counts frames and notes how old each stamp is."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._rest = b""
        self.since: int | None = None
        self.served = asyncio.Event()
        self.frames = 0
        self.ages: list[float] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).write(f"GET {self._path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        whole, _, self._rest = (self._rest + data).rpartition(b"\n\n")
        frames = whole.count(b"\ndata: ")
        if frames:
            self.served.set()
        if self.since is not None:
            self.frames += frames
            # What was put before may have waited for this reader to connect.
            stamps = [int(stamp) for stamp in STAMP.findall(whole)]
            self.ages += [(now - stamp) / 1e6 for stamp in stamps if stamp > self.since]


async def client(port: int, paths: list[str], seconds: float) -> None:
    """Open all readers, read for `seconds`, print what came."""
    loop = asyncio.get_running_loop()
    readers = []
    for path in paths:
        _, reader = await loop.create_connection(partial(Reader, path), "127.0.0.1", port)
        readers.append(reader)
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*(reader.served.wait() for reader in readers))
    await asyncio.sleep(WARM_UP)
    since = time.monotonic_ns()
    for reader in readers:
        reader.since = since
    await asyncio.sleep(seconds)
    ages = sorted(age for reader in readers for age in reader.ages)
    quantiles = statistics.quantiles(ages, n=100) if len(ages) > 100 else []
    result = {
        "chunks": len(ages),
        "frames_per_second": sum(reader.frames for reader in readers) / seconds,
        "p50": quantiles[49] if quantiles else None,
        "p99": quantiles[98] if quantiles else None,
        "max": ages[-1] if ages else None,
    }
    print(json.dumps(result), flush=True)


# ---------------------------------------------------------------- the bare loop


async def bare(port: int) -> None:
    """sse-starlette with a generator that yields encoded frames, one at a time, as fast as they are taken."""

    async def frames() -> AsyncIterator[bytes]:
        while True:
            for _ in range(16):
                yield FRAME
            await asyncio.sleep(0)  # else the first client's loop never lets another one in

    async def events(_: Request) -> EventSourceResponse:
        return EventSourceResponse(frames())

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        print("ready", flush=True)
        yield

    app = Starlette(routes=[Route("/{path:path}", events)], lifespan=lifespan)
    await uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", access_log=False)).serve()


# ---------------------------------------------------------------- all of it


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def process(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """A Python process of this project, ended with the block."""
    child = subprocess.Popen([sys.executable, "-m", *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        yield child
    finally:
        child.kill()
        child.wait()


@contextmanager
def server(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    with process(*arguments) as child:
        assert child.stdout is not None
        if child.stdout.readline() != "ready\n":
            raise SystemExit("the server did not start")
        yield child


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def read_with_client(port: int, paths: list[str], seconds: float) -> dict[str, float]:
    for _ in range(100):  # the port opens a moment after the server is ready
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    with process("tests.bench.bench_stream", "client", str(port), ",".join(paths), str(seconds)) as child:
        output, _ = child.communicate(timeout=seconds + 2 * PATIENCE)
    result: dict[str, float] = json.loads(output)
    return result


def measure(dsn: str, scenario: Scenario, seconds: float, flooding: bool = False) -> dict[str, float]:
    """Run worker, servers and client for a scenario."""
    name = f"{'flood' if flooding else 'bench'}-{scenario.name}-{time.time_ns()}"
    port = free_port()
    lasts = 2 * PATIENCE + seconds  # it is ended before
    me = "tests.bench.bench_stream"
    paths = [f"/{name}-{n % scenario.sessions}?after=0" for n in range(scenario.sessions * scenario.readers)]
    with ExitStack() as stack:
        apis = [
            stack.enter_context(server("tests.api.stream_server", dsn, str(port))) for _ in range(1 if flooding else 2)
        ]
        producer = stack.enter_context(
            process(me, "worker", dsn, name, str(scenario.sessions), str(lasts), str(int(flooding)))
        )
        time.sleep(1.0)
        before = sum(cpu_seconds(api.pid) for api in apis), cpu_seconds(producer.pid), time.monotonic()
        result = read_with_client(port, paths, seconds)
        wall = time.monotonic() - before[2]
        result["api_cpu"] = (sum(cpu_seconds(api.pid) for api in apis) - before[0]) / wall * 100
        result["worker_cpu"] = (cpu_seconds(producer.pid) - before[1]) / wall * 100
    return result


def measure_bare(seconds: float, clients: int) -> dict[str, float]:
    port = free_port()
    with server("tests.bench.bench_stream", "bare", str(port)):
        return read_with_client(port, ["/"] * clients, seconds)


def bench(seconds: float, only: str | None) -> None:
    with tempfile.TemporaryDirectory(prefix="stich-bench-") as folder:
        data = Path(folder) / "postgres"
        data.mkdir()
        postgres = FragilePostgres(data)
        try:
            asyncio.run(migrate(postgres.dsn))
            print(f"load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
            print("| sessions x readers | p50 ms | p99 ms | max ms | to reach | chunks | api CPU % | worker CPU % |")
            print("|---|---|---|---|---|---|---|---|")
            for scenario in SCENARIOS:
                if only in (None, scenario.name):
                    report(scenario, measure(postgres.dsn, scenario, seconds))
            if only in (None, "frames"):
                frames(postgres.dsn, seconds)
        finally:
            postgres.remove()


def report(scenario: Scenario, result: dict[str, float]) -> None:
    goal = f"{scenario.p50:.0f} / {scenario.p99:.0f}" if scenario.p50 and scenario.p99 else "-"
    print(
        f"| {scenario.name} | {result['p50']:.0f} | {result['p99']:.0f} | {result['max']:.0f} | {goal} "
        f"| {result['chunks']} | {result['api_cpu']:.0f} | {result['worker_cpu']:.0f} |",
        flush=True,
    )


def frames(dsn: str, seconds: float) -> None:
    ours = measure(dsn, Scenario(1, 20, None, None), seconds, flooding=True)["frames_per_second"]
    loop = measure_bare(seconds, 20)["frames_per_second"]
    print(f"\nframes/s to 20 clients: {ours:,.0f}; bare sse-starlette loop {loop:,.0f}; ratio {ours / loop:.2f}")


async def migrate(dsn: str) -> None:
    database = await Database.connect(dsn)
    await database.migrate()
    await database.aclose()


def main() -> None:
    match sys.argv[1:]:
        case ["worker", dsn, name, sessions, seconds, flooding]:
            uvloop.run(worker(dsn, name, int(sessions), float(seconds), flooding == "1"))
        case ["client", port, paths, seconds]:
            uvloop.run(client(int(port), paths.split(","), float(seconds)))
        case ["bare", port]:
            uvloop.run(bare(int(port)))
        case _:
            parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
            parser.add_argument("--seconds", type=float, default=10, help="of each measurement")
            parser.add_argument("--only", help="one scenario, for instance 50x20, or 'frames'")
            options = parser.parse_args()
            bench(options.seconds, options.only)


if __name__ == "__main__":
    main()
