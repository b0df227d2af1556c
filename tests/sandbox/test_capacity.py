"""What a host sets aside, and what happens to what does not fit."""

import os
import shutil
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox import Sandbox, SandboxSettings
from sandbox.capacity import (
    BROWSER_BYTES,
    COMMANDS_AT_ONCE,
    LEAST_COMMAND_BYTES,
    LEAST_SERVER_BYTES,
    Capacity,
    fitted,
)
from sandbox.errors import HostFull
from sandbox.settings import MEBIBYTE

GIBIBYTE = 1024 * MEBIBYTE


def declared(memory: int, disk: int = 10 * GIBIBYTE) -> SandboxSettings:
    return SandboxSettings(home=Path("/home"), memory_bytes=memory, disk_bytes=disk)


@given(st.integers(0, 512 * GIBIBYTE), st.integers(0, 10**13))
def test_all_that_is_admitted_fits_together(memory: int, disk: int) -> None:
    settings = fitted(declared(memory or 1, disk or 1))
    found = Capacity.of(settings)
    assert min(found.steps, found.servers, found.workspaces) >= 1
    assert found.steps <= (os.cpu_count() or 1)
    command, server = settings.command.memory_bytes, settings.server.memory_bytes
    taken = (found.steps + 1) * COMMANDS_AT_ONCE * command + found.servers * server + BROWSER_BYTES
    assert taken <= memory or (found.steps, found.servers) == (1, 1)
    assert taken <= memory or memory < 5.1 * GIBIBYTE
    assert command >= LEAST_COMMAND_BYTES
    assert server >= LEAST_SERVER_BYTES
    assert found.workspaces * settings.quota_bytes <= disk or found.workspaces == 1


def test_a_small_host_runs_one_step_with_what_it_has() -> None:
    roomy, small, tiny = (fitted(declared(size * GIBIBYTE)) for size in (13, 8, 2))
    assert roomy == declared(13 * GIBIBYTE)
    assert Capacity.of(roomy) == Capacity(1, 3, 40)
    assert Capacity.of(small) == Capacity.of(tiny) == Capacity(1, 1, 40)
    assert small.command.memory_bytes == roomy.command.memory_bytes * 6 // 9
    assert tiny.command.memory_bytes == LEAST_COMMAND_BYTES


def test_the_machine_itself_is_measured(settings: SandboxSettings) -> None:
    found = Capacity.of(settings)
    assert found.workspaces * settings.quota_bytes < shutil.disk_usage(settings.cache).free


@pytest.fixture
async def small(settings: SandboxSettings, tmp_path: Path) -> AsyncIterator[Sandbox]:
    """A host with memory for one preview and disk for two workspaces."""
    quota = settings.quota_bytes
    async with Sandbox(replace(settings, home=tmp_path, memory_bytes=1, disk_bytes=2 * quota)) as opened:
        yield opened
    shutil.rmtree(opened.settings.workspaces, ignore_errors=True)


async def test_a_workspace_too_many_takes_the_place_of_an_unused_one(small: Sandbox) -> None:
    for name in ("one", "two"):
        await small.workspace(name, "static-html", {})
    with pytest.raises(HostFull, match="for 2 projects"):
        await small.workspace("three", "static-html", {})
    assert not (small.settings.workspaces / "three").exists()
    await small.workspace("two", "static-html", {})  # it has its place

    old = time.time() - 3600
    os.utime(small.settings.workspaces / "two", (old, old))
    await small.workspace("three", "static-html", {})
    assert sorted(path.name for path in small.settings.workspaces.iterdir()) == ["one", "three"]
    assert small.find("two") is None


async def test_a_preview_too_many_takes_the_place_of_another(small: Sandbox) -> None:
    first = await (await small.workspace("one", "static-html", {})).preview()
    second = await (await small.workspace("two", "static-html", {})).preview()
    assert small.previews.running() == [second]
    assert first.pid is None
    old = time.time() - 3600
    os.utime(small.settings.workspaces / "two", (old, old))
    os.utime(small.settings.workspaces / "one", (old, old))
    await small.workspace("three", "static-html", {})
    assert small.find("one") is None, "what is being looked at stays"
    assert small.find("two") is not None
