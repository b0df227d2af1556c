"""`stich build`: a project on disk that builds by itself."""

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from sandbox.settings import SandboxSettings
from tests.e2e.journeys.conftest import Model, Stich


async def run(*words: str, environment: dict[str, str], cwd: Path, seconds: float = 150) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *words, cwd=cwd, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(seconds):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def environment(home: Path, model: Model) -> dict[str, str]:
    return {**os.environ, "STICH_HOME": str(home), "STICH_DEMO_URL": model.url, "STICH_MODEL": "demo/demo", "PORT": "0"}


@pytest.mark.timeout(300)
async def test_it_leaves_a_project_that_builds(stich: Stich, model: Model, tmp_path: Path) -> None:
    env = environment(stich.home, model)
    stich_ = (sys.executable, "-m", "stich", "build")
    status, out, err = await run(*stich_, "Build a simple counter app", "--out", "app", environment=env, cwd=tmp_path)
    assert status == 0, out + err
    project = tmp_path / "app"
    assert (project / "package.json").is_file()
    bun = SandboxSettings(home=stich.home).tools
    path = f"{next(bun.rglob('bun')).parent}:{env['PATH']}"
    for words in (("bun", "install"), ("bun", "run", "build")):
        executable = shutil.which(words[0], path=path)
        assert executable is not None
        status, out, err = await run(
            executable, *words[1:], environment={**env, "PATH": path}, cwd=project, seconds=240
        )
        assert status == 0, out + err
    assert (project / "dist" / "index.html").is_file()
    status, _, err = await run(*stich_, "another", "--out", "app", environment=env, cwd=tmp_path)
    assert status == 1
    assert err.count("\n") <= 2 and "app" in err


async def test_json_tells_everything_and_the_status_tells_the_end(stich: Stich, model: Model, tmp_path: Path) -> None:
    env = environment(stich.home, model)
    words = (sys.executable, "-m", "stich", "build", "--json")
    status, out, _ = await run(
        *words, "Build a simple counter app", "--out", "c", "--mode", "smart", environment=env, cwd=tmp_path
    )
    lines = [json.loads(line) for line in out.splitlines()]
    assert status == 0, lines[-1]
    assert lines[-1]["state"] == "completed"
    assert {"session_state", "file_generated", "checks"} <= {line.get("type") for line in lines}
    status, out, _ = await run(*words, "A chess engine", environment=env, cwd=tmp_path)
    assert status == 1
    assert "recorded sessions" in json.loads(out.splitlines()[-1])["reason"]
