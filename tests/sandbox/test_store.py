"""Installing packages: plain specs only, the registry only, no code of theirs."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox import InstallFailed, InstallRefused, Sandbox, Workspace
from sandbox.egress import Egress
from sandbox.specs import parse_requirement, parse_spec, requirements_in

PLAIN = ["react", "react@19", "react@19.1", "react@^19.1.0", "react@~1.x", "@a/b", "@a/b@1.2.3-beta.1", "x@latest"]
ODD = ["", "react@", "../x", "file:x", "x@file:../y", "git+https://h/x", "x@git+ssh://h/x", "github:a/b", "a/b"]
ODD += ["x@https://h/x.tgz", "x@*", "x@>=1", "x y", "x;rm", "-g", "--registry=http://h", "X", "x@1 || 2", "@a", "x\n"]
ODD += ["x@workspace:*", "x@link:../y", ".x", "_x", "$(x)", "x@npm:y@1", "@a/b/c"]


@pytest.mark.parametrize("text", PLAIN)
def test_plain_specs_are_read(text: str) -> None:
    spec = parse_spec(text)
    assert text.startswith(spec.name)


@pytest.mark.parametrize("text", ODD)
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(InstallRefused):
        parse_spec(text)


@settings(deadline=None)
@given(st.text(max_size=40))
def test_an_accepted_spec_is_harmless_as_an_argument(text: str) -> None:
    try:
        spec = str(parse_spec(text))
    except InstallRefused:
        return
    assert not spec.startswith("-")
    assert not set(spec) & set(" \t\n\0:;|&$`'\"\\<>(){}*!?")


async def test_installs_pins_and_shares(sandbox: Sandbox, workspace: Workspace, session_id: str) -> None:
    added = await workspace.install(["ms@^2.1.0"])
    assert [spec.rpartition("@")[0] for spec in added] == ["ms"]
    version = added[0].rpartition("@")[2]
    package = json.loads(await workspace.read("package.json"))
    assert package["dependencies"]["ms"] == version
    assert package["scripts"]["build"]

    await workspace.write("src/time.ts", "import ms from 'ms'\nexport const text: string = ms(60000)\n")
    await workspace.run(["node", "-e", "console.log(require('ms')(60000))"])
    other = await sandbox.workspace(f"{session_id}-b", "react-vite", {}, added)
    assert other.dependencies == added
    found = await other.run(["node", "-e", "console.log(require('ms')(60000))"])
    assert found.stdout.strip() == "1m"
    await sandbox.remove(f"{session_id}-b")


async def test_what_the_template_brings_is_not_installed_again(workspace: Workspace) -> None:
    assert await workspace.install(["react@17", "zustand", "vite@2"]) == []


async def test_an_unknown_package_changes_nothing(workspace: Workspace) -> None:
    before = await workspace.read("package.json")
    with pytest.raises(InstallFailed, match="stich-no-such-package"):
        await workspace.install(["stich-no-such-package-1a2b3c@1.0.0"])
    with pytest.raises(InstallRefused):
        await workspace.install(["ms@2.1.3", "git+https://example.com/x"])
    assert await workspace.read("package.json") == before
    assert workspace.dependencies == []
    assert (await workspace.check()).ok


async def test_a_template_without_packages_refuses(sandbox: Sandbox, session_id: str) -> None:
    workspace = await sandbox.workspace(session_id, "static-html", {})
    with pytest.raises(InstallRefused, match="have no packages"):
        await workspace.install(["ms@2.1.3"])
    await sandbox.remove(session_id)


async def test_a_cancelled_install_leaves_nothing_behind(sandbox: Sandbox, workspace: Workspace) -> None:
    task = asyncio.create_task(workspace.install(["ms@2.1.2"]))
    await asyncio.sleep(0.15)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # Other processes of this machine may install something of theirs right now.
    left = (sandbox.settings.store / "staging").glob("*/package.json")
    assert not [path for path in left if '"ms": "2.1.2"' in path.read_text()]
    assert workspace.dependencies == []


@pytest.fixture
async def service() -> AsyncIterator[int]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello " + await reader.readline())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def ask(path: Path, head: str) -> bytes:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(head.encode() + b"\r\n\r\n")
    answer = await reader.readuntil(b"\r\n\r\n")
    if b"200" in answer:
        writer.write(b"you\n")
        answer += await reader.read()
    writer.close()
    return answer


async def test_the_way_out_leads_to_one_address(tmp_path: Path, service: int) -> None:
    path = tmp_path / "out.sock"
    async with Egress(path, frozenset({("127.0.0.1", service)})) as egress:
        assert (await ask(path, f"CONNECT 127.0.0.1:{service} HTTP/1.1")).endswith(b"hello you\n")
        for head in (
            f"CONNECT localhost:{service} HTTP/1.1",
            "CONNECT 127.0.0.1:1 HTTP/1.1",
            "CONNECT 169.254.169.254:80 HTTP/1.1",
            f"GET http://127.0.0.1:{service}/ HTTP/1.1",
            "nonsense",
        ):
            assert b"403" in await ask(path, head)
        assert len(egress.denied) == 5
    assert not path.exists()


PLAIN_PYTHON = [
    "six",
    "six==1.16.0",
    "Six == 1.16",
    "a.b-c_d>=1",
    "six~=1.16",
    "six@1.16.0",
    "x==1.0rc1",
    "x==1.0.post2",
]
ODD_PYTHON = ["", "-r x", "--index-url=http://h", "six @ https://h/x.whl", "git+https://h/x", "./x", "../x", "x[extra]"]
ODD_PYTHON += [
    "x; python_version<'3'",
    "x==1.*",
    "x>1,<2",
    "x y",
    "x;rm",
    "$(x)",
    "x==",
    "-e .",
    "x==1 --hash=sha256:0",
]


@pytest.mark.parametrize("text", PLAIN_PYTHON)
def test_plain_requirements_are_read(text: str) -> None:
    requirement = parse_requirement(text)
    assert parse_requirement(str(requirement)) == requirement


@pytest.mark.parametrize("text", ODD_PYTHON)
def test_every_other_requirement_is_refused(text: str) -> None:
    with pytest.raises(InstallRefused):
        parse_requirement(text)
    assert text.strip() not in map(str, requirements_in(text).values())


async def test_python_services_get_packages_too(sandbox: Sandbox, session_id: str) -> None:
    workspace = await sandbox.workspace(session_id, "python-api", {})
    added = await workspace.install(["iniconfig>=2", "fastapi==0.1"])  # the template's own version stays
    assert [spec.partition("==")[0] for spec in added] == ["iniconfig"]
    listed = await workspace.read("requirements.txt")
    assert listed.splitlines()[-1] == added[0]
    assert "fastapi==0.165.0" in listed
    await workspace.write(
        "app/main.py", "import iniconfig\nfrom fastapi import FastAPI\n\napp = FastAPI(title=iniconfig.__name__)\n"
    )
    assert (await workspace.check()).ok

    # As after a move to another host, or in another session that wants the same.
    await sandbox.remove(session_id)
    again = await sandbox.workspace(
        session_id, "python-api", {"app/main.py": "import iniconfig  # noqa: F401\n"}, added
    )
    assert again.dependencies == added
    assert await again.read("requirements.txt") == listed
    other = await sandbox.workspace(f"{session_id}-plain", "python-api", {})
    found = await other.run(
        ["/usr/bin/python3", "-c", "import sys; sys.path.insert(0, '/opt/stich/python'); import iniconfig"]
    )
    assert not found.ok  # additions are of the session that asked
    with pytest.raises(InstallFailed, match="failed"):
        await again.install(["no-such-package-of-stich-tests==9.9.9"])
    assert again.dependencies == added
    await sandbox.remove(session_id)
    await sandbox.remove(f"{session_id}-plain")
