"""Development servers and the gateway before them."""

import asyncio
import json
import os
import re
import signal
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets

from sandbox import PreviewFailed, Sandbox, SandboxSettings, Workspace
from sandbox.gateway import Stored
from sandbox.machine import prepared_folder
from sandbox.preview import ServerState
from tests.sandbox.conftest import UI_ORIGIN, Gateway

PAGE = {"accept": "text/html"}


@pytest.fixture
async def http(gateway: Gateway, session_id: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of this test's preview."""
    headers = {"host": f"{gateway.app.host(session_id)}:{gateway.port}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{gateway.port}", headers=headers, timeout=40) as client:
        yield client


@pytest.fixture
async def pages(sandbox: Sandbox, session_id: str) -> AsyncIterator[Workspace]:
    """A project of plain pages: its server starts fastest."""
    yield await sandbox.workspace(session_id, "static-html", {})
    await sandbox.remove(session_id)


async def test_serves_a_project_on_its_own_origin(http: httpx.AsyncClient, workspace: Workspace) -> None:
    server = await workspace.preview()
    assert server.state is ServerState.READY
    page = await http.get("/", headers=PAGE)
    assert page.status_code == 200
    assert '<div id="root">' in page.text
    assert page.headers["content-security-policy"] == f"frame-ancestors 'self' {UI_ORIGIN}"
    assert page.headers["x-content-type-options"] == "nosniff"
    module = await http.get("/src/App.tsx")
    assert "Your app starts here" in module.text
    assert (await http.head("/")).status_code == 200
    assert (await http.get("/deep/link", headers=PAGE)).status_code == 200

    await workspace.run(["sh", "-c", "mkdir -p public; ln -s /etc/hosts public/hosts.txt; ln -s /opt public/opt"])
    for path in ("/@fs/etc/hosts", "/@fs/opt/stich/programs/dev.mjs", "/../../etc/hosts", "/%2e%2e/%2e%2e/etc/hosts"):
        answer = await http.get(path)
        assert "localhost" not in answer.text
        assert "createServer" not in answer.text


async def test_an_opened_page_shows_what_was_just_written(http: httpx.AsyncClient, workspace: Workspace) -> None:
    await workspace.preview()
    for number in range(30):
        await workspace.write("src/App.tsx", f"export default function App() {{ return <p>number {number}</p> }}\n")
        await http.get("/", headers=PAGE)
        assert f"number {number}" in (await http.get("/src/App.tsx")).text


async def test_the_libraries_bundled_once_per_machine_are_used(http: httpx.AsyncClient, workspace: Workspace) -> None:
    await workspace.preview()
    assert "lucide-react" in (await http.get("/src/App.tsx")).text
    found = await workspace.run(["cat", ".cache/vite/deps/_metadata.json"])
    folder = prepared_folder(workspace._settings, workspace.template)
    made = json.loads((folder / "vite/deps/_metadata.json").read_text())
    assert json.loads(found.stdout)["hash"] == made["hash"]
    assert [path.name for path in folder.rglob("*.map")] == []


async def test_starts_by_itself_from_stored_files(
    http: httpx.AsyncClient, gateway: Gateway, sandbox: Sandbox, session_id: str
) -> None:
    app = "export default function App() { return <p>from the store</p> }\n"
    gateway.stored[session_id] = Stored("react-vite", {"src/App.tsx": app})
    pages = await asyncio.gather(*(http.get("/src/App.tsx") for _ in range(5)))
    assert all("from the store" in page.text for page in pages)
    # As after a restart of the worker: nothing is left but what is stored.
    await sandbox.remove(session_id)
    assert "from the store" in (await http.get("/src/App.tsx")).text
    await sandbox.remove(session_id)


async def test_unknown_addresses_have_a_plain_page(gateway: Gateway, sandbox: Sandbox, session_id: str) -> None:
    known = gateway.app.host(session_id)
    changed = ("a" if known[0] != "a" else "b") + known[1:]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{gateway.port}") as client:
        for host in (known, changed, "preview.localhost", "127.0.0.1", "evil.example", f"{known}.evil.example"):
            answer = await client.get("/", headers={"host": f"{host}:{gateway.port}"})
            assert answer.status_code == 404
            assert "no preview at this address" in answer.text
    assert sandbox.previews.find(session_id) is None


async def test_a_store_in_trouble_has_a_plain_page(
    http: httpx.AsyncClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def restore(_: str) -> Stored | None:
        raise ConnectionError("secret address of the database")

    monkeypatch.setattr(gateway.app, "_restore", restore)
    answer = await http.get("/", headers=PAGE)
    assert answer.status_code == 502
    assert "could not be read" in answer.text
    assert "secret" not in answer.text


async def test_cookies_do_not_pass(
    http: httpx.AsyncClient, sandbox: Sandbox, gateway: Gateway, session_id: str
) -> None:
    app = (
        "from fastapi import FastAPI, Request, Response\n\napp = FastAPI()\n\n\n"
        "@app.get('/echo')\ndef echo(request: Request, response: Response) -> dict[str, str]:\n"
        "    response.set_cookie('a', 'b', domain='preview.localhost')\n    return dict(request.headers)\n\n\n"
        "@app.post('/size')\nasync def size(request: Request) -> int:\n    return len(await request.body())\n"
    )
    await sandbox.workspace(session_id, "python-api", {"app/main.py": app})
    answer = await http.get("/echo", headers={"cookie": "stich=secret", "authorization": "Bearer secret", "x-own": "1"})
    assert "set-cookie" not in answer.headers
    assert "secret" not in answer.text
    assert answer.json()["x-own"] == "1"
    assert answer.json()["host"].startswith(gateway.app.host(session_id))

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 50_000

    assert (await http.post("/size", content=b"y" * 1234)).json() == 1234
    assert (await http.post("/size", content=pieces())).json() == 1_000_000
    await sandbox.remove(session_id)


async def test_hot_reload_passes_the_gateway(http: httpx.AsyncClient, gateway: Gateway, workspace: Workspace) -> None:
    await workspace.preview()
    await http.get("/src/main.tsx")
    await http.get("/src/App.tsx")
    token = re.search(r'wsToken = "([^"]+)"', (await http.get("/@vite/client")).text)
    assert token is not None
    host = f"{gateway.app.host(workspace.session_id)}:{gateway.port}"
    address = f"ws://{host}/?token={token[1]}"
    connect: dict[str, Any] = {"host": "127.0.0.1", "port": gateway.port, "subprotocols": ["vite-hmr"]}
    async with websockets.connect(address, origin=f"http://{host}", **connect) as socket:
        assert "connected" in str(await socket.recv())
        begun = time.monotonic()
        await workspace.write("src/App.tsx", "export default function App() { return <p>changed</p> }\n")
        async with asyncio.timeout(5):
            message = str(await socket.recv())
        assert "/src/App.tsx" in message
        assert time.monotonic() - begun < 2.0
    with pytest.raises(websockets.InvalidStatus):
        async with websockets.connect(address, origin="http://evil.example", **connect):
            pass


async def test_a_killed_server_comes_back(http: httpx.AsyncClient, pages: Workspace) -> None:
    server = await pages.preview()
    for _ in range(2):
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        await asyncio.sleep(0.05)
        assert (await http.get("/script.js")).status_code == 200
    assert server.restarts == 2


async def test_a_server_that_hangs_is_restarted(pages: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.preview._HEALTH_EVERY", 0.1)
    monkeypatch.setattr("sandbox.preview._HEALTH_SECONDS", 0.4)
    server = await pages.preview()
    first = server.pid
    stopped = await asyncio.to_thread(_children_of, first)
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    await _until(lambda: server.restarts > 0 and server.state is ServerState.READY)
    assert server.pid != first


def _children_of(pid: int | None) -> list[int]:
    found, waiting = [], [pid]
    while waiting:
        current = waiting.pop()
        below = [int(child) for child in Path(f"/proc/{current}/task/{current}/children").read_text().split()]
        found += below
        waiting += below
    return found


async def test_a_server_that_cannot_start_says_so(
    http: httpx.AsyncClient, pages: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.preview._FIRST_DELAY", 0.01)
    failing = ["node", "-e", "console.error('no <way>'); process.exit(3)"]
    monkeypatch.setattr(pages._tools, "server", lambda *_: failing)
    with pytest.raises(PreviewFailed, match="5 times in a row"):
        await pages.preview()
    for _ in range(20):
        page = await http.get("/", headers=PAGE)
        if page.status_code != 503:  # it is tried once more, and on a busy machine that takes a while
            break
    assert page.status_code == 502
    assert "The preview is not running" in page.text
    assert "no &lt;way&gt;" in page.text
    monkeypatch.undo()
    await pages.stop_preview()
    assert (await http.get("/", headers=PAGE)).status_code == 200


async def test_idle_servers_stop_and_the_oldest_makes_room(settings: SandboxSettings) -> None:
    changed = replace(settings, idle_seconds=4.0, max_servers=2)
    async with Sandbox(changed) as sandbox:
        projects = [await sandbox.workspace(f"idle-{number}", "static-html", {}) for number in range(3)]
        for project in projects:
            await project.preview()
        assert {server.served.session_id for server in sandbox.previews.running()} == {"idle-1", "idle-2"}
        server = sandbox.previews.find("idle-2")
        assert server is not None
        server.hold()
        await _until(lambda: len(sandbox.previews.running()) == 1)
        assert sandbox.previews.find("idle-2") is server
        server.let_go()
        for project in projects:
            await sandbox.remove(project.session_id)


async def test_plain_pages_reload_when_a_file_changes(
    http: httpx.AsyncClient, sandbox: Sandbox, session_id: str
) -> None:
    workspace = await sandbox.workspace(session_id, "static-html", {"about.html": "<h1>About</h1>"})
    assert "Your page starts here" in (await http.get("/", headers=PAGE)).text
    assert "About" in (await http.get("/about", headers=PAGE)).text
    assert (await http.get("/gone.png")).status_code == 404
    assert (await http.get("/biome.json")).status_code == 404
    await workspace.run(["sh", "-c", "ln -s /etc/hosts hosts.txt; ln -s /opt/stich opt"])
    assert (await http.get("/hosts.txt")).status_code == 404
    assert (await http.get("/opt/programs/dev.mjs")).status_code == 404
    async with http.stream("GET", "/__stich/changes") as events:
        lines = events.aiter_lines()
        assert (await anext(lines)).startswith(": watching")
        await workspace.write("index.html", "<h1>New</h1>")
        async with asyncio.timeout(5):
            async for line in lines:
                if line.startswith("data:"):
                    break
    assert "New" in (await http.get("/", headers=PAGE)).text
    server = await workspace.preview()
    await _until(lambda: not server.in_use)  # nobody listens any more
    await sandbox.remove(session_id)


async def test_a_python_service_restarts_when_a_file_changes(
    http: httpx.AsyncClient, sandbox: Sandbox, session_id: str
) -> None:
    workspace = await sandbox.workspace(session_id, "python-api", {})
    assert (await http.get("/api/greeting")).json()["text"] == "Your application starts here"
    assert "<main>" in (await http.get("/", headers=PAGE)).text
    good = await workspace.read("app/main.py")
    await workspace.write("app/main.py", "import nothing_like_this\n")
    await _eventually(http, "/", "nothing_like_this", 500)
    server = await workspace.preview()
    assert ("app/main.py", 1) in {(issue.file, issue.line) for issue in server.log.issues()}
    await workspace.write("app/main.py", good.replace("Your application starts here", "Back again"))
    await _eventually(http, "/api/greeting", "Back again", 200)
    await sandbox.remove(session_id)


async def _until(condition: Callable[[], bool]) -> None:
    for _ in range(400):
        if condition():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not happen in time")


async def _eventually(http: httpx.AsyncClient, path: str, text: str, status: int) -> None:
    async with asyncio.timeout(15):
        while True:
            answer = await http.get(path)
            if text in answer.text and answer.status_code == status:
                return
            await asyncio.sleep(0.1)
