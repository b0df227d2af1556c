"""One provider for all, one site for the matrix, and at the end a list of the pauses that were measured."""

from collections.abc import AsyncIterator

import pytest

from tests.chaos.evidence import Undisturbed, contents
from tests.chaos.moments import PROMPT
from tests.chaos.site import Site, site
from tests.e2e.journeys.conftest import Model
from tests.stich.demo_server import demo

PAUSES: pytest.StashKey[list[str]] = pytest.StashKey()


@pytest.fixture(scope="session")
async def model() -> AsyncIterator[Model]:
    async with demo() as (server, client):
        yield Model(server, str(client.base_url).rstrip("/"))


@pytest.fixture(scope="session")
async def shared(model: Model, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """The site whose parts are killed one after another; it has to outlive all of that."""
    async with site(tmp_path_factory.mktemp("site"), model) as shared:
        yield shared


@pytest.fixture
async def whole(shared: Site, model: Model) -> Site:
    """The shared site with every part running and a provider without faults."""
    model.demo.rate = None
    await shared.wait_back()
    return shared


@pytest.fixture(scope="session")
async def undisturbed(shared: Site) -> Undisturbed:
    """The counter, built in peace."""
    return await build_in_peace(shared, PROMPT)


async def build_in_peace(site: Site, prompt: str) -> Undisturbed:
    run = await site.start(prompt)
    progress = await run.completed(240)
    return Undisturbed(contents(progress.files), frozenset(request.operation for request in run.asked()))


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> list[str]:
    """Lines for the list at the end."""
    return request.config.stash.setdefault(PAUSES, [])


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "short: a part of the matrix that runs with every change")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if lines := config.stash.get(PAUSES, []):
        terminalreporter.section("measured")
        for line in lines:
            terminalreporter.write_line(line)
