"""The commands of docs/operators.md, as an operator types them, against a whole stich."""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from stich.home import RunningUp, free_port
from tests.e2e.conftest import MakeUp
from tests.e2e.service import Up, command, read, signed_in

TEMPORAL = shutil.which("temporal", path=str(Path(sys.executable).parent)) or "temporal"
pytestmark = pytest.mark.timeout(300)  # many programs are started one after the other

COUNTER = "Build a simple counter app with plus and minus buttons"


class Operator:
    """Somebody at a terminal with Temporal's command line."""

    def __init__(self, at: RunningUp) -> None:
        self._at = at

    def types(self, *arguments: str, codec: bool = False, status: int = 0) -> str:
        """What a command prints; `codec` has it read and write what is encrypted."""
        opened = ["--codec-endpoint", f"{self._at.local_url}/codec", "--codec-auth", f"Bearer {self._at.token}"]
        done = subprocess.run(
            [TEMPORAL, "--address", self._at.temporal_address, *(opened if codec else []), *arguments],
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == status, (arguments, done.stdout, done.stderr)
        return done.stdout + done.stderr

    def finds(self, query: str) -> list[str]:
        listed: list[dict[str, Any]] = json.loads(
            self.types("workflow", "list", "--query", query, "-o", "json") or "[]"
        )
        return [each["execution"]["workflowId"] for each in listed]

    def finds_within(self, query: str, wanted: str, seconds: float = 90) -> None:
        """Until a query lists a session, which Temporal does a moment after it is so."""
        deadline = time.monotonic() + seconds
        while wanted not in self.finds(query):
            assert time.monotonic() < deadline, (query, self.types("workflow", "describe", "--workflow-id", wanted))
            time.sleep(0.5)


def payloads(history: str) -> str:
    """What a printed history holds, decoded."""
    found = re.findall(r'"data": "([A-Za-z0-9+/=]+)"', history)
    return history + "\n".join(base64.b64decode(data).decode(errors="replace") for data in found)


def begin(client: httpx.Client, prompt: str = COUNTER) -> str:
    begun = client.post("/api/sessions", json={"prompt": prompt})
    assert begun.status_code == 201, begun.text
    session_id: str = begun.json()["id"]
    return session_id


def progress(client: httpx.Client, session_id: str) -> dict[str, Any]:
    answer = client.get(f"/api/sessions/{session_id}")
    shown: dict[str, Any] = answer.json()["progress"]
    return shown


def test_a_session_is_found_read_steered_reset_and_ended(shared_up: Up) -> None:
    at = shared_up.wait_ready()
    operator = Operator(at)
    with signed_in(at) as client:
        session = begin(client)
        by_id = ("--workflow-id", session)
        assert "stopped" in operator.types("workflow", "update", "execute", *by_id, "--name", "stop", codec=True)
        operator.finds_within("StichStatus = 'stopped' AND StichUser = 'local'", session)
        resumed = operator.types("workflow", "update", "execute", *by_id, "--name", "resume", codec=True)
        assert "Going on where it stopped" in resumed
        operator.finds_within("StichStatus = 'completed' AND StichCost >= 0 AND ExecutionStatus = 'Running'", session)
        assert session not in operator.finds("StichCost > 5 AND ExecutionStatus = 'Running'")
        assert "Total:" in operator.types("workflow", "count", "--query", "StichStatus = 'completed'")

        story = operator.types("workflow", "metadata", *by_id, codec=True)
        assert "**completed**" in story and "model calls" in story
        assert COUNTER in payloads(operator.types("workflow", "show", *by_id, "-o", "json", codec=True))
        assert COUNTER not in payloads(operator.types("workflow", "show", *by_id, "-o", "json")), "it is encrypted"

        message = json.dumps({"id": "operator-1", "text": "What is this?"})
        operator.types("workflow", "signal", *by_id, "--name", "message", "--input", message, codec=True)
        operator.types("workflow", "signal", *by_id, "--name", "message", "--input", message, codec=True)
        assert [each["id"] for each in progress(client, session)["messages"]] == ["operator-1"]

        files = progress(client, session)["files"]
        said = operator.types("workflow", "reset", *by_id, "--type", "LastWorkflowTask", "--reason", "tried")
        assert f"Resetting workflow {session}" in said
        operator.finds_within("StichStatus = 'completed' AND ExecutionStatus = 'Running'", session)
        assert {file["path"] for file in progress(client, session)["files"]} >= {file["path"] for file in files}

        operator.types("workflow", "terminate", *by_id, "--reason", "tried")
        operator.finds_within("ExecutionStatus = 'Terminated'", session)
        left = progress(client, session)
        assert {file["path"] for file in left["files"]} >= {file["path"] for file in files}
        assert client.post(f"/api/sessions/{session}/messages", json={"text": "hello"}).status_code == 409


def test_a_session_that_nobody_serves_is_found_and_freed(make_up: MakeUp, tmp_path: Path) -> None:
    """No worker takes model calls: the page says how to see it, and starting one frees the session."""
    up = make_up(STICH_QUEUES="workflows,sandbox,host")
    at = up.wait_ready()
    operator = Operator(at)
    with signed_in(at) as client:
        session = begin(client)
        operator.finds_within("StichStatus IN ('starting', 'planning', 'generating', 'reviewing')", session)
        deadline = time.monotonic() + 30
        while "choose_template" not in (seen := operator.types("workflow", "describe", "--workflow-id", session)):
            assert time.monotonic() < deadline, seen
            time.sleep(0.5)
        assert "Scheduled" in seen
        idle = json.loads(operator.types("task-queue", "describe", "--task-queue", "stich-inference", "-o", "json"))
        assert not idle.get("pollers"), idle
        told = read(up.child("worker"), "environ").decode().split("\0")
        env = dict(setting.split("=", 1) for setting in told if setting)
        ready = tmp_path / "ready"
        del env["STICH_LISTEN_FD"]
        env |= {"STICH_READY_FILE": str(ready), "STICH_PREVIEW_PORT": str(free_port()), "STICH_QUEUES": ""}
        with (tmp_path / "worker.log").open("wb") as log:
            worker = subprocess.Popen(
                [*command("worker"), "--queues", "inference"], env=env, stdout=log, stderr=log, cwd=os.sep
            )
        try:
            operator.finds_within("StichStatus = 'completed'", session)
        finally:
            worker.terminate()
            assert worker.wait(20) == 0
        assert "inference" in (tmp_path / "worker.log").read_text()
