"""The event log beside the obvious alternative: chunks as signals to the workflow, read by polling a query.

    python -m tests.bench.bench_polling [--seconds 8]

Both carry the same chunks (50 a second and session, stamped when they are put) on the same machine in the same run.
The alternative is given its best: signals batched every 50 ms, one poll of each session every 250 ms, no HTTP between.
"""

import argparse
import asyncio
import random
import re
import shutil
import statistics
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import uvloop
from temporalio import workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from tests.bench.bench_stream import CHUNKS_PER_SECOND, Scenario, measure, migrate
from tests.fragile_postgres import FragilePostgres

SESSIONS = (1, 5, 10)
BATCH = 0.05
POLL = 0.25
STAMP = re.compile(r"<(\d+)>")


@workflow.defn
class Chunks:
    """Keeps what it is told and answers with what came after a number."""

    def __init__(self) -> None:
        self._chunks: list[str] = []

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False, timeout=timedelta(minutes=5))

    @workflow.signal
    def put(self, chunks: list[str]) -> None:
        self._chunks += chunks

    @workflow.query
    def since(self, number: int) -> list[str]:
        return self._chunks[number:]


async def produce(handle: WorkflowHandle[Chunks, None], seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        batch = []
        for _ in range(round(BATCH * CHUNKS_PER_SECOND)):
            batch.append(f"<{time.monotonic_ns()}>" + "x" * random.randint(0, 165))
            await asyncio.sleep(1 / CHUNKS_PER_SECOND)
        await handle.signal(Chunks.put, batch)


async def poll(handle: WorkflowHandle[Chunks, None], seconds: float, ages: list[float]) -> None:
    end, seen = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        chunks = await handle.query(Chunks.since, seen)
        now = time.monotonic_ns()
        seen += len(chunks)
        ages += [(now - int(match[1])) / 1e6 for chunk in chunks if (match := STAMP.match(chunk))]
        await asyncio.sleep(POLL)


async def polled(client: Client, sessions: int, seconds: float) -> tuple[float, float, float]:
    """p50 and p99 in milliseconds, and history events per 1,000 chunks."""
    queue = f"polling-{sessions}"
    worker = Worker(client, task_queue=queue, workflows=[Chunks], workflow_runner=UnsandboxedWorkflowRunner())
    async with worker:
        handles = [
            await client.start_workflow(Chunks.run, id=f"{queue}-{number}", task_queue=queue)
            for number in range(sessions)
        ]
        ages: list[float] = []
        await asyncio.gather(
            *(produce(handle, seconds) for handle in handles), *(poll(handle, seconds, ages) for handle in handles)
        )
        history = (await handles[0].describe()).history_length
        for handle in handles:
            await handle.terminate()
    quantiles = statistics.quantiles(ages, n=100)
    return quantiles[49], quantiles[98], history / (len(ages) / sessions) * 1_000


async def all_polled(seconds: float) -> dict[int, tuple[float, float, float]]:
    environment = await WorkflowEnvironment.start_local(
        dev_server_existing_path=shutil.which("temporal", path=str(Path(sys.executable).parent)),
        dev_server_log_level="error",
    )
    try:
        return {sessions: await polled(environment.client, sessions, seconds) for sessions in SESSIONS}
    finally:
        await environment.shutdown()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8, help="of each measurement")
    seconds = parser.parse_args().seconds
    alternative = uvloop.run(all_polled(seconds))
    with tempfile.TemporaryDirectory(prefix="stich-bench-") as folder:
        data = Path(folder) / "postgres"
        data.mkdir()
        postgres = FragilePostgres(data)
        try:
            asyncio.run(migrate(postgres.dsn))
            print(
                "| sessions | event log p50 / p99 ms | query polling p50 / p99 ms | ratio of p50 | its history events |"
            )
            print("|---|---|---|---|---|")
            for sessions in SESSIONS:
                ours = measure(postgres.dsn, Scenario(sessions, 1, None, None), seconds)
                p50, p99, history = alternative[sessions]
                print(
                    f"| {sessions} | {ours['p50']:.0f} / {ours['p99']:.0f} | {p50:.0f} / {p99:.0f} "
                    f"| {ours['p50'] / p50:.2f} | {history:.0f} per 1,000 chunks (ours 0) |",
                    flush=True,
                )
        finally:
            postgres.remove()


if __name__ == "__main__":
    main()
