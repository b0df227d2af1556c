"""Without bubblewrap and with the user's explicit consent: everything works, and nothing is contained."""

import shutil
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest

from sandbox import Sandbox, SandboxSettings, SandboxUnavailable, Workspace

_which = shutil.which


def without_bubblewrap(name: str, *arguments: str) -> str | None:
    return None if name == "bwrap" else _which(name, *arguments)


@pytest.fixture
async def project(
    settings: SandboxSettings, session_id: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Workspace]:
    monkeypatch.setattr("shutil.which", without_bubblewrap)
    async with Sandbox(replace(settings, unsafe_local=True)) as sandbox:
        yield await sandbox.workspace(session_id, "react-vite", {})
        await sandbox.remove(session_id)


async def test_consent_is_needed(settings: SandboxSettings, session_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", without_bubblewrap)
    async with Sandbox(settings) as sandbox:
        with pytest.raises(SandboxUnavailable, match="STICH_UNSAFE_LOCAL=1"):
            await sandbox.workspace(session_id, "react-vite", {})


async def test_checks_builds_and_serves(project: Workspace) -> None:
    await project.write("src/App.tsx", "export default function App() { return <p>{missing}</p> }\n")
    assert [(i.file, i.code) for i in (await project.check()).errors] == [("src/App.tsx", "TS2304")]
    await project.write("src/App.tsx", "export default function App() { return <p>local</p> }\n")
    assert (await project.check()).ok
    built = await project.build()
    assert built.dist is not None
    assert (built.dist / "index.html").is_file()

    server = await project.preview()
    transport = httpx.AsyncHTTPTransport(uds=server.address)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=60) as client:
        assert "local" in (await client.get("/src/App.tsx")).text


async def test_installs(project: Workspace) -> None:
    (added,) = await project.install(["ms@2.1.3"])
    assert added == "ms@2.1.3"
    found = await project.run(["node", "-e", "console.log(require('ms')(60000))"])
    assert found.stdout.strip() == "1m"
