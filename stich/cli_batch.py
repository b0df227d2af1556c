"""`stich batch`: many sessions from a file, a few at a time."""

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

from stich.batch import Batch, Job, Result, cost_of, read_jobs
from stich.environment import checked_settings
from stich.errors import StichError
from stich.service import find


def run(arguments: argparse.Namespace) -> int:
    address = find(checked_settings(os.environ))
    budget = cost_of(arguments.budget)
    if not 1 <= arguments.concurrency <= 1_000:
        raise StichError("--concurrency takes a number from 1 to 1000.")
    jobs, report = read_jobs(lines_of(arguments.file), bulk=arguments.bulk), report_of(arguments.file, arguments.report)
    if not jobs:
        raise StichError("The file has no lines; each is a JSON object with a prompt.")
    require_writable(report)

    async def work() -> list[Result] | None:
        async with address.client() as client:
            batch = Batch(
                client, report, concurrency=arguments.concurrency, budget=budget, out=arguments.out, told=tell
            )
            working = asyncio.create_task(batch.run(jobs))
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, working.cancel)
            await asyncio.wait([working])
            return None if working.cancelled() else working.result()

    results = asyncio.run(work())
    if results is None:
        tell("Interrupted. The sessions go on; the same command meets them again.")
        return 130
    return conclude(jobs, results, report)


def conclude(jobs: list[Job], results: list[Result], report: Path) -> int:
    completed = sum(result.state == "completed" for result in results)
    cost = sum(result.cost_usd for result in results)
    tell(f"{completed} of {len(jobs)} completed, {cost} US dollars; the report is {report}")
    if len(results) < len(jobs) or any(result.state == "stopped" for result in results):
        tell("The budget is spent. The same command with a higher --budget goes on.")
    return 0 if completed == len(jobs) else 1


def lines_of(file: str) -> list[str]:
    if file == "-":
        return sys.stdin.read().splitlines()
    try:
        return Path(file).read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise StichError(f"{file} cannot be read: {reason}.") from None


def report_of(file: str, report: Path | None) -> Path:
    if report is not None:
        return report
    if file == "-":
        raise StichError("Prompts from stdin need --report FILE, where the results go.")
    return Path(file).with_suffix(".report.jsonl")


def require_writable(report: Path) -> None:
    try:
        with report.open("a"):
            pass
    except OSError as error:
        raise StichError(f"The report {report} cannot be written: {error.strerror}.") from None


def tell(line: str) -> None:
    print(line, flush=True)
