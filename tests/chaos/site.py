"""A whole stich with everything that a disaster needs: its parts by name, its database, its Temporal, a second worker.

Every event that ever was committed is copied into a table of the tests' own, so that what was compacted away since
still counts as evidence.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import asyncpg
import httpx
from temporalio.client import Client, WorkflowHandle
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError

from sandbox.settings import SandboxSettings
from schemas.session import Progress, SessionRequest
from stich.demo.faults import FaultPlan
from stich.demo.request_log import LoggedRequest
from stich.home import Home, free_port
from stich.processes.postgres import Postgres
from stich.processes.roles import answers
from storage.database import is_transient
from tests.e2e.journeys.conftest import Model, Stich, running
from tests.e2e.service import command, read

AWAY_SECONDS: Final = 60.0
"""How long anything may take to come back on a busy machine."""

SERVICES: Final = ("api", "api-2")
"""The processes of the service, by name."""

T = TypeVar("T")

_ARCHIVE = """
    CREATE TABLE IF NOT EXISTS archive (
      session_id text, seq bigint, type text, data text, at timestamptz, piece bool, PRIMARY KEY (session_id, seq));
    CREATE OR REPLACE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO archive VALUES
        (NEW.session_id, NEW.seq, NEW.type, NEW.data, clock_timestamp(), NEW.chunk_of IS NOT NULL);
      RETURN NULL;
    END $$;
    CREATE OR REPLACE TRIGGER keep AFTER INSERT ON events FOR EACH ROW EXECUTE FUNCTION keep();"""


@dataclass(frozen=True)
class Kept:
    """An event as it was committed. `piece`: part of a text, which may be compacted away."""

    type: str
    data: str
    at: datetime
    piece: bool


async def until(
    found: Callable[[], Awaitable[T | None]] | Callable[[], T | None],
    what: str,
    seconds: float = AWAY_SECONDS,
    pause: float = 0.02,
) -> T:
    """Ask again and again until there is an answer that is not None or False. Fails by saying `what` did not happen."""
    deadline = time.monotonic() + seconds
    while True:
        answer = found()
        value = await answer if isinstance(answer, Awaitable) else answer
        if value is not None and value is not False:
            return value
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        await asyncio.sleep(pause)


class Site:
    """A running stich under test."""

    def __init__(self, stich: Stich, model: Model, temporal: Client) -> None:
        self.stich = stich
        self.model = model
        self.temporal = temporal
        self.dsn = Postgres(Home(stich.home), {}).dsn
        self._sessions = 0

    # ---------------------------------------------------------------- parts

    def pid(self, part: str) -> int:
        return self.stich.up.child(part)

    def kill(self, part: str) -> None:
        """kill -9 of all processes of a part."""
        for pid in self.stich.up.children(part):
            os.kill(pid, signal.SIGKILL)

    def kill_busiest_service(self) -> None:
        """kill -9 of the service process that has most of the connections."""
        port = urlsplit(self.stich.at.local_url).port
        assert port is not None
        mine = sockets_of(port)
        pids = self.stich.up.children("api")
        os.kill(max(pids, key=lambda pid: len(mine & open_sockets(pid))), signal.SIGKILL)

    async def wait_back(self) -> None:
        """Until every part runs and the service calls itself ready."""

        async def ready() -> bool:
            try:
                for part in ("worker", "postgres", "temporal", *SERVICES):
                    self.pid(part)
                async with httpx.AsyncClient(base_url=self.stich.at.local_url, trust_env=False) as http:
                    return (await http.get("/readyz")).status_code == 200
            except (AssertionError, OSError, httpx.TransportError):
                return False

        await until(ready, "all parts are back")

    @asynccontextmanager
    async def second_worker(self, folder: Path, **env: str) -> AsyncIterator[int]:
        """Another worker, with a home of its own as on another host; its process id."""
        ready, home = folder / "worker.ready", folder / "other-host"
        ready.unlink(missing_ok=True)
        own = {"STICH_HOME": str(home), "STICH_READY_FILE": str(ready), "STICH_PREVIEW_PORT": str(free_port())}
        try:
            async with self._another("worker", folder / "worker-2.log", {**own, **env}) as process:
                await until(lambda: ready.exists() or process.poll() is not None, "the second worker is ready")
                yield process.pid
        finally:
            shutil.rmtree(SandboxSettings(home=home).workspaces, ignore_errors=True)

    @asynccontextmanager
    async def second_api(self, folder: Path, **env: str) -> AsyncIterator[str]:
        """Another service; its address."""
        port = free_port()
        async with self._another("api", folder / "api-2.log", {"PORT": str(port), **env}) as process:
            ready = answers(port, "/readyz")

            async def settled() -> bool:
                return process.poll() is not None or await ready()

            await until(settled, "the second service is ready")
            yield f"http://127.0.0.1:{port}"

    @asynccontextmanager
    async def _another(self, role: str, log: Path, env: dict[str, str]) -> AsyncIterator[subprocess.Popen[bytes]]:
        """One more process of a role, with the settings of the first one and `env`."""
        first = read(self.pid(role), "environ").decode().split("\0")
        settings = dict(setting.split("=", 1) for setting in first if "=" in setting)
        del settings["STICH_LISTEN_FD"], settings["STICH_READY_FILE"]
        process = await asyncio.to_thread(begin, role, {**settings, **env}, log)
        try:
            yield process
        except AssertionError as error:
            error.add_note(f"The second {role} wrote its log to {log}.")
            raise
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    await asyncio.to_thread(process.wait, 10)
            if process.poll() is None:
                process.kill()
            await asyncio.to_thread(process.wait)

    # ---------------------------------------------------------------- the database

    async def sql(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        """The rows of a statement; waits while Postgres is away."""

        async def ask() -> list[asyncpg.Record] | None:
            try:
                connection = await asyncpg.connect(self.dsn, timeout=5, command_timeout=10)
                try:
                    rows: list[asyncpg.Record] = await connection.fetch(statement, *arguments)
                    return rows
                finally:
                    await connection.close()
            except Exception as error:
                if is_transient(error):
                    return None
                raise

        return await until(ask, "Postgres answers")

    async def keep_everything(self) -> None:
        """From now on, copy each event that is committed."""
        connection = await asyncpg.connect(self.dsn)
        await connection.execute(_ARCHIVE)
        await connection.close()

    async def archive(self, session_id: str) -> dict[int, Kept]:
        rows = await self.sql("SELECT seq, type, data, at, piece FROM archive WHERE session_id = $1", session_id)
        return {row["seq"]: Kept(row["type"], row["data"], row["at"], row["piece"]) for row in rows}

    # ---------------------------------------------------------------- sessions

    async def start(
        self, prompt: str, *, faults: list[dict[str, Any]] | None = None, name: str = "", **request: object
    ) -> "Run":
        """Start a session as any Temporal client may. `faults` befall this session's model calls only."""
        self._sessions += 1
        session_id = f"chaos-{self._sessions}{name and '-'}{name}"
        rules = [{"session": session_id, **fault} for fault in faults or []]
        self.model.demo.faults.replace(FaultPlan.model_validate({"faults": rules}))
        asked = SessionRequest.model_validate({"prompt": prompt, **request})
        handle: WorkflowHandle[Any, Progress] = await self.temporal.start_workflow(
            "CodeGenSession",
            asked,
            id=session_id,
            task_queue="stich-workflows",
            result_type=Progress,
            memo={"user_id": asked.user_id},
        )
        return Run(self, session_id, handle)


def sockets_of(port: int) -> set[str]:
    """The kernel's numbers of the established connections to a port of this machine."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {row[9] for row in rows if row[3] == "01" and int(row[1].rpartition(":")[2], 16) == port}


def open_sockets(pid: int) -> set[str]:
    """The kernel's numbers of the sockets that a process has open."""
    targets = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            targets.append(str(entry.readlink()))
    return {target[len("socket:[") : -1] for target in targets if target.startswith("socket:[")}


def begin(role: str, env: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            command(role), env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=log.parent
        )


@asynccontextmanager
async def site(folder: Path, model: Model) -> AsyncIterator[Site]:
    """A stich of one's own for the length of a block."""
    try:
        async with running(folder, model) as stich:
            temporal = await Client.connect(
                stich.at.temporal_address, data_converter=pydantic_data_converter, lazy=True
            )
            found = Site(stich, model, temporal)
            await found.keep_everything()
            yield found
    finally:
        shutil.rmtree(SandboxSettings(home=folder / "home").workspaces, ignore_errors=True)


class Run:
    """One session on a site."""

    def __init__(self, site: Site, session_id: str, handle: WorkflowHandle[Any, Progress]) -> None:
        self.site = site
        self.id = session_id
        self.handle = handle

    def asked(self, action: str = "") -> list[LoggedRequest]:
        """What the provider was asked for this session."""
        return [request for request in self.site.model.asked(self.id) if action in request.action]

    async def progress(self) -> Progress | None:
        """The workflow's answer, None while there is none."""
        try:
            return await self.handle.query("progress", result_type=Progress, rpc_timeout=timedelta(seconds=3))
        except RPCError:
            return None

    async def reach(self, reached: Callable[[Progress], bool], what: str, seconds: float = AWAY_SECONDS) -> Progress:
        """The progress as soon as `reached` holds for it."""
        seen: list[str] = []

        async def ask() -> Progress | None:
            progress = await self.progress()
            if progress is None:
                return None
            seen[:] = [f"{progress.state.name}: {progress.state.reason}"]
            return progress if reached(progress) else None

        try:
            return await until(ask, what, seconds, 0.1)
        except AssertionError as error:
            raise AssertionError(f"{self.id}: {error} (last seen: {seen})") from None

    async def completed(self, seconds: float = 90) -> Progress:
        """The progress once the session is completed, every message is answered and nothing runs."""
        return await self.reach(
            lambda p: p.state.name == "completed" and not p.operations and all(m.answered for m in p.messages),
            "the session is completed",
            seconds,
        )

    async def runs(self) -> int:
        """How many workflow runs the session has had."""
        count = await self.site.temporal.count_workflows(f"WorkflowId = '{self.id}'")
        return count.count

    async def worker_of(self, operation: str) -> int | None:
        """The process id of the worker that runs an activity of this session now."""
        description = await self.handle.describe()
        for pending in description.raw_description.pending_activities:
            if pending.activity_type.name == operation and pending.last_worker_identity:
                return int(pending.last_worker_identity.split("@")[0])
        return None
