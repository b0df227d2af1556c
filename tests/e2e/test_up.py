"""`stich up`: everything starts, is kept running, and is gone afterwards."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from stich.home import Home, listen
from tests.e2e.conftest import MakeUp
from tests.e2e.service import (
    Up,
    address_in,
    belonging_to,
    command,
    descendants,
    environment,
    parents,
    read,
    signed_in,
    until,
)

KEY = "sk-test-0123456789"


def test_its_address_signs_a_browser_in_and_nobody_else(shared_up: Up) -> None:
    address = address_in(shared_up.output)
    with httpx.Client(trust_env=False, follow_redirects=True, timeout=20) as browser:
        page = browser.get(address)
        assert page.status_code == 200 and "<!doctype html>" in page.text.lower()
        assert "token" not in str(page.url)
        assert browser.get(str(page.url.join("/api/sessions"))).status_code == 200
    stranger = httpx.get(str(httpx.URL(address).join("/api/sessions")), trust_env=False)
    assert stranger.status_code == 401


def test_it_says_that_the_demo_model_answers(shared_up: Up) -> None:
    assert "The demo model answers" in shared_up.output
    with signed_in(shared_up.wait_ready()) as client:
        about = client.get("/api/about").json()
    assert about["demo"] is True and about["examples"] and about["temporal_ui"]
    assert httpx.get(about["temporal_ui"], trust_env=False, follow_redirects=True).status_code == 200


def test_a_second_one_on_the_same_home_says_where_the_first_is(shared_up: Up) -> None:
    second = subprocess.run(
        command("up"), capture_output=True, text=True, env=environment(shared_up.home), cwd="/", timeout=60
    )
    assert second.returncode == 1
    (line,) = second.stderr.splitlines()
    assert "stich is already running on" in line and address_in(shared_up.output) in line
    assert shared_up.process.poll() is None


def test_others_on_this_machine_cannot_read_its_secrets(shared_up: Up) -> None:
    assert shared_up.home.stat().st_mode & 0o077 == 0
    for name in ("token", "up.json"):
        assert (shared_up.home / name).stat().st_mode & 0o077 == 0
    token = Home(shared_up.home).token()
    assert not any(token in log.read_text(errors="replace") for log in (shared_up.home / "logs").iterdir())


@pytest.mark.parametrize("name", ["api", "api-2", "demo", "temporal", "postgres", "worker"])
def test_a_part_that_is_killed_comes_back(shared_up: Up, name: str) -> None:
    running = shared_up.wait_ready()
    before = shared_up.child(name)
    said = len(shared_up.output)
    os.kill(before, signal.SIGKILL)
    until(lambda: "is back" in shared_up.output[said:], 60)
    assert "ended (killed by SIGKILL); starting it again" in shared_up.output[said:]
    assert shared_up.child(name) != before
    with signed_in(running) as client:
        until(lambda: client.get("/readyz").status_code == 200, 20)


def test_one_service_process_goes_on_alone_while_the_other_is_away(shared_up: Up) -> None:
    running = shared_up.wait_ready()
    said = len(shared_up.output)
    os.kill(shared_up.child("api"), signal.SIGKILL)
    with signed_in(running) as client:  # before the other one can be back
        assert client.get("/api/sessions").status_code == 200
        assert "is back" not in shared_up.output[said:]
    until(lambda: "The web page (process 1 of 2) is back" in shared_up.output[said:], 60)


def test_a_signal_while_it_starts_stops_everything(make_up: MakeUp) -> None:
    up = make_up()
    until(lambda: "Temporal is ready" in up.output, 60)
    up.signal(signal.SIGINT)
    assert up.end() == 0
    assert belonging_to(up.home) == []


def test_however_it_ends_nothing_stays_and_the_next_one_works(make_up: MakeUp) -> None:
    first = make_up()
    token = first.wait_ready().token
    below = descendants(first.process.pid)
    first.signal(signal.SIGKILL)
    first.end()

    second = make_up()  # at once: it has to wait for what still ends
    assert second.wait_ready().token == token
    assert not parents().keys() & set(below)
    below = descendants(second.process.pid)
    second.signal(signal.SIGINT)
    time.sleep(0.1)
    started = time.monotonic()
    second.signal(signal.SIGINT)  # a second one: stop at once
    assert second.end() == 0
    assert time.monotonic() - started < 5
    assert not parents().keys() & set(below)

    third = make_up()
    third.wait_ready()
    below = descendants(third.process.pid)
    third.signal(signal.SIGTERM)
    assert third.end() == 0
    assert not parents().keys() & set(below)


@pytest.fixture(scope="module")
def neighbour_taken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One with a provider's key, on a port whose neighbour is taken."""
    folder = tmp_path_factory.mktemp("neighbour")
    port, neighbour = port_with_taken_neighbour()
    with neighbour:
        up = Up(folder / "home", folder / "output", PORT=str(port), OPENAI_API_KEY=KEY, STICH_MODEL="demo")
        try:
            up.wait_ready()
            yield up
        finally:
            up.close()


def port_with_taken_neighbour() -> tuple[int, socket.socket]:
    for _ in range(20):
        with listen("127.0.0.1", 0) as api:
            port = api.getsockname()[1]
        with contextlib.suppress(OSError, OverflowError):
            return port, listen("127.0.0.1", port + 1)
    raise AssertionError("no two neighbouring ports were free")


def test_provider_keys_reach_only_the_processes_that_use_them(neighbour_taken: Up) -> None:
    parts = ("worker", "api", "demo", "temporal", "postgres")
    holders = {name for name in parts if KEY.encode() in read(neighbour_taken.child(name), "environ")}
    assert holders == {"worker", "api"}


def test_previews_take_another_port_when_the_neighbour_is_taken(neighbour_taken: Up) -> None:
    running = neighbour_taken.wait_ready()
    with signed_in(running) as client:
        policy = client.get("/").headers["content-security-policy"]
    source = next(part for part in policy.split("; ") if part.startswith("frame-src")).split()[1]
    port = urlsplit(running.local_url).port
    assert port is not None and urlsplit(source).port not in (None, port, port + 1)


def test_ctrl_c_stops_everything(neighbour_taken: Up) -> None:
    running = neighbour_taken.wait_ready()
    below = descendants(neighbour_taken.process.pid)
    assert len(below) >= 5
    started = time.monotonic()
    neighbour_taken.signal(signal.SIGINT)
    assert neighbour_taken.end() == 0
    assert time.monotonic() - started < 15
    assert not parents().keys() & set(below)
    assert belonging_to(neighbour_taken.home) == []
    assert not (neighbour_taken.home / "up.json").exists() and Home(neighbour_taken.home).running() is None
    with pytest.raises(httpx.ConnectError):
        httpx.get(running.local_url, trust_env=False)
