"""`stich build`: what it tells, how it is stopped and resumed, and what it leaves behind."""

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.conftest import MakeUp
from tests.e2e.service import Up, belonging_to, command, descendants, environment, parents, signed_in, until

PROMPT = "Build a simple counter app with plus and minus buttons"
BUILD_SECONDS = 180


def build(home: Path, folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command("build", *arguments),
        capture_output=True,
        text=True,
        env=environment(home, **env),
        cwd=folder,
        timeout=BUILD_SECONDS,
    )


def result_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The last JSON line."""
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert result["type"] == "result"
    return result


def test_what_the_demo_model_has_no_recording_of_is_said(shared_up: Up, tmp_path: Path) -> None:
    shared_up.wait_ready()
    done = build(shared_up.home, tmp_path, "A simulation of tectonic plates in Fortran", "--json")
    assert done.returncode == 1
    assert result_of(done)["state"] != "completed" and result_of(done)["reason"]
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_template_is_one_sentence(shared_up: Up, tmp_path: Path) -> None:
    shared_up.wait_ready()
    done = build(shared_up.home, tmp_path, PROMPT, "--template", "cobol")
    assert done.returncode == 1 and done.stdout == ""
    assert "There is no template “cobol”" in done.stderr and len(done.stderr.splitlines()) == 1


def test_an_unknown_session_is_one_sentence(shared_up: Up, tmp_path: Path) -> None:
    shared_up.wait_ready()
    done = build(shared_up.home, tmp_path, "--resume", "session-nowhere")
    assert done.returncode == 1 and "There is no session with this id." in done.stderr


def test_without_a_running_service_it_brings_its_own_and_takes_it_away(tmp_path: Path) -> None:
    home = tmp_path / "home"
    building = subprocess.Popen(
        command("build", PROMPT, "--json"),
        stdout=subprocess.PIPE,
        text=True,
        env=environment(home, STICH_DEMO_SPEED="0.5"),
        cwd=tmp_path,
    )
    assert building.stdout is not None
    session = ""
    for line in building.stdout:
        event = json.loads(line)
        session = event["progress"]["session_id"] if event["type"] == "snapshot" else session
        if event["type"] == "blueprint_chunk":
            break
    building.send_signal(signal.SIGINT)
    rest = building.stdout.read()
    assert building.wait(60) == 1
    result = json.loads(rest.splitlines()[-1])
    assert result["type"] == "result" and result["state"] == "stopped" and result["session_id"] == session
    assert belonging_to(home) == []

    done = build(home, tmp_path, "--resume", session)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the demo model answers" in done.stdout and "  wrote src/App.tsx" in done.stdout
    assert "checks: no errors" in done.stdout and done.stdout.splitlines()[-2].startswith("Counter: ")
    assert (tmp_path / "counter" / "package.json").exists()
    assert belonging_to(home) == []


def test_json_lines_tell_every_event_and_kill_9_leaves_nothing(make_up: MakeUp, tmp_path: Path) -> None:
    up = make_up()
    running = up.wait_ready()
    done = build(up.home, tmp_path, PROMPT, "--json", "--out", "app")
    assert done.returncode == 0, done.stdout + done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    numbers = [event["seq"] for event in events if "seq" in event]
    assert numbers == sorted(set(numbers))
    types = {event["type"] for event in events}
    assert {"snapshot", "blueprint", "phase", "file_generated", "checks", "session_state"} <= types
    result = result_of(done)
    assert result["state"] == "completed" and result["demo"] is True and result["out"] == "app"
    assert result["files"] > 5 and (tmp_path / "app" / "package.json").exists()
    session_id = result["session_id"]
    with signed_in(running) as client:
        entrance = httpx.URL(client.get(f"/api/sessions/{session_id}/preview").json()["entrance"])
    host = {"Host": entrance.netloc.decode()}  # names below localhost lead to this machine in browsers only
    with httpx.Client(base_url=f"http://127.0.0.1:{entrance.port}", headers=host, trust_env=False, timeout=30) as http:
        assert http.get("/").status_code == 403  # who only knows the address sees nothing
        entered = http.get(entrance.raw_path.decode())
        assert entered.status_code == 303
        held = {"Cookie": entered.headers["set-cookie"].partition(";")[0]}
        served = http.get("/", headers=held)
    assert served.status_code == 200 and 'id="root"' in served.text
    below = descendants(up.process.pid)
    assert len(below) > 5  # the development server among them
    up.signal(signal.SIGKILL)
    up.end()
    until(lambda: not parents().keys() & set(below), 15)
