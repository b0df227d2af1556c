"""Workspaces: made quickly, made again from stored files, closed to paths that lead out."""

import asyncio
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox import PathRefused, QuotaExceeded, Sandbox, SandboxSettings, UnknownTemplate, Workspace
from sandbox.isolation import owner_of
from sandbox.sandbox import sweep_homes


async def test_making_it_ready_twice_changes_nothing(sandbox: Sandbox, session_id: str) -> None:
    files = {f"src/part{number}.tsx": f"export const a{number} = {number}\n" for number in range(36)}
    workspace = await sandbox.workspace(session_id, "react-vite", files)
    listed = await workspace.list()
    assert set(files) < set(listed)
    assert "package.json" in listed
    again = await sandbox.workspace(session_id, "react-vite", files)
    assert again is workspace
    assert await again.list() == listed
    await sandbox.remove(session_id)


async def test_holds_exactly_what_is_stored(sandbox: Sandbox, session_id: str) -> None:
    first = await sandbox.workspace(session_id, "react-vite", {"src/old.ts": "export {}\n", "src/App.tsx": "one"})
    await first.run(["sh", "-c", "echo x > src/made-by-code.ts; ln -s /etc/hosts src/link.ts"])
    second = await sandbox.workspace(session_id, "react-vite", {"src/App.tsx": "two", "src/lib/cn.ts": None})
    listed = await second.list()
    assert await second.read("src/App.tsx") == "two"
    assert not {"src/old.ts", "src/made-by-code.ts", "src/link.ts", "src/lib/cn.ts"} & set(listed)
    assert "src/main.tsx" in listed
    await sandbox.remove(session_id)


async def test_a_removed_workspace_comes_back_from_its_files(sandbox: Sandbox, session_id: str) -> None:
    files = {"src/App.tsx": "export default function App() { return <p>kept</p> }\n"}
    await sandbox.workspace(session_id, "react-vite", files)
    await sandbox.remove(session_id)
    assert not (sandbox.settings.workspaces / session_id).exists()
    assert sandbox.find(session_id) is None
    back = await sandbox.workspace(session_id, "react-vite", files)
    assert (await back.check()).ok
    await sandbox.remove(session_id)


async def test_write_read_delete(workspace: Workspace) -> None:
    await workspace.write("src/new/thing.ts", "export const text = 'ä'\n")
    assert await workspace.read("src/new/thing.ts") == "export const text = 'ä'\n"
    assert await workspace.delete("src/new/thing.ts")
    assert not await workspace.delete("src/new/thing.ts")
    with pytest.raises(FileNotFoundError):
        await workspace.read("src/new/thing.ts")


@pytest.mark.parametrize("path", ["../x", "/etc/x", "src/../../x", "", "a\0b", "src//x"])
async def test_paths_that_lead_out_are_refused(workspace: Workspace, path: str) -> None:
    with pytest.raises(PathRefused):
        await workspace.write(path, "x")
    with pytest.raises(PathRefused):
        await workspace.read(path)
    with pytest.raises(PathRefused):
        await workspace.delete(path)


@pytest.mark.parametrize(
    "path",
    ["package.json", "vite.config.ts", "tsconfig.app.json", ".npmrc", "bun.lock", "node_modules/a", "dist/a/b.js"],
)
async def test_files_of_the_service_cannot_be_written(workspace: Workspace, path: str) -> None:
    with pytest.raises(PathRefused, match="belongs to the template"):
        await workspace.write(path, "x")


async def test_stored_copies_of_protected_files_are_passed_over(sandbox: Sandbox, session_id: str) -> None:
    workspace = await sandbox.workspace(session_id, "react-vite", {"package.json": "{}", "tsconfig.json": "{}"})
    assert '"react"' in await workspace.read("package.json")
    assert '"strict": true' in await workspace.read("tsconfig.json")
    await sandbox.remove(session_id)


async def test_links_planted_by_code_lead_nowhere(workspace: Workspace) -> None:
    script = "rm -rf src/lib && ln -s /etc src/lib && ln -s /etc/hosts src/hosts.ts && mkfifo src/pipe.ts"
    assert (await workspace.run(["sh", "-c", script])).ok
    for path in ("src/lib/hosts", "src/hosts.ts", "src/pipe.ts"):
        with pytest.raises(PathRefused):
            await workspace.read(path)
    with pytest.raises(PathRefused):
        await workspace.write("src/lib/planted.ts", "x")
    assert not [path for path in await workspace.list() if path.startswith("src/lib")]


async def test_layers_replaced_by_links_are_put_back(workspace: Workspace) -> None:
    script = "rmdir .cache dist node_modules 2>/dev/null; ln -sfn /etc .cache; ln -sfn / dist; ls -ld .cache dist"
    await workspace.run(["sh", "-c", script])
    built = await workspace.build()
    assert built.dist is not None
    assert (built.dist / "index.html").is_file()


async def test_a_project_too_large_is_refused(sandbox: Sandbox, session_id: str) -> None:
    most = sandbox.settings.quota_bytes
    with pytest.raises(QuotaExceeded):
        await sandbox.workspace(session_id, "react-vite", {"src/big.ts": "x" * (most + 1)})


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a b", "-a", "x" * 65])
async def test_odd_session_ids_are_refused(sandbox: Sandbox, name: str) -> None:
    with pytest.raises(PathRefused):
        await sandbox.workspace(name, "react-vite", {})


async def test_an_unknown_template_is_named_with_the_known_ones(sandbox: Sandbox) -> None:
    with pytest.raises(UnknownTemplate, match="react-vite, python-api, static-html"):
        await sandbox.workspace("session-x", "rails", {})


async def test_templates_describe_themselves(sandbox: Sandbox) -> None:
    infos = sandbox.templates()
    assert infos[0].name == "react-vite"
    for info in infos:
        files = sandbox.template_files(info.name)
        assert set(info.important_files) <= set(files)
        assert not set(files) & {"bun.lock", "ruff.toml", "biome.json"}
        assert len(info.description) > 80
        assert len(info.guide) > 300
        assert not [path for path in files if "cache" in path]


async def test_unused_workspaces_and_those_of_gone_homes_are_swept(settings: SandboxSettings, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    gone = replace(settings, home=home)
    async with Sandbox(gone) as sandbox:
        await sandbox.workspace("left-behind", "static-html", {})
    brief = replace(settings, home=tmp_path, workspace_seconds=0.2)
    home.rmdir()
    async with Sandbox(brief) as sandbox:
        assert gone.workspaces.exists()  # it was in use a moment ago
        note = settings.cache / "homes" / gone.workspaces.name
        os.utime(note, (0, 0))
        await asyncio.to_thread(sweep_homes, brief)
        assert not gone.workspaces.exists()
        await sandbox.workspace("unused", "static-html", {})
        async with asyncio.timeout(10):
            while (brief.workspaces / "unused").exists():  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert sandbox.find("unused") is None
    shutil.rmtree(brief.workspaces)


async def test_files_belong_to_the_session(workspace: Workspace) -> None:
    found = await workspace.run(["sh", "-c", "touch src/App.tsx && echo more >> src/App.tsx && id -u"])
    assert found.ok
    if (await workspace.run(["id", "-u"])).stdout.strip() != "0":
        assert owner_of(workspace.session_id) >= 30_000
