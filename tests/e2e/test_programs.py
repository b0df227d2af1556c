"""Programs that use stich: a batch of prompts, and a client that speaks the Model Context Protocol."""

import asyncio
import io
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters, stdio_client

from stich.home import Home
from stich.processes.roles import PACKAGES
from tests.e2e.service import Up, command, environment


def batch(up: Up, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command("batch", *arguments), env=environment(up.home), capture_output=True, text=True, timeout=110, check=False
    )


def test_a_batch_is_killed_run_and_run_again(shared_up: Up, tmp_path: Path) -> None:
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text('{"id": "first", "prompt": "A counter"}\n{"id": "second", "prompt": "A counter for two"}\n')
    with subprocess.Popen(
        command("batch", str(prompts)), env=environment(shared_up.home), stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        name, _, begun = running.stdout.readline().strip().partition(": session ")
        running.kill()
    done = batch(shared_up, str(prompts), "--out", str(tmp_path / "apps"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 of 2 completed" in done.stdout
    results = [json.loads(line) for line in (tmp_path / "prompts.report.jsonl").read_text().splitlines()]
    assert sorted((result["id"], result["state"]) for result in results) == [
        ("first", "completed"),
        ("second", "completed"),
    ]
    assert begun in [result["session"] for result in results if result["id"] == name], "it was met again"
    assert all((tmp_path / "apps" / name / "package.json").exists() for name in ("first", "second"))

    again = batch(shared_up, str(prompts))
    assert "2 of 2 are done already" in again.stdout
    assert len((tmp_path / "prompts.report.jsonl").read_text().splitlines()) == 2


def test_what_cannot_be_done_is_one_sentence(tmp_path: Path) -> None:
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text('{"prompt": "A counter"}\n')
    nowhere = subprocess.run(
        command("batch", str(prompts)), env=environment(tmp_path / "home"), capture_output=True, text=True, check=False
    )
    assert nowhere.returncode == 1
    assert nowhere.stderr == (
        "stich: stich is not running on this home; start it with `stich up`, or name one with STICH_URL.\n"
    )


@pytest.mark.timeout(180)
async def test_a_session_through_the_model_context_protocol(shared_up: Up) -> None:
    running = Home(shared_up.home).running()
    assert running is not None
    server = StdioServerParameters(
        command=sys.executable,
        args=["-P", "-m", "stich", "mcp"],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(PACKAGES),
            "STICH_HOME": str(shared_up.home / "unused"),
            "STICH_URL": running.local_url,
            "STICH_TOKEN": running.token,
        },
        cwd="/",
    )
    async with Client(stdio_client(server)) as client:
        tools = {tool.name for tool in (await client.list_tools()).tools}
        assert {"start_session", "wait_for_session", "read_file", "send_message"} <= tools

        async def call(name: str, **arguments: object) -> dict[str, object]:
            result = await client.call_tool(name, arguments)
            assert not result.is_error, result.content
            assert result.structured_content is not None
            return result.structured_content

        started = await call("start_session", prompt="A counter", request_key="one")
        again = await call("start_session", prompt="A counter", request_key="one")
        assert started["id"] == again["id"]
        ended = await call("wait_for_session", session=started["id"], seconds=120)
        assert ended["state"] == "completed"
        files = (await call("list_files", session=started["id"]))["result"]
        assert isinstance(files, list)
        assert "src/App.tsx" in files
        assert "function" in str((await call("read_file", session=started["id"], path="src/App.tsx"))["result"])
        assert (await client.call_tool("session_status", {"session": "nobody"})).is_error


def test_the_examples_of_the_documents(shared_up: Up) -> None:
    running = Home(shared_up.home).running()
    assert running is not None
    examples = re.findall(r"```python\n(.*?)```", (PACKAGES / "docs" / "programs.md").read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    for example in examples:
        exec(example, names)
    archive = asyncio.run(names["build"](running.local_url, running.token, "A counter of the documents"))
    assert "package.json" in " ".join(zipfile.ZipFile(io.BytesIO(archive)).namelist())
    lines = names["first_lines"](running.local_url, running.token, "A counter for the second example")
    assert lines and all(isinstance(line, str) for line in lines.values())
