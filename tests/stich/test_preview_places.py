"""Two hosts of sandboxes: a preview is reached from both, and moves when its host is gone."""

import asyncio
import contextlib
import shutil
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import pytest

from sandbox import Sandbox, SandboxSettings, grants
from sandbox.gateway import PreviewGateway
from sandbox.setup import prepare
from stich.home import listen
from stich.preview_places import PreviewPlaces, reached_at
from stich.stored_projects import StoredProjects
from storage.database import Database
from storage.files import Files
from storage.preview_access import PreviewAccess
from storage.sandbox_hosts import SandboxHosts
from storage.sessions import SessionRecord, Sessions

SECRET = b"the same on all hosts"
PAGE = "<!doctype html><html lang=en><title>t</title><body>stored</body></html>\n"


@dataclass
class Host:
    """A host of its own: home, workspaces, gateway."""

    sandbox: Sandbox
    gateway: PreviewGateway
    places: PreviewPlaces
    port: int
    serving: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    async def get(self, path: str = "/", *, follow: bool = False, held: str | None = None) -> httpx.Response:
        headers = {"host": f"{self.gateway.host('s1')}:{self.port}", "cookie": held or cookie()}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=30, headers=headers) as http:
            answer = await http.get(path)
            return await http.get(path) if follow and answer.status_code == 307 else answer

    @property
    def runs(self) -> bool:
        return self.sandbox.previews.find("s1") is not None


def cookie(revision: int = 0) -> str:
    return f"__Host-stich={grants.write(SECRET, grants.Grant('s1', int(time.time()) + 600, revision))}"


@pytest.fixture
async def hosts(database: Database, tmp_path: Path) -> AsyncIterator[tuple[Host, Host]]:
    await Sessions(database).create(SessionRecord(id="s1", title="t", prompt="p", mode="deterministic"))
    await Sessions(database).set_template("s1", "static-html")
    await Files(database).put("s1", "index.html", PAGE, author="model", reason="", operation_id="o")
    settings = SandboxSettings(home=tmp_path)
    await prepare(settings, print)
    async with contextlib.AsyncExitStack() as stack:
        made = [await make(stack, database, replace(settings, home=tmp_path / name), name) for name in "ab"]
        yield made[0], made[1]
    for host in made:
        shutil.rmtree(host.sandbox.settings.workspaces, ignore_errors=True)


async def make(stack: contextlib.AsyncExitStack, database: Database, settings: SandboxSettings, name: str) -> Host:
    settings.home.mkdir()
    listener = stack.enter_context(listen("127.0.0.1", 0))
    port = listener.getsockname()[1]
    places = PreviewPlaces(SandboxHosts(database), name, reached_at("127.0.0.1", port))
    sandbox = await stack.enter_async_context(Sandbox(settings))
    restore = StoredProjects(Sessions(database), Files(database), sandbox)
    gateway = PreviewGateway(sandbox, SECRET, restore, revision=PreviewAccess(database).revision, places=places)
    host = Host(sandbox, gateway, places, port)
    await stack.enter_async_context(host.serving)
    await host.serving.enter_async_context(places.kept(sandbox, every=0.1))
    await host.serving.enter_async_context(gateway.serving(listener))
    return host


async def test_a_preview_is_reached_from_every_host(hosts: tuple[Host, Host], database: Database) -> None:
    first, second = hosts
    assert "stored" in (await first.get()).text
    answer = await second.get()
    assert "stored" in answer.text
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
    assert first.runs
    assert not second.runs

    # Reloads come through both gateways.
    headers = {"host": f"{second.gateway.host('s1')}:{second.port}", "cookie": cookie()}
    async with (
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{second.port}", timeout=30, headers=headers) as http,
        http.stream("GET", "/__stich/changes") as events,
    ):
        lines = events.aiter_lines()
        assert (await anext(lines)).startswith(": watching")
        second.gateway._elsewhere.clear()
        assert "stored" in (await http.get("/", headers={"stich-relayed": "1"})).text
        assert not second.runs  # who says that another host asks is not believed
        workspace = first.sandbox.find("s1")
        assert workspace is not None
        await workspace.write("index.html", PAGE.replace("stored", "changed"))
        async with asyncio.timeout(10):
            while not (await anext(lines)).startswith("data:"):
                pass

    # Nobody comes in by the other door.
    assert (await second.get(held="a=b")).status_code == 403
    await PreviewAccess(database).revoke("s1")
    await asyncio.sleep(3.2)
    assert (await second.get()).status_code == 403
    assert (await second.get(held=cookie(1))).status_code == 200


async def test_a_preview_moves_when_its_host_is_gone(hosts: tuple[Host, Host], database: Database) -> None:
    first, second = hosts
    await first.get()
    assert (await second.get()).status_code == 200
    assert not second.runs
    # As when it is killed: it answers no more, and is still in the list of those that live.
    await first.serving.aclose()
    await SandboxHosts(database).beat("a", f"127.0.0.1:{first.port}")
    assert "stored" in (await second.get(follow=True)).text
    assert second.runs
    assert await database.pool.fetchval("SELECT host FROM session_hosts WHERE session_id = 's1'") == "b"


async def test_a_preview_follows_the_work(hosts: tuple[Host, Host], database: Database) -> None:
    first, second = hosts
    await first.get()
    old = first.sandbox.find("s1")
    await second.places.move("s1")
    for _ in range(200):
        if not first.runs:
            break
        await asyncio.sleep(0.05)
    assert not first.runs, "what another host has now is stopped here"
    await Files(database).put(
        "s1", "index.html", PAGE.replace("stored", "newer"), author="model", reason="", operation_id="p"
    )
    assert "newer" in (await first.get()).text
    assert second.runs
    assert not first.runs

    # Back again: what this host kept is old, and made anew.
    await database.pool.execute("DELETE FROM sandbox_hosts WHERE name = 'b'")
    await second.serving.aclose()
    assert first.sandbox.find("s1") is old
    assert "newer" in (await first.get(follow=True)).text
    assert first.runs


async def test_workspaces_of_deleted_sessions_are_removed(
    hosts: tuple[Host, Host], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stich.preview_places.DELETED_EVERY", 1)
    first, _ = hosts
    await first.get()
    workspaces = first.sandbox.settings.workspaces
    folder, *beside = (workspaces / name for name in ("s1", "s1_phase-1_2", "s1--publish"))
    for other in (*beside, workspaces / "stranger"):  # of a candidate, of what is published, of nobody
        await asyncio.to_thread(other.mkdir)
    for _ in range(200):
        if not await asyncio.to_thread((workspaces / "stranger").exists):
            break
        await asyncio.sleep(0.05)
    assert {path.name for path in await asyncio.to_thread(lambda: list(workspaces.iterdir()))} == {
        "s1", "s1_phase-1_2", "s1--publish",
    }  # fmt: skip
    await database.pool.execute("DELETE FROM sessions WHERE id = 's1'")
    for _ in range(200):
        if not await asyncio.to_thread(lambda: list(workspaces.iterdir())):
            break
        await asyncio.sleep(0.05)
    assert not await asyncio.to_thread(lambda: [path for path in (folder, *beside) if path.exists()])
    assert not first.runs


async def test_hosts_that_name_the_same_address_do_not_ask_themselves(database: Database) -> None:
    await Sessions(database).create(SessionRecord(id="s1", title="t", prompt="p", mode="deterministic"))
    hosts = SandboxHosts(database)
    first, second = (PreviewPlaces(hosts, name, "127.0.0.1:8081") for name in "ab")
    for name in "ab":
        await hosts.beat(name, "127.0.0.1:8081")
    assert await first.claim("s1") == (None, True)
    assert await second.claim("s1") == (None, True)
    assert await second.claim("s1") == (None, False)
    assert await second.claim("none") == (None, False)


def test_a_host_is_reached_by_its_name_where_it_listens_everywhere() -> None:
    assert reached_at("10.0.0.5", 8081) == "10.0.0.5:8081"
    assert reached_at("0.0.0.0", 8081) == f"{socket.gethostname()}:8081"
