"""Streams opened while Postgres is gone or frozen: kept, told so, and given nothing before access is proven."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple
from unittest import mock

import httpx
import orjson
import pytest
from playwright.async_api import async_playwright
from temporalio.testing import WorkflowEnvironment

from api.key_holders import PREFIX
from sandbox.machine import browser_path
from schemas.http import Problem
from storage.sessions import SessionRecord, Sessions
from tests.api.conftest import TOKEN
from tests.api.test_outages import Fragile, fragile
from tests.e2e.journeys.conftest import FLAGS

EVENTS = "/api/sessions/session-1/events"
UNKNOWN_KEY = PREFIX + "0" * 48


@pytest.fixture
async def place(database_dsn: str, temporal_environment: WorkflowEnvironment) -> AsyncIterator[Fragile]:
    async with fragile(database_dsn, temporal_environment) as place:
        await Sessions(place.service.database).create(
            SessionRecord(id="session-1", prompt="An app", mode="deterministic")
        )
        yield place


class Frame(NamedTuple):
    name: str
    data: bytes


class Opened:
    """A stream as it comes in."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.comments = 0
        self.began = b""
        self.ended = asyncio.Event()

    @property
    def names(self) -> list[str]:
        return [frame.name for frame in self.frames]

    def problem(self, name: str) -> Problem:
        return next(Problem.model_validate_json(frame.data) for frame in self.frames if frame.name == name)

    async def read(self, answer: httpx.Response) -> None:
        text = b""
        async for piece in answer.aiter_raw():
            self.began = self.began or piece
            *blocks, text = (text + piece).split(b"\n\n")
            for block in blocks:
                fields = dict(line.partition(b": ")[::2] for line in block.split(b"\n"))
                self.comments += block.startswith(b":")
                if b"event" in fields:
                    self.frames.append(Frame(fields[b"event"].decode(), fields[b"data"]))
        self.ended.set()

    async def until(self, true: Callable[[], object], seconds: float = 20) -> None:
        async with asyncio.timeout(seconds):
            while not true():  # noqa: ASYNC110 - what is waited for is a server's doing
                await asyncio.sleep(0.02)


@asynccontextmanager
async def opening(client: httpx.AsyncClient, path: str = EVENTS, **headers: str) -> AsyncIterator[Opened]:
    """Open a stream, which has to be one from the first answer on."""
    opened, began = Opened(), time.perf_counter()
    async with client.stream("GET", path, headers=headers, timeout=30) as answer:
        assert time.perf_counter() - began < 2.5
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        reading = asyncio.create_task(opened.read(answer))
        try:
            yield opened
        finally:
            reading.cancel()
            await asyncio.wait([reading])


@pytest.mark.parametrize("how", ["gone", "frozen"])
async def test_a_reader_survives_until_postgres_is_back(place: Fragile, how: str) -> None:
    if how == "gone":
        await place.postgres.cut()
    else:
        place.postgres.freeze()
    async with opening(place.service.signed_in) as stream:
        await stream.until(lambda: stream.names and stream.comments)
        assert stream.began.startswith(b"retry: ")
        assert stream.names == ["unavailable"]
        problem = stream.problem("unavailable")
        assert (problem.status, problem.code) == (503, "database_unavailable" if how == "gone" else "timeout")
        assert problem.request_id
        if how == "gone":
            await place.postgres.listen()
        else:
            place.postgres.thaw()
        await stream.until(lambda: "snapshot" in stream.names)
        assert stream.names[:3] == ["unavailable", "available", "snapshot"]
        assert orjson.loads(stream.frames[2].data)["progress"]["session_id"] == "session-1"


@pytest.mark.parametrize(
    ("path", "headers", "code"),
    [
        (EVENTS, {"Authorization": f"Bearer {UNKNOWN_KEY}"}, "not_signed_in"),
        ("/api/sessions/session-2/events", {}, "session_not_found"),
    ],
)
async def test_who_may_not_see_the_session_sees_nothing_of_it(
    place: Fragile, path: str, headers: dict[str, str], code: str
) -> None:
    await place.postgres.cut()
    async with opening(place.service.signed_in, path, **headers) as stream:
        await stream.until(lambda: stream.names)
        await place.postgres.listen()
        await asyncio.wait_for(stream.ended.wait(), 20)
        assert stream.names == ["unavailable", "refused"]
        assert stream.problem("refused").code == code
    again = await place.service.signed_in.get(path, headers=headers)  # as a browser does, which is then told for good
    assert Problem.model_validate_json(again.content).code == code


async def test_a_session_that_only_temporal_knows_is_waited_for_too(place: Fragile) -> None:
    await place.temporal.cut()
    with mock.patch("api.session_workflows.ANSWER_SECONDS", 0.5):
        async with opening(place.service.signed_in, "/api/sessions/session-2/events") as stream:
            await stream.until(lambda: stream.names and stream.comments)
            assert stream.names == ["unavailable"]
            assert stream.problem("unavailable").code in ("temporal_unavailable", "timeout")


async def test_who_has_no_credential_is_refused_at_once(place: Fragile) -> None:
    place.postgres.freeze()
    began = time.perf_counter()
    assert (await place.service.anonymous.get(EVENTS)).status_code == 401
    assert time.perf_counter() - began < 0.9
    place.postgres.thaw()  # a service that ends waits for its connections


async def test_only_so_many_wait(place: Fragile) -> None:
    await place.postgres.cut()
    with mock.patch("api.admission.MOST_WAITING", 1):
        async with opening(place.service.signed_in) as stream:
            await stream.until(lambda: stream.names)
            assert (await place.service.signed_in.get(EVENTS)).status_code == 503
        waiting = place.service.app.state.services.stream
        await stream.until(lambda: waiting.waiting == 0)


WATCH = """path => {
  window.told = [];
  const source = new EventSource(path);
  for (const name of ["open", "error", "unavailable", "available", "snapshot"])
    source.addEventListener(name, () => window.told.push(name));
}"""


async def test_a_browsers_own_event_source_survives(place: Fragile) -> None:
    """One that nobody ever opens anew: it connects while Postgres is gone, and sees the session when it is back."""
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=browser_path(), args=FLAGS)
        page = await browser.new_page(bypass_csp=True)  # else nothing can be waited for in it
        await page.goto(f"{place.service.url}/?token={TOKEN}")
        await place.postgres.cut()
        await page.evaluate(WATCH, EVENTS)
        await page.wait_for_function("window.told.includes('unavailable')")
        await place.postgres.listen()
        await page.wait_for_function("window.told.includes('snapshot')")
        told = await page.evaluate("window.told")
        await browser.close()
    assert told == ["open", "unavailable", "available", "snapshot"]


async def test_the_end_of_the_process_ends_those_that_wait(place: Fragile) -> None:
    await place.postgres.cut()
    async with opening(place.service.signed_in) as stream:
        await stream.until(lambda: stream.names)
        place.service.app.state.services.stream.close_readers()
        await asyncio.wait_for(stream.ended.wait(), 5)
