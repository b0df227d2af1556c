"""How much the page asks of a browser: a long file while it is written fast, and what is loaded first."""

import asyncio
import gzip
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from playwright.async_api import Browser, Page, Response, expect

from schemas.events import FileChunk, FileGenerating
from schemas.http import CreateSession
from stich.demo.faults import FaultPlan
from stich.home import Home
from stich.processes.postgres import Postgres
from storage.database import Database
from storage.events import EventLog, EventWriter
from tests.e2e.journeys.acts import SECONDS, reach
from tests.e2e.journeys.conftest import Model, Stich

PATH: Final = "src/long.tsx"
LINES: Final = 5_000
CHUNKS_A_SECOND: Final = 100
LONG_TASK_MS: Final = 50
FIRST_LOAD_BYTES: Final = 300_000


def lines(first: int, count: int) -> str:
    return "".join(
        f"export const value{n} = compute({n}, 'text {n}') // line {n}\n" for n in range(first, first + count)
    )


class LongFile:
    """A file as a step writes it."""

    def __init__(self, writer: EventWriter) -> None:
        self._writer = writer
        self._written = 0
        writer.put(
            FileGenerating(operation_id=writer.name, path=PATH, purpose="long", format="full_content", phase_id=None)
        )

    async def write(self, text: str) -> None:
        """One chunk, in the log by itself."""
        chunk = FileChunk(
            operation_id=self._writer.name, path=PATH, offset=self._written, text=text, format="full_content"
        )
        self._writer.put(chunk)
        self._written += len(text)
        await self._writer.flush()


@asynccontextmanager
async def long_file(stich: Stich, session_id: str) -> AsyncIterator[LongFile]:
    database = await Database.connect(Postgres(Home(stich.home), {}).dsn)
    log = EventLog(database)
    await log.start()
    try:
        yield LongFile(await log.open(session_id, "long-file", run_id="long-file", attempt=1))
    finally:
        await log.aclose()
        await database.aclose()


def longest_tasks(trace: bytes) -> list[float]:
    """What the page's own thread computed in one go, in milliseconds of its own time, the longest first.

    Its own time, not that of the clock: on a busy machine a task is put aside for others.
    """
    events = json.loads(trace)["traceEvents"]
    pages = {
        (event["pid"], event["tid"])
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    return sorted(
        (
            event["tdur"] / 1_000
            for event in events
            if event["name"] == "ThreadControllerImpl::RunTask" and "tdur" in event
            if (event["pid"], event["tid"]) in pages
        ),
        reverse=True,
    )


async def test_a_file_of_thousands_of_lines_is_written_smoothly(
    page: Page, browser: Browser, model: Model, stich: Stich
) -> None:
    hang = {"action": "first_phase_implementation", "calls": "every", "fault": {"kind": "hang"}}
    model.demo.faults.replace(FaultPlan.model_validate({"faults": [hang]}))
    try:
        async with stich.client() as client:
            session_id = (await client.start(CreateSession(prompt="Build a simple counter app"), "smooth")).id
        await page.goto(f"{stich.at.local_url}/s/{session_id}?tab=code")
        await reach(page, "Building")
        async with long_file(stich, session_id) as file:
            for first in range(0, LINES - 100, 100):
                await file.write(lines(first, 100))
            number = page.locator(".cm-gutterElement", has_text="4900").last
            await expect(number).to_be_visible(timeout=20 * SECONDS)
            await browser.start_tracing(page=page, categories=["toplevel"])
            rest = lines(LINES - 100, 100)
            size = len(rest) // 300 + 1
            begun = time.monotonic()
            for count, start in enumerate(range(0, len(rest), size), 1):
                await file.write(rest[start : start + size])
                await asyncio.sleep(max(0.0, begun + count / CHUNKS_A_SECOND - time.monotonic()))
            await expect(page.locator(".cm-line", has_text="// line 4999")).to_be_visible(timeout=20 * SECONDS)
            tasks = longest_tasks(await browser.stop_tracing())
        assert len(tasks) > 100, "the page was at work"
        assert tasks[0] < LONG_TASK_MS, tasks[:5]
        await page.get_by_role("button", name="Stop").click()
        await reach(page, "Stopped")
    finally:
        model.demo.faults.replace(FaultPlan())


async def test_the_first_load_is_small(browser: Browser, stich: Stich) -> None:
    """Each page, with nothing in the browser's memory, as a slow network would carry it."""
    for path in ("/", "/models"):
        context = await browser.new_context()
        page = await context.new_page()
        loaded: list[Response] = []
        page.on("response", lambda response, seen=loaded: seen.append(response))
        await page.goto(f"{stich.url}" if path == "/" else f"{stich.at.local_url}{path}")
        await expect(page.get_by_role("heading", level=1)).to_be_visible()
        await page.wait_for_load_state("networkidle")
        assets = [response for response in loaded if "/assets/" in response.url]
        assert {Path(response.url).suffix for response in assets} >= {".js", ".css"}
        size = sum([len(gzip.compress(await response.body())) for response in assets])
        assert size < FIRST_LOAD_BYTES, f"{path}: {size} bytes"
        assert not any("editor" in response.url for response in assets), path
        await context.close()
