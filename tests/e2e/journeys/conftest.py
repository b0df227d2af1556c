"""One stich, one model and one browser for all journeys; one that kills something starts a stich of its own."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Page, async_playwright

from sandbox.machine import browser_path
from schemas.http import CreateSession
from stich.client import StichClient
from stich.demo.faults import FaultPlan
from stich.demo.recording import BUILT_IN
from stich.demo.request_log import LoggedRequest
from stich.demo.server import DemoModel
from stich.home import RunningUp
from tests.e2e.journeys.acts import COUNTER, reach
from tests.e2e.service import READY_SECONDS, Up
from tests.stich.demo_server import demo

TOUR_RECORDING = Path(__file__).parents[2] / "recordings"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@dataclass
class Model:
    """The demo model, inside the tests, so that they see what it was asked."""

    demo: DemoModel
    url: str

    @contextmanager
    def pace(self, rate: float) -> Iterator[None]:
        """Answer at `rate` tokens a second instead of at once."""
        self.demo.rate = rate
        yield
        self.demo.rate = None

    @contextmanager
    def writing(self, rate: float) -> Iterator[None]:
        """Write the first phase at `rate` tokens a second, and all before and after it at once."""
        drip = {"kind": "drip", "tokens_per_second": rate}
        rule = {"action": "first_phase_implementation", "calls": "every", "fault": drip}
        self.demo.faults.replace(FaultPlan.model_validate({"faults": [rule]}))
        yield
        self.demo.faults.replace(FaultPlan())

    def asked(self, session_id: str) -> list[LoggedRequest]:
        return [request for request in self.demo.log.all() if request.session == session_id]


class Stich:
    """A `stich up` that can be ended in any way and started again on the same home and port."""

    def __init__(self, folder: Path, model: Model, **settings: str) -> None:
        self.home = folder / "home"
        self._folder = folder
        self._environment = {"STICH_DEMO_URL": model.url, "STICH_MODEL": "demo/demo", **settings}
        self._starts = 0
        self.up: Up
        self.at: RunningUp

    async def start(self) -> None:
        self._starts += 1
        self.up = Up(self.home, self._folder / f"output-{self._starts}", **self._environment)
        self.at = await asyncio.to_thread(self.up.wait_ready)
        self._environment["PORT"] = str(urlsplit(self.at.local_url).port)

    @property
    def url(self) -> str:
        """The address that signs in."""
        return f"{self.at.local_url}/?token={self.at.token}"

    def client(self) -> StichClient:
        return StichClient(self.at.local_url, self.at.token, patience=READY_SECONDS)


@asynccontextmanager
async def running(folder: Path, model: Model, **settings: str) -> AsyncIterator[Stich]:
    """A stich for the length of a block; `settings` are more variables of its environment."""
    stich = Stich(folder, model, **settings)
    await stich.start()
    try:
        yield stich
    finally:
        await asyncio.to_thread(stich.up.close)


@pytest.fixture(scope="session")
async def model() -> AsyncIterator[Model]:
    async with demo(BUILT_IN, TOUR_RECORDING) as (server, client):
        yield Model(server, str(client.base_url).rstrip("/"))


@pytest.fixture(scope="session")
async def stich(model: Model, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stich]:
    # Nothing is asked of GitHub itself.
    async with running(tmp_path_factory.mktemp("journeys"), model, STICH_GITHUB_API=f"{model.url}/github") as stich:
        yield stich


@pytest.fixture(scope="session")
async def finished(stich: Stich) -> str:
    """The address of a finished session, for all tests of a process: each leaves it finished."""
    async with stich.client() as client:
        session_id = (await client.start(CreateSession(prompt=COUNTER), "finished")).id
    return f"{stich.at.local_url}/s/{session_id}"


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=browser_path(), args=FLAGS)
        yield browser
        await browser.close()


@pytest.fixture
async def page(browser: Browser, stich: Stich) -> AsyncIterator[Page]:
    """A signed-in page. The test fails if the page threw an error; the apps in its previews may."""
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    page = await context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(error.stack or str(error)))  # of frames too
    await page.goto(stich.url)
    yield page
    await context.close()
    # An app may fail in its preview while its files are written one after the other.
    assert [error for error in errors if stich.at.local_url in error or "http" not in error] == []


@pytest.fixture
async def counter(page: Page, finished: str) -> str:
    """The address of a finished session, which the page shows."""
    await page.goto(finished)
    await reach(page, "Finished", 90)
    return finished
