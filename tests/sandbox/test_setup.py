"""Preparing a machine: quick when done, and one clear sentence for each thing that is missing."""

import asyncio
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox import Sandbox, SandboxSettings, SandboxUnavailable
from sandbox.machine import is_prepared, missing
from sandbox.setup import prepare


async def test_is_found_done(settings: SandboxSettings) -> None:
    said: list[str] = []
    begun = time.monotonic()
    await prepare(settings, said.append)
    assert time.monotonic() - begun < 1.0
    assert said == []
    assert is_prepared(settings)


async def test_a_folder_that_cannot_be_written(settings: SandboxSettings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SandboxUnavailable, match="STICH_SANDBOX_CACHE"):
        await prepare(replace(settings, cache=tmp_path / "file" / "below"), print)


def test_each_missing_program_is_one_sentence(settings: SandboxSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    sentences = missing(settings)
    assert any("Node.js is missing" in sentence for sentence in sentences)
    assert any("npm is missing" in sentence for sentence in sentences)
    assert len(sentences) == 3


def test_an_old_node_is_named(settings: SandboxSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    node = tmp_path / "node"
    node.write_text("#!/bin/sh\necho v18.19.0\n")
    node.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert missing(settings) == ["Node.js 18.19.0 is too old: install Node.js 20.19 or newer."]


async def test_an_unreachable_registry_is_one_sentence(settings: SandboxSettings, tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sandbox.setup", "--home", str(tmp_path)),
        cwd=Path(__file__).parents[2],
        env={
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(tmp_path),
            "STICH_SANDBOX_CACHE": str(tmp_path / "cache"),
            "npm_config_registry": "http://127.0.0.1:9/",
            "npm_config_fetch_retries": "0",
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()
    assert process.returncode == 1
    assert errors.decode().startswith("sandbox: npm could not reach the package registry")
    assert len(errors.decode().splitlines()) == 1


async def test_a_machine_that_is_not_set_up(settings: SandboxSettings, tmp_path: Path) -> None:
    async with Sandbox(replace(settings, cache=tmp_path)) as sandbox:
        with pytest.raises(Exception, match="make setup"):
            await sandbox.workspace("session-1", "react-vite", {})
