"""`stich up`: all processes of one home, started in order, kept running, stopped in reverse order."""

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from stich.database import migrate
from stich.errors import StichError
from stich.home import Home, RunningUp, token_of
from stich.keys import codec_ticket, master_keys, payload_keys
from stich.processes.door import Door
from stich.processes.orphans import adopt_orphans, end_orphans
from stich.processes.postgres import Postgres
from stich.processes.program import Child, Program
from stich.processes.roles import api_programs, demo_program, worker_program
from stich.processes.temporal import temporal_program
from stich.settings import DEFAULT_PORT, Settings

# What programs that are not ours get to see of the environment: no key of any provider.
PLAIN_VARIABLES: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER", "LOGNAME", "STICH_DEMO_SPEED")
ANY_ADDRESS: Final = ("0.0.0.0", "::")


class Supervisor:
    """Everything that runs for one home. `report` receives one plain line at a time."""

    def __init__(self, settings: Settings, env: Mapping[str, str], report: Callable[[str], None]) -> None:
        self.settings = settings
        self.home = Home(settings.home)
        self._env = env
        self._report = report
        self._children: list[Child] = []
        self._doors: list[Door] = []
        self._postgres: Postgres | None = None

    async def start(self) -> RunningUp:
        """Start everything and return where it is reached.

        Raises StichError when something is missing, taken or does not start. Call `stop` afterwards in any case.
        """
        adopt_orphans()
        self.home.prepare()
        self.home.lock()
        self._require_programs()
        master_keys(self.settings)
        encrypted = payload_keys(self.settings, make=True) is not None
        api_door = self._listen(self.settings.port)
        preview_door = self._listen_for_previews(api_door.port)
        async with together() as group:
            temporal = group.create_task(self._start_temporal(self._codec(api_door.port) if encrypted else None))
            database = group.create_task(self._start_database())
            demo_model = group.create_task(self._start_demo())
        temporal_address, temporal_ui = temporal.result()
        running = RunningUp(
            pid=os.getpid(),
            url=self.settings.public_url or self._local_url(api_door.port),
            local_url=self._local_url(api_door.port),
            token=token_of(self.settings),
            temporal_address=temporal_address,
            temporal_ui=temporal_ui,
            demo=demo_model.result() is not None,
            auth=self.settings.auth,
        )
        environment = {
            **self._roles_environment(running, database.result(), demo_model.result()),
            "PORT": str(api_door.port),
            "STICH_PREVIEW_PORT": str(preview_door.port),
        }
        async with together() as group:
            group.create_task(self._run(worker_program(self.home, preview_door, environment)))
            count, refuse = self.settings.api_processes, partial(self._refuse, api_door, "api")
            for program in api_programs(self.home, count, api_door, refuse, environment):
                group.create_task(self._run(program))
        self.home.announce(running)
        return running

    async def stop(self) -> None:
        """Stop what was started, those that use others first. Safe to call at any moment, also after a failed start."""
        for parts in (("api", "worker"), ("demo", "temporal"), ("postgres",)):
            await asyncio.gather(*(child.stop() for child in self._children if child.program.part in parts))
        await self._end_orphans()
        if self._postgres is not None:
            self._postgres.clean_up()
        for door in self._doors:
            door.close()
        self.home.unlock()

    def kill(self) -> None:
        """End all children at once; `stop`, called before or after, then finds them gone."""
        for child in self._children:
            child.kill()

    # ------------------------------------------------------------ before anything starts

    def _require_programs(self) -> None:
        if shutil.which("node") is None:
            raise StichError("Node.js is missing; install version 20 or newer and run `make setup`.")
        if shutil.which("bwrap") is None and not self.settings.unsafe_local:
            raise StichError(
                "bubblewrap is missing, which keeps generated code away from this machine; run `make setup`,"
                " or set STICH_UNSAFE_LOCAL=1 to do without on a machine of your own."
            )

    def _listen(self, port: int) -> Door:
        try:
            door = Door(self.settings.host, port)
        except OSError as error:
            other = DEFAULT_PORT + 10 if port == DEFAULT_PORT else DEFAULT_PORT
            raise StichError(
                f"Port {port} of {self.settings.host} cannot be used ({os.strerror(error.errno or 0)});"
                f" choose another, as in PORT={other}."
            ) from None
        self._doors.append(door)
        return door

    def _listen_for_previews(self, api_port: int) -> Door:
        chosen = self.settings.preview_port
        try:
            if chosen is not None or api_port < 65535:
                door = Door(self.settings.host, api_port + 1 if chosen is None else chosen)
            else:
                door = Door(self.settings.host, 0)
        except OSError:
            if chosen is not None:
                raise StichError(
                    f"Port {chosen} for previews is taken; choose another with STICH_PREVIEW_PORT, or leave that away."
                ) from None
            door = Door(self.settings.host, 0)
        self._doors.append(door)
        return door

    # ------------------------------------------------------------ the parts

    async def _start_temporal(self, codec: str | None) -> tuple[str, str | None]:
        if self.settings.temporal_address is not None:
            self._report(f"Temporal: using the one at {self.settings.temporal_address}")
            return self.settings.temporal_address, self.settings.temporal_ui
        port, ui_port = self.home.port("temporal"), self.home.port("temporal_ui")
        namespace = self.settings.temporal_namespace
        await self._run(temporal_program(self.home, namespace, port, ui_port, codec, self._plain_environment()))
        return f"127.0.0.1:{port}", f"http://127.0.0.1:{ui_port}"

    async def _start_database(self) -> str:
        """Start Postgres where none is named, and bring its tables up to date."""
        if self.settings.database_url is not None:
            self._report("Postgres: using the one that DATABASE_URL names")
            url = self.settings.database_url.get_secret_value()
        else:
            postgres = self._postgres = Postgres(self.home, self._plain_environment())
            await postgres.initialise()
            await self._run(postgres.program())
            await postgres.create_database()
            url = postgres.dsn
        await migrate(url)
        return url

    async def _start_demo(self) -> str | None:
        """The address of the demo model, None where it is not needed."""
        # In a thread: what this imports takes as long as the other parts take to start.
        if not await asyncio.to_thread(needs_demo, self._env):
            return None
        if given := self._env.get("STICH_DEMO_URL", "").strip():
            return given
        port = self.home.port("demo")
        await self._run(demo_program(port, self._plain_environment()))
        return f"http://127.0.0.1:{port}/v1"

    async def _run(self, program: Program) -> None:
        started = time.monotonic()
        child = Child(program, self.home.logs, self._report, self._end_orphans)
        self._children.append(child)
        await child.start()
        child.keep()
        self._report(f"{program.title} is ready ({time.monotonic() - started:.1f} s)")

    def _refuse(self, door: Door, part: str) -> None:
        """Shut the door of a part that no process is left of."""
        if all(child.pid is None for child in self._children if child.program.part == part):
            door.shut()

    async def _end_orphans(self) -> None:
        await end_orphans({child.pid for child in self._children if child.pid is not None})

    # ------------------------------------------------------------ what the parts are told

    def _plain_environment(self) -> dict[str, str]:
        plain = {name: self._env[name] for name in PLAIN_VARIABLES if name in self._env}
        return {"HOME": str(self.home.root), "USER": "stich", "PATH": os.defpath, **plain}

    def _roles_environment(self, running: RunningUp, database_url: str, demo_url: str | None) -> dict[str, str]:
        environment = {
            **self._env,
            "STICH_HOME": str(self.home.root),
            "STICH_TOKEN": running.token,
            "TEMPORAL_ADDRESS": running.temporal_address,
            "TEMPORAL_NAMESPACE": self.settings.temporal_namespace,
            "DATABASE_URL": database_url,
        }
        environment.setdefault("HOME", str(self.home.root))
        environment.pop("STICH_DEPLOYMENT", None)  # nothing would run before somebody makes this build the current one
        if running.temporal_ui is not None:
            environment["STICH_TEMPORAL_UI"] = running.temporal_ui
        if demo_url is not None:
            environment["STICH_DEMO_URL"] = demo_url
            if self._env.get("STICH_MODEL", "").strip() == "demo":
                environment["STICH_MODEL"] = "demo/demo"
        return environment

    def _codec(self, api_port: int) -> str:
        """Where Temporal's web page has what is encrypted opened: an address that only it is told."""
        return f"{self._local_url(api_port)}/codec/{codec_ticket(token_of(self.settings))}"

    def _local_url(self, port: int) -> str:
        host = "127.0.0.1" if self.settings.host in ANY_ADDRESS else self.settings.host
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"


@asynccontextmanager
async def together() -> AsyncIterator[asyncio.TaskGroup]:
    """Tasks of which the first to fail ends the others; its error comes out as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None


def needs_demo(env: Mapping[str, str]) -> bool:
    """Whether the demo model is asked for, or is all there is. Raises StichError for settings that cannot be used."""
    from inference.settings import InferenceSettings, InvalidSetting

    try:
        inference = InferenceSettings.from_env(env)
    except InvalidSetting as error:
        raise StichError(f"A setting of the model providers cannot be used: {error}.") from None
    asked = inference.model is not None and inference.model.split("/")[0] in ("demo", "[demo]")
    stored = inference.gateway is not None and inference.gateway.stored_keys
    return asked or not (inference.providers or stored)
