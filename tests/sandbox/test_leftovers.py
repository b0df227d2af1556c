"""What a killed worker leaves, and what idles away: the first is swept, the second comes back."""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from sandbox import Sandbox, SandboxSettings, runs
from sandbox.gateway import PreviewGateway, Stored
from sandbox.runs import RunFolder, sweep_runs
from tests.sandbox.conftest import listening

WORKER = """
import asyncio, sys
from pathlib import Path
from sandbox import Sandbox, SandboxSettings

async def main():
    async with Sandbox(SandboxSettings(home=Path(sys.argv[1]))) as sandbox:
        workspace = await sandbox.workspace("killed", "static-html", {})
        server = await workspace.preview()
        busy = asyncio.create_task(workspace.run(["sh", "-c", "setsid sleep 987 & sleep 987"]))
        await asyncio.sleep(0.3)
        print(server.pid, server._sockets, flush=True)
        await busy

asyncio.run(main())
"""


@pytest.fixture
async def brief(settings: SandboxSettings, tmp_path: Path) -> AsyncIterator[SandboxSettings]:
    """Settings of a home whose workspaces are removed as soon as nobody uses them."""
    changed = replace(settings, home=tmp_path, workspace_seconds=1.0, idle_seconds=3.0)
    yield changed
    shutil.rmtree(changed.workspaces, ignore_errors=True)


def contained_processes(workspaces: Path) -> list[str]:
    """Command lines of this machine that name the folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and entry.name != str(os.getpid()):
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(workspaces) in line:
                found.append(line)
    return found


def there(path: Path) -> bool:
    return path.exists()


async def test_a_killed_worker_leaves_no_process_and_its_folders_are_swept(
    settings: SandboxSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = replace(settings, home=tmp_path)
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WORKER, str(tmp_path), stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert worker.stdout is not None
    line = (await asyncio.wait_for(worker.stdout.readline(), 60)).decode().split()
    sockets = Path(line[1])
    monkeypatch.setattr(runs, "_BEGINNING_SECONDS", 0.0)
    sweep_runs(own)
    assert there(sockets), "what a living process holds stays"
    assert len(contained_processes(own.workspaces)) >= 2

    worker.send_signal(signal.SIGKILL)
    await worker.wait()
    for _ in range(100):
        if not contained_processes(own.workspaces):
            break
        await asyncio.sleep(0.05)
    assert contained_processes(own.workspaces) == []
    async with Sandbox(own) as sandbox:
        assert not there(sockets)
        # Its workspace is found again, and still good.
        assert (own.workspaces / "killed").is_dir()
        again = await sandbox.workspace("killed", "static-html", {})
        assert (await again.check()).ok
        await sandbox.remove("killed")


def test_half_done_installs_are_swept_when_they_are_old(settings: SandboxSettings, tmp_path: Path) -> None:
    own = replace(settings, cache=tmp_path)
    for name, age in (("new", 0), ("old", 7200)):
        (own.store / "staging" / name).mkdir(parents=True)
        at = (own.store / "staging" / name).stat().st_mtime - age
        os.utime(own.store / "staging" / name, (at, at))
    unlocked = own.cache / "run" / "unlocked"
    unlocked.mkdir(parents=True)
    held = RunFolder(own, 0o700)
    sweep_runs(own)
    assert [path.name for path in (own.store / "staging").iterdir()] == ["new"]
    assert held.path.is_dir()
    assert unlocked.is_dir(), "a process of an earlier version may have it"
    held.close()
    assert not held.path.exists()


ODD = {
    "crlf.txt": "a\r\nb\r\n",
    "no-end.txt": "without a last line break",
    "empty.txt": "",
    "wide/ünïcode-ä.txt": "ä\u2028😀\ufeff\n",
    "index.html": '<!doctype html>\n<html lang="en"><title>t</title><body>kept\t </body></html>\n',
    "style.css": None,
}


def contents(folder: Path) -> dict[str, bytes]:
    files = folder / "files"
    return {str(path.relative_to(files)): path.read_bytes() for path in files.rglob("*") if path.is_file()}


async def test_what_idled_away_comes_back_byte_for_byte(brief: SandboxSettings) -> None:
    async with Sandbox(brief) as sandbox:

        async def restore(_: str) -> Stored | None:
            return Stored("static-html", ODD)

        async def gone() -> None:
            for _ in range(400):
                if sandbox.find("idle") is None and not (brief.workspaces / "idle").exists():
                    return
                await asyncio.sleep(0.05)
            raise AssertionError("it was not removed")

        gateway = PreviewGateway(sandbox, b"secret", restore)
        await sandbox.workspace("idle", "static-html", ODD)
        before = contents(brief.workspaces / "idle")
        assert before["crlf.txt"] == b"a\r\nb\r\n"
        assert "style.css" not in before
        await gone()
        with listening() as listener:
            port = listener.getsockname()[1]
            client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30)
            async with gateway.serving(listener), client as http:
                host = {"host": f"{gateway.host('idle')}:{port}", "accept": "*/*"}
                answer = await http.get("/crlf.txt", headers=host)
                assert answer.content == before["crlf.txt"]
                assert contents(brief.workspaces / "idle") == before
        await sandbox.previews.stop("idle")
        await gone()
        workspace = await sandbox.workspace("idle", "static-html", ODD)
        assert (await workspace.check()).ok
        assert contents(brief.workspaces / "idle") == before
        await sandbox.remove("idle")
        assert not (brief.workspaces / "idle").exists()
