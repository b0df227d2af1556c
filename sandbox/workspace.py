"""The files of one session on this machine, and what can be done with them.

A workspace holds the template's files, the session's own over them, and a writable layer (`.cache`, `dist`) that may be
thrown away. It can be made again from stored files on any machine at any time.
"""

import asyncio
import contextlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from sandbox.catalogue import Template
from sandbox.errors import InstallRefused, PathRefused, QuotaExceeded
from sandbox.files import Folder, checked, remove_tree, weight
from sandbox.isolation import WORKSPACE, Box, Isolation, Mount, owner_of
from sandbox.machine import bin_folder, prepared_folder, programs_folder
from sandbox.preview import DevServer
from sandbox.previews import Previews
from sandbox.process import Ending, Finished, Process, run, spawn
from sandbox.settings import Limits, SandboxSettings
from sandbox.specs import Requirement, Spec
from sandbox.store import Store, merged
from sandbox.toolchains import TOOLCHAINS
from schemas.checks import CheckReport

Names: TypeAlias = list[str]  # inside the class, `list` is the method

_LAYERS = (".cache", "dist")
_SOURCE_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Built:
    """A production build: its report, and the folder of its files where it succeeded."""

    report: CheckReport
    dist: Path | None


class Workspace:
    """One session's project. Made by `Sandbox.workspace`."""

    def __init__(
        self,
        session_id: str,
        template: Template,
        settings: SandboxSettings,
        isolation: Isolation,
        store: Store,
        previews: Previews,
    ) -> None:
        self.session_id = session_id
        self.template = template
        self.owner = owner_of(session_id)
        self._settings = settings
        self._isolation = isolation
        self._store = store
        self._previews = previews
        self._folder = settings.workspaces / session_id
        self._files = Folder(self._folder / "files", self.owner)
        self._modules: Path | None = None
        self._extra: Sequence[Spec | Requirement] = []
        self._known: set[str] = set()
        self._tools = TOOLCHAINS[template.info.project_type]
        self._layers = (*_LAYERS, *self._tools.layers)
        self._own = frozenset({"node_modules", "__pycache__", *self._layers})
        packages = {"node_modules"} if self._tools.packages == f"{WORKSPACE}/node_modules" else set()
        self._mounted = frozenset({*packages, *self._layers})
        self._building = asyncio.Lock()

    @property
    def cache(self) -> Path:
        """What tools keep between runs; may be removed at any time."""
        return self._folder / ".cache"

    @property
    def dist(self) -> Path:
        """The result of the last build. Untrusted: may hold symbolic links."""
        return self._folder / "dist"

    @property
    def dependencies(self) -> Names:
        """Packages added to the template's, as exact specs: `name@version`, or `name==version` for Python."""
        return [str(spec) for spec in self._extra]

    async def restore(self, files: Mapping[str, str | None], dependencies: Sequence[str]) -> None:
        """Make the workspace hold exactly the template, `files` over it (None removes a file) and the packages.

        Entries of `files` that the template protects are passed over. Raises PathRefused, InstallFailed,
        InstallRefused, QuotaExceeded.
        """
        extra = self._store.additions(self.template, dependencies) if self.template.extensible else []
        await self._use(extra)
        named = self.template.packages_file
        wanted = {path: content for path, content in self.template.files.items() if path != named}
        for path, text in files.items():
            checked(path)
            if self.template.protects(path):
                continue
            if text is None:
                wanted.pop(path, None)
            else:
                wanted[path] = text.encode(errors="replace")
        if named is not None:
            wanted[named] = self._packages()
        size = sum(map(len, wanted.values()))
        if size > self._settings.quota_bytes or len(wanted) > self._settings.quota_files:
            raise QuotaExceeded("The project is larger than a workspace may be.")
        await asyncio.to_thread(self._lay_out, wanted)

    def _lay_out(self, wanted: Mapping[str, bytes]) -> None:
        first = not (self._folder / "files").is_dir()
        self._make_folders()
        if not first:
            self._files.keep(wanted, skip=self._own)
        for path, content in wanted.items():
            self._files.write(path, content)
        self._known = set(wanted)

    def _make_folders(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._folder.chmod(0o711)
        for name in ("files", *self._layers):
            folder = self._folder / name
            if not folder.is_dir():
                folder.mkdir(exist_ok=True)  # tools that start together come here together
                self._isolation.give(folder, self.owner)
            elif folder.stat().st_mode & 0o700 != 0o700:
                folder.chmod(0o755)  # a session owns the folder, and could have shut it
        for name in ("node_modules", *self._layers):
            folder = self._folder / "files" / name
            # A session could have put something else where its layers are mounted.
            if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
                if not self._isolation.contained:
                    continue
                folder.unlink()
            if not folder.exists():
                with contextlib.suppress(FileExistsError):  # a link, where nothing is contained
                    folder.mkdir()
                    self._isolation.give(folder, self.owner)

    def touch(self) -> None:
        """Note that the workspace is in use."""
        os.utime(self._folder)

    async def write(self, path: str, text: str) -> None:
        """Write a file. Raises PathRefused (outside, through a link, protected), QuotaExceeded."""
        self._check_own(path)
        content = text.encode(errors="replace")
        if len(content) > self._settings.command.file_bytes or len(self._known) >= self._settings.quota_files:
            raise QuotaExceeded(f"{path!r} does not fit into the workspace.")
        self._files.write(path, content)
        self._known.add(path)

    async def delete(self, path: str) -> bool:
        """Remove a file; False where there was none. Raises PathRefused."""
        self._check_own(path)
        self._known.discard(path)
        return self._files.delete(path)

    async def read(self, path: str) -> str:
        """Return a file's text. Raises FileNotFoundError, PathRefused (also for a file that is not text)."""
        try:
            return self._files.read(path).decode()
        except UnicodeDecodeError as error:
            raise PathRefused(f"{path!r} is not a text file.") from error

    async def list(self) -> Names:
        """Paths of the project's files, without installed packages, caches and build results."""
        return await asyncio.to_thread(self._files.list, self._own)

    def sources(self) -> dict[str, str | None]:
        """All paths of the project with their texts, None for files that are not text or too large."""
        found: dict[str, str | None] = {}
        for path in self._files.list(self._own):
            try:
                found[path] = self._files.read(path, limit=_SOURCE_BYTES).decode()
            except (OSError, PathRefused, UnicodeDecodeError):
                found[path] = None
        return found

    def _check_own(self, path: str) -> None:
        checked(path)
        if self.template.protects(path):
            raise PathRefused(f"{path!r} belongs to the template and cannot be changed.")

    async def install(self, specs: Sequence[str]) -> Names:
        """Add packages by plain specs; return all additions, exact, to be stored with the session.

        Raises InstallRefused, InstallFailed, SandboxUnavailable; the workspace is then as before.
        """
        named = self.template.packages_file
        if named is None:
            raise InstallRefused("Projects of this template have no packages: their files are served as they are.")
        await self._use(self._store.additions(self.template, [*self.dependencies, *specs]))
        self._files.write(named, self._packages())
        return self.dependencies

    async def _use(self, extra: Sequence[Spec | Requirement]) -> None:
        self._modules, self._extra = await self._store.provide(self.template, extra)

    def _packages(self) -> bytes:
        if "requirements.txt" in self.template.files:
            lines = [*self.template.files["requirements.txt"].decode().splitlines(), *map(str, self._extra)]
            return "".join(f"{line}\n" for line in lines).encode()
        content = json.loads(self.template.files["package.json"])
        content.update(merged(self.template, [spec for spec in self._extra if isinstance(spec, Spec)]))
        return json.dumps(content, indent=2).encode() + b"\n"

    async def check(self) -> CheckReport:
        """Type check and lint the project as it is. Raises SandboxUnavailable."""
        return await self._tools.check(self)

    async def build(self) -> Built:
        """Make a production build. Raises SandboxUnavailable."""
        async with self._building:
            report = await self._tools.build(self)
            return Built(report, self.dist if report.ok else None)

    async def preview(self) -> DevServer:
        """Return the session's development server, answering. Raises PreviewFailed, SandboxUnavailable."""
        server = await self.begin_preview()
        await server.ready()
        return server

    async def begin_preview(self) -> DevServer:
        """Like `preview`, without waiting for it to answer."""
        self._isolation.require()
        return await self._previews.begin(self)

    async def stop_preview(self) -> None:
        """Stop the development server; it comes back when it is asked for."""
        await self._previews.stop(self.session_id)

    async def run(self, argv: Sequence[str], timeout: float = 60.0) -> Finished:
        """Run a command with the whole workspace writable. Raises SandboxUnavailable."""
        limits = replace(self._settings.command, seconds=timeout)
        return await self._run(argv, self.box(limits, writable=True))

    async def inspect(self, argv: Sequence[str]) -> Finished:
        """Run a tool that only reads."""
        return await self._run(argv, self.box(self._settings.command, layers_writable=False))

    async def make(self, argv: Sequence[str], environment: Mapping[str, str]) -> Finished:
        """Run a tool that writes into the layers `.cache` and `dist`."""
        return await self._run(argv, self.box(self._settings.command, environment=environment))

    async def _run(self, argv: Sequence[str], box: Box) -> Finished:
        await asyncio.to_thread(self._make_folders)
        result = await run(self._isolation, argv, box, self.overfull)
        if result.ending is Ending.DISK:
            await asyncio.to_thread(self._clear)
        return result

    async def overfull(self, nameless: int) -> bool:
        """Whether the session keeps more than its quota; `nameless` are bytes in open files that no path leads to."""
        most_files, most_bytes = self._settings.quota_files, self._settings.quota_bytes - nameless
        files, size = await asyncio.to_thread(weight, self._folder, most_files, most_bytes)
        return files > most_files or size > most_bytes

    def _clear(self) -> None:
        """Throw away everything that did not come from the service."""
        for name in self._layers:
            remove_tree(self._folder / name)
        self._files.keep(self._known, skip=self._mounted)
        self._make_folders()

    def box(
        self,
        limits: Limits,
        *,
        writable: bool = False,
        layers_writable: bool = True,
        environment: Mapping[str, str] | None = None,
    ) -> Box:
        """The world of this session's commands: its files, layers, packages and the launchers."""
        mounts = [
            Mount(self._folder / "files", WORKSPACE, writable),
            *(Mount(self._folder / name, f"{WORKSPACE}/{name}", layers_writable) for name in self._layers),
            Mount(bin_folder(self._settings), "/opt/stich/bin"),
            Mount(programs_folder(self._settings), "/opt/stich/programs"),
        ]
        if self._modules is not None:
            mounts.append(Mount(self._modules, self._tools.packages))
        box = Box(tuple(mounts), self.owner, limits)
        return replace(
            box, environment={"STICH_WORKSPACE": self._isolation.place(box, WORKSPACE), **(environment or {})}
        )

    @property
    def server_limits(self) -> Limits:
        return self._settings.server

    async def start_server(self, listener: int) -> Process:
        """Start the development server on a listening socket. Raises SandboxUnavailable."""
        await asyncio.to_thread(self._make_folders)
        await self._tools.before_server(self, prepared_folder(self._settings, self.template))
        box = self.box(self._settings.server, environment=self._tools.environment(self))
        return await spawn(self._isolation, self._tools.server(self, listener), box, sockets=[listener])

    async def make_ready(self, prepared: Path, say: Callable[[str], None]) -> None:
        """Make what serves all later sessions of this template; used by the set-up."""
        await self._tools.make_ready(self, prepared, say)

    def place(self, target: str) -> str:
        """Where the workspace's commands find a path of their world."""
        return self._isolation.place(self.box(self._settings.command), target)

    def give_tree(self, folder: Path) -> None:
        """Hand a folder that the service made to the session's user id."""
        self._isolation.give(folder, self.owner)
        for parent, folders, files in os.walk(folder):
            for name in (*folders, *files):
                self._isolation.give(Path(parent, name), self.owner)
