"""The sandbox of one process: templates, workspaces, preview servers."""

import asyncio
import contextlib
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from sandbox.capacity import Capacity, fitted
from sandbox.catalogue import template, templates
from sandbox.errors import HostFull, NotPrepared, PathRefused, SandboxUnavailable
from sandbox.files import remove_tree
from sandbox.isolation import Box, Isolation, owner_of
from sandbox.machine import bin_folder, programs_folder
from sandbox.previews import Previews
from sandbox.process import run
from sandbox.runs import sweep_runs
from sandbox.settings import SandboxSettings
from sandbox.store import Store
from sandbox.workspace import Workspace
from schemas.templates import TemplateInfo

_SWEEP_SECONDS = 600.0
_HOME_SECONDS = 3 * 3600.0
_STEP_SECONDS = 15 * 60.0  # what was asked for as lately may be worked on
_SESSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class Sandbox:
    """One per worker process; an async context manager that ends everything it started."""

    def __init__(self, settings: SandboxSettings) -> None:
        self.settings = settings = fitted(settings)
        self.isolation = Isolation(settings.unsafe_local)
        self._store = Store(settings, self.isolation)
        self._workspaces: dict[str, Workspace] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self.capacity = Capacity.of(settings)
        self.previews = Previews(settings, self.capacity.servers)
        self._sweeper: asyncio.Task[None] | None = None
        self._verified = False
        self._making_room = asyncio.Lock()

    async def __aenter__(self) -> "Sandbox":
        await asyncio.to_thread(sweep_homes, self.settings)
        await asyncio.to_thread(sweep_runs, self.settings)
        self._sweeper = asyncio.create_task(self._sweep(), name="unused workspaces")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop all preview servers. Workspaces stay on disk."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)
            self._sweeper = None
        await self.previews.close()

    def templates(self) -> list[TemplateInfo]:
        """What there is to choose from, the default first."""
        return [entry.info for entry in templates().values()]

    def template_files(self, name: str) -> dict[str, str]:
        """Text files of a template that a model may see. Raises UnknownTemplate."""
        chosen = template(name)
        visible = {path: content for path, content in chosen.files.items() if not chosen.redacts(path)}
        return {path: content.decode() for path, content in visible.items() if _is_text(content)}

    async def workspace(
        self,
        session_id: str,
        template_name: str,
        files: Mapping[str, str | None],
        dependencies: Sequence[str] = (),
    ) -> Workspace:
        """Return the session's workspace holding exactly the template with `files` over it (None removes one).

        `dependencies` are the specs that `Workspace.install` returned. May be called again at any time.
        Raises UnknownTemplate, PathRefused, InstallFailed, NotPrepared, QuotaExceeded, HostFull, SandboxUnavailable.
        """
        if not _SESSION.fullmatch(session_id):
            raise PathRefused(f"{session_id[:80]!r} is not a usable session id.")
        chosen = template(template_name)
        await self.verify()
        async with self._locks.setdefault(session_id, asyncio.Lock()):
            await self._make_room(session_id)
            workspace = self._workspaces.get(session_id)
            if workspace is None or workspace.template is not chosen:
                workspace = Workspace(session_id, chosen, self.settings, self.isolation, self._store, self.previews)
            await workspace.restore(files, dependencies)
            workspace.touch()
            self._workspaces[session_id] = workspace
            return workspace

    async def verify(self) -> None:
        """Try once whether commands really run contained. Raises SandboxUnavailable, NotPrepared, with what to do."""
        self.isolation.require()
        if not programs_folder(self.settings).is_dir() or not (bin_folder(self.settings) / "bun").exists():
            raise NotPrepared("The sandbox is not set up on this machine for this version of stich: run `make setup`.")
        if self._verified or not self.isolation.contained:
            return
        box = Box((), owner_of("stich probe"), self.settings.command, workdir="/tmp")
        found = await run(self.isolation, ["sh", "-c", "test ! -e /root && test ! -e /home && echo contained"], box)
        if found.stdout != "contained\n":
            detail = found.stderr.strip().splitlines()[-1:] or [found.explain()]
            raise SandboxUnavailable(
                f"bubblewrap does not work on this machine ({detail[0][:200]}): allow user namespaces, "
                "for instance with `sysctl kernel.apparmor_restrict_unprivileged_userns=0`."
            )
        self._verified = True

    def find(self, session_id: str) -> Workspace | None:
        """The session's workspace where this process has it."""
        return self._workspaces.get(session_id)

    async def remove(self, session_id: str) -> None:
        """Forget a session's workspace and delete its files from this machine."""
        async with self._locks.setdefault(session_id, asyncio.Lock()):
            self._workspaces.pop(session_id, None)
            await self.previews.stop(session_id)
            if _SESSION.fullmatch(session_id):
                await asyncio.to_thread(remove_tree, self.settings.workspaces / session_id)

    async def _make_room(self, session_id: str) -> None:
        """Remove what was unused longest where another workspace would not fit. Raises HostFull."""
        async with self._making_room:
            kept = await asyncio.to_thread(ages, self.settings)
            if session_id in kept:
                return
            for name in sorted(kept, key=lambda name: kept[name], reverse=True):
                if len(kept) < self.capacity.workspaces:
                    break
                wanted = name in self._locks and self._locks[name].locked()
                if kept[name] > _STEP_SECONDS and not wanted and self.previews.find(name) is None:
                    await self.remove(name)
                    del kept[name]
            if len(kept) >= self.capacity.workspaces:
                raise HostFull(f"This host has disk space for {self.capacity.workspaces} projects, all of them in use.")
            await asyncio.to_thread((self.settings.workspaces / session_id).mkdir, parents=True, exist_ok=True)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(min(_SWEEP_SECONDS, self.settings.workspace_seconds))
            await asyncio.to_thread(sweep_homes, self.settings)
            for session_id, age in (await asyncio.to_thread(ages, self.settings)).items():
                if age > self.settings.workspace_seconds and self.previews.find(session_id) is None:
                    await self.remove(session_id)


def ages(settings: SandboxSettings) -> dict[str, float]:
    """For how many seconds nobody asked for each workspace of this home."""
    now = time.time()
    found: dict[str, float] = {}
    with contextlib.suppress(OSError):
        for folder in settings.workspaces.iterdir():
            with contextlib.suppress(OSError):
                found[folder.name] = now - folder.stat().st_mtime
    return found


def sweep_homes(settings: SandboxSettings) -> None:
    """Note that this home is in use, and remove the workspaces of homes that are long gone.

    Other processes of this machine share the cache: what they noted lately is left alone, whatever it looks like.
    """
    homes = settings.cache / "homes"
    with contextlib.suppress(OSError):
        homes.mkdir(mode=0o700, parents=True, exist_ok=True)
        (homes / settings.workspaces.name).write_text(str(settings.home.resolve()))
        for note in homes.iterdir():
            forgotten = note.stat().st_mtime < time.time() - _HOME_SECONDS
            if forgotten and not Path(note.read_text()).exists():
                remove_tree(settings.cache / "workspaces" / note.name)
                note.unlink(missing_ok=True)


def _is_text(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return b"\0" not in content
