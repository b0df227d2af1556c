"""Sandbox steps return to the host with the workspace, move when it is gone, and tell their place while they wait."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.worker import Worker

from tests.workflows.conftest import Start, until
from tests.workflows.stubs import Rooms, Script
from workflows.names import SANDBOX_QUEUE, host_queue


async def test_a_session_returns_to_its_host(start: Start, rooms: Rooms, client: Client) -> None:
    host = Worker(client, task_queue=host_queue("host-a"), activities=rooms.activities()["sandbox"])
    async with host:
        handle = await start(Script(phases=2, host="host-a"), keep_open=False)
        progress = await handle.result()
    assert progress.host == "host-a"
    queues = [queue for _, queue in rooms.queues[handle.id]]
    assert queues[0] == SANDBOX_QUEUE
    assert set(queues[1:]) == {host_queue("host-a")}


async def test_a_session_moves_when_its_host_is_gone(
    start: Start, rooms: Rooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workflows.placing.HOST_PATIENCE", timedelta(seconds=1))
    script = Script(phases=1, host="host-gone")
    handle = await start(script)
    await until(handle, lambda p: p.host == "host-gone")
    script.host = "host-b"
    moved = await until(handle, lambda p: p.host == "host-b")
    assert moved.state.name not in ("failed", "stopped")
    script.host = None  # everything runs from the common queue, whose host has no queue of its own here
    progress = await until(handle, lambda p: p.state.name == "completed")
    assert progress.phases[0].status == "completed"
    assert {queue for _, queue in rooms.queues[handle.id]} == {SANDBOX_QUEUE}


async def test_the_place_in_the_line_is_told(start: Start, rooms: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workflows.placing.TELL_AFTER", 0.2)
    hold = asyncio.Event()
    handle = await start(Script(phases=1, hold={"phase-1/check-0": hold}, places=[3, 0]))
    reviewing = "Checking types, style and build."
    states: list[dict[str, Any]] = []
    async with asyncio.timeout(60):
        while [state["reason"] for state in states].count(reviewing) < 2:  # before it waits, and after
            await asyncio.sleep(0.05)
            events = sorted(rooms.events[handle.id].items())
            states = [event["state"] for _, event in events if event["type"] == "session_state"]
    waiting = next(state for state in states if state["code"] == "sandbox_busy")
    assert waiting["name"] == "waiting_for_capacity"
    assert waiting["can"] == ["message", "stop"]
    hold.set()
    await until(handle, lambda p: p.state.name == "completed")
    said = [state["reason"] for state in states]
    first = said.index("Waiting for a free sandbox, 3 before you.")
    assert said[first + 1 : first + 3] == [
        "Waiting for a free sandbox; you are next.",
        reviewing,
    ]


async def test_a_stop_ends_the_waiting(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workflows.placing.TELL_AFTER", 0.2)
    hold = asyncio.Event()
    handle = await start(Script(phases=1, hold={"phase-1/check-0": hold}, places=[5] * 100))
    await until(handle, lambda p: p.state.code == "sandbox_busy")
    await handle.execute_update("stop")
    stopped = await until(handle, lambda p: not p.operations)
    assert stopped.state.name == "stopped"
    hold.set()
    await handle.execute_update("resume")
    await until(handle, lambda p: p.state.name == "completed")
