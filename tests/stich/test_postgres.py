"""The embedded Postgres, started, killed and started again for real."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from stich.database import migrate
from stich.errors import StichError
from stich.home import Home
from stich.processes.postgres import SOCKET_NAME, Postgres, make_private, socket_folder
from stich.processes.program import Child

PLAIN = {"PATH": os.defpath}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("private") / "a home, its name has a comma")
    home.prepare()
    return home


@pytest.fixture
async def server(home: Home) -> AsyncIterator[tuple[Postgres, Child]]:
    async def ended() -> None:
        pass

    postgres = Postgres(home, PLAIN)
    await postgres.initialise()
    child = Child(postgres.program(), home.logs, lambda line: None, ended)
    await child.start()
    await postgres.create_database()
    yield postgres, child
    await child.stop()
    postgres.clean_up()
    assert not socket_folder(home.postgres).exists()


async def number_of(dsn: str) -> int:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("CREATE TABLE IF NOT EXISTS kept (n int)")
        await connection.execute("INSERT INTO kept VALUES (1)")
        return int(await connection.fetchval("SELECT count(*) FROM kept"))
    finally:
        await connection.close()


async def test_it_serves_migrates_and_keeps_what_it_was_given(server: tuple[Postgres, Child], home: Home) -> None:
    postgres, child = server
    await migrate(postgres.dsn)
    before = await number_of(postgres.dsn)
    await child.stop()
    await child.start()
    assert await number_of(postgres.dsn) == before + 1


async def test_only_its_owner_can_reach_it(server: tuple[Postgres, Child], home: Home) -> None:
    assert home.postgres.stat().st_mode & 0o077 == 0
    assert (socket_folder(home.postgres) / SOCKET_NAME).stat().st_mode & 0o077 == 0
    assert socket_folder(home.postgres).stat().st_mode & 0o077 == 0
    assert child_listens_on_no_port(server[1])


def child_listens_on_no_port(child: Child) -> bool:
    assert child.pid is not None
    inodes = {
        target.removeprefix("socket:[").removesuffix("]")
        for link in Path(f"/proc/{child.pid}/fd").iterdir()
        if (target := str(link.readlink())).startswith("socket:")
    }
    rows = Path("/proc/net/tcp").read_text().splitlines() + Path("/proc/net/tcp6").read_text().splitlines()
    return not any(row.split()[9] in inodes for row in rows if row.split()[3] == "0A")


async def test_after_kill_9_it_starts_again_with_everything(server: tuple[Postgres, Child]) -> None:
    postgres, child = server
    before = await number_of(postgres.dsn)
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    await asyncio.sleep(0.3)
    await child.start()
    assert await number_of(postgres.dsn) == before + 1


async def test_the_number_of_another_program_in_its_lock_file_does_not_stop_it(
    server: tuple[Postgres, Child], home: Home
) -> None:
    postgres, child = server
    await child.stop()
    (home.postgres / "data" / "postmaster.pid").write_text(f"{os.getpid()}\n{home.postgres / 'data'}\n1\n5432\n\n\n")
    await child.start()
    assert await number_of(postgres.dsn) >= 1


async def test_one_that_was_left_running_is_ended_first(server: tuple[Postgres, Child], home: Home) -> None:
    postgres, child = server
    left = child.pid
    other = Child(postgres.program(), home.logs, lambda line: None, lambda: asyncio.sleep(0))
    await other.start()
    assert other.pid not in (None, left) and child.pid is None
    assert await number_of(postgres.dsn) >= 1
    await other.stop()


async def test_a_half_made_data_directory_is_made_anew(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.prepare()
    (home.postgres / "data.new").mkdir()
    (home.postgres / "data.new" / "PG_VERSION").write_text("18\n")
    postgres = Postgres(home, PLAIN)
    await postgres.initialise()
    assert (home.postgres / "data" / "global").is_dir() and not (home.postgres / "data.new").exists()


async def test_a_database_that_cannot_be_reached_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StichError, match=r"^Postgres cannot be used \(.*\); is DATABASE_URL right\?$"):
        await migrate(f"postgresql://x@/x?host={tmp_path}")


def test_a_long_path_gets_a_short_socket(tmp_path: Path) -> None:
    long = tmp_path / ("deep" * 30)
    short = socket_folder(long)
    assert len(os.fsencode(short / SOCKET_NAME)) < 100
    assert socket_folder(long) == short != socket_folder(long / "x")
    assert socket_folder(Path("/short and plain")) == Path("/short and plain")


def test_a_socket_folder_of_someone_else_is_refused(tmp_path: Path) -> None:
    make_private(tmp_path / "mine")
    (tmp_path / "open").mkdir(mode=0o755)
    with pytest.raises(StichError, match="must belong to this user alone"):
        make_private(tmp_path / "open")
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    with pytest.raises(StichError, match="must belong to this user alone"):
        make_private(tmp_path / "link")


def test_its_binaries_are_found_without_the_package_touching_the_machine() -> None:
    code = "import sys; from stich.processes.postgres import binary; binary('postgres'); print('psutil' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
