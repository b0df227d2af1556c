"""The tools that run programs, in a real sandbox: what they install, run and check, and that it is bounded."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from activities.tools.running import MAX_ISSUES, OUTPUT, SHOWN
from inference.tools import RESULT_LIMIT
from sandbox import Sandbox
from tests.activities.conftest import ModelRooms
from tests.activities.test_tools import Use, use
from tests.sandbox.conftest import sandbox, settings

__all__ = ["sandbox", "settings", "use"]  # fixtures


@pytest.fixture
async def rooms(model_rooms: ModelRooms, sandbox: Sandbox) -> AsyncIterator[ModelRooms]:
    """A session with the files of its template, and the machine's sandbox."""
    model_rooms.rooms.sandbox = sandbox
    for path, text in sandbox.template_files("react-vite").items():
        await model_rooms.rooms.files.put("s1", path, text, author="template", reason="", operation_id="template")
    yield model_rooms
    await sandbox.remove("s1")


async def commands(rooms: ModelRooms) -> list[tuple[str, str]]:
    return [(event["command"], event["status"]) for event in await rooms.events("command")]


async def added(rooms: ModelRooms, sandbox: Sandbox) -> dict[str, str]:
    brought: dict[str, Any] = json.loads(sandbox.template_files("react-vite")["package.json"])
    now: dict[str, Any] = json.loads(await rooms.rooms.files.read("s1", "package.json"))
    return dict(now["dependencies"].items() - brought["dependencies"].items())


async def test_packages_are_installed_once_and_stored(rooms: ModelRooms, use: Use, sandbox: Sandbox) -> None:
    result, message = await use("install_packages", packages=["ms@2.1.3"])
    assert result.outcome == "ok", message.text
    assert "ms@2.1.3" in message.text and [file.path for file in result.files] == ["package.json"]
    assert await added(rooms, sandbox) == {"ms": "2.1.3"}
    assert await commands(rooms) == [("add ms@2.1.3", "running"), ("add ms@2.1.3", "done")]
    count = len(await rooms.rooms.files.versions("s1"))
    await rooms.rooms.database.pool.execute("UPDATE operations SET result = NULL")
    again, _ = await use("install_packages", attempt=2, packages=["ms@2.1.3"])
    assert again.outcome == "ok" and len(await rooms.rooms.files.versions("s1")) == count
    # What there is already is no change, and no version.
    same, _ = await use("install_packages", packages=["react"])
    assert (same.outcome, same.files) == ("ok", []) and await added(rooms, sandbox) == {"ms": "2.1.3"}


@pytest.mark.parametrize(
    "packages",
    [
        ["git+https://example.com/x"], ["../outside"], ["ms; rm -rf /"], ["--global"], ["ms@2.1.3", "file:/etc/passwd"],
        ["stich-no-such-package-1a2b3c@1.0.0"],
    ],
)  # fmt: skip
async def test_what_is_no_package_changes_nothing_and_is_told(
    rooms: ModelRooms, use: Use, sandbox: Sandbox, packages: list[str]
) -> None:
    before = await rooms.rooms.files.versions("s1")
    result, message = await use("install_packages", packages=packages)
    assert result.outcome == "error" and message.is_error and len(message.text) < 2_000
    assert await rooms.rooms.files.versions("s1") == before and await added(rooms, sandbox) == {}
    told = await commands(rooms)
    assert next(status for _, status in told) == "running" and told[-1][1] in ("refused", "failed")


async def test_what_a_command_prints_is_bounded(rooms: ModelRooms, use: Use) -> None:
    result, message = await use("run_command", command="node -e \"console.log('x'.repeat(300000))\"")
    assert result.outcome == "ok" and len(message.text) < OUTPUT + 500
    assert "left out" in message.text and "ended with status 0" in message.text
    shown = await rooms.events("command")
    assert [event["status"] for event in shown] == ["running", "done"] and len(shown[-1]["output"]) < SHOWN + 200
    failed, message = await use("run_command", command='node -e "process.exit(3)"')
    assert failed.outcome == "ok" and "status 3" in message.text


async def test_what_the_checks_find_is_bounded(rooms: ModelRooms, use: Use) -> None:
    lines = "".join(f"export const wrong{number}: number = 'text {number}'\n" for number in range(150))
    await rooms.put(**{"src/wrong.ts": lines}, operation_id="o1")
    result, message = await use("run_checks")
    assert result.report is not None and len(result.report.issues) == MAX_ISSUES and not result.report.ok
    assert "TS2322" in message.text and len(message.text) <= RESULT_LIMIT + 100
    await use("delete_file", path="src/wrong.ts")
    clean, message = await use("run_checks")
    assert message.text == "The checks are clean." and clean.report is not None and clean.report.ok
