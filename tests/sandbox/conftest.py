"""A prepared machine, one sandbox, one preview gateway and one browser for all tests of this room."""

import hashlib
import itertools
import shutil
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace

import pytest

from sandbox import Sandbox, SandboxSettings, Workspace
from sandbox.browser import Browser
from sandbox.gateway import PreviewGateway, Stored
from sandbox.setup import prepare

_numbers = itertools.count(1)
UI_ORIGIN = "http://127.0.0.1:7788"


@pytest.fixture(scope="session")
async def settings(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SandboxSettings]:
    """Settings of a home of this test session's own, on a machine that is set up."""
    found = SandboxSettings(home=tmp_path_factory.mktemp("home"))
    await prepare(found, print)
    yield found
    shutil.rmtree(found.workspaces, ignore_errors=True)


@pytest.fixture(scope="session")
async def sandbox(settings: SandboxSettings) -> AsyncIterator[Sandbox]:
    async with Sandbox(settings) as opened:
        yield opened


@pytest.fixture
def session_id() -> str:
    """An id no other test uses."""
    return f"session-{next(_numbers)}"


@pytest.fixture
async def workspace(sandbox: Sandbox, session_id: str) -> AsyncIterator[Workspace]:
    """A fresh React project."""
    yield await sandbox.workspace(session_id, "react-vite", {})
    await sandbox.remove(session_id)


@pytest.fixture
async def limited(settings: SandboxSettings, session_id: str) -> AsyncIterator[Callable[..., Awaitable[Workspace]]]:
    """Makes a workspace with other limits: `await limited(memory_bytes=...)`; quotas by their own names."""
    opened: list[Sandbox] = []

    async def make(**bounds: int | float) -> Workspace:
        quotas = {name: bounds.pop(name) for name in ("quota_bytes", "quota_files") if name in bounds}
        command = replace(settings.command, **bounds)
        changed = replace(settings, command=command, **quotas)
        sandbox = Sandbox(changed)
        opened.append(sandbox)
        return await sandbox.workspace(session_id, "react-vite", {})

    yield make
    for sandbox in opened:
        await sandbox.remove(session_id)
        await sandbox.close()


@dataclass
class Shelf:
    """Published sites in memory."""

    sites: dict[str, dict[str, str]] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)

    def put(self, session_id: str, files: Mapping[str, bytes]) -> None:
        names = {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}
        self.contents |= {names[path]: content for path, content in files.items()}
        self.sites[session_id] = names

    async def manifest(self, session_id: str) -> Mapping[str, str] | None:
        return self.sites.get(session_id)

    async def content(self, name: str) -> bytes:
        return self.contents[name]


@dataclass
class Gateway:
    """The running gateway, and the projects it can restore."""

    app: PreviewGateway
    port: int
    stored: dict[str, Stored]
    shelf: Shelf

    def url(self, session_id: str, path: str = "/") -> str:
        return f"http://{self.app.host(session_id)}:{self.port}{path}"


def listening() -> socket.socket:
    """A socket that listens on a free port of this machine."""
    return socket.create_server(("127.0.0.1", 0))


@pytest.fixture(scope="session")
async def gateway(sandbox: Sandbox) -> AsyncIterator[Gateway]:
    stored: dict[str, Stored] = {}

    async def restore(session_id: str) -> Stored | None:
        return stored.get(session_id)

    shelf = Shelf()
    app = PreviewGateway(sandbox, b"a secret of the tests", restore, published=shelf, frame_ancestors=[UI_ORIGIN])
    with listening() as listener:
        async with app.serving(listener):
            yield Gateway(app, listener.getsockname()[1], stored, shelf)


@pytest.fixture(scope="session")
async def browser(settings: SandboxSettings, gateway: Gateway) -> AsyncIterator[Browser]:
    async with Browser(settings, gateway.port) as opened:
        yield opened
