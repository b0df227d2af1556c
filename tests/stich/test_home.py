"""The home: who holds it, its secrets and ports."""

import socket
from pathlib import Path

import pytest

from stich.errors import StichError
from stich.home import Home, RunningUp, free_port, is_free, listen


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.prepare()
    return home


def announcement(home: Home) -> RunningUp:
    return RunningUp(
        pid=1,
        url="http://127.0.0.1:9",
        local_url="http://127.0.0.1:9",
        token=home.token(),
        temporal_address="127.0.0.1:7",
        temporal_ui=None,
        demo=True,
    )


def test_only_its_owner_can_read_it(home: Home) -> None:
    home.lock()
    home.announce(announcement(home))
    assert home.root.stat().st_mode & 0o077 == 0
    for name in ("token", "up.json"):
        assert (home.root / name).stat().st_mode & 0o777 == 0o600
    home.unlock()


def test_the_token_stays_the_same_and_cannot_be_guessed(home: Home, tmp_path: Path) -> None:
    other = Home(tmp_path / "other")
    other.prepare()
    assert home.token() == Home(home.root).token()
    assert len(home.token()) >= 32 and home.token() != other.token()


def test_a_damaged_token_is_replaced(home: Home) -> None:
    (home.root / "token").write_text("x")
    assert len(home.token()) >= 32


def test_a_second_one_is_refused_with_the_address_of_the_first(home: Home) -> None:
    home.lock()
    home.announce(announcement(home))
    with pytest.raises(StichError) as caught:
        Home(home.root).lock()
    assert f"http://127.0.0.1:9/?token={home.token()}" in str(caught.value)
    home.unlock()
    second = Home(home.root)
    second.lock()
    second.unlock()


def test_what_a_killed_one_left_is_not_taken_for_running(home: Home) -> None:
    home.announce(announcement(home))
    assert home.running() is None
    second = Home(home.root)
    second.lock()
    assert Home(home.root).running() is None  # locked, not ready yet
    second.announce(announcement(home))
    running = Home(home.root).running()
    assert running is not None and running.local_url == "http://127.0.0.1:9"
    second.unlock()
    assert Home(home.root).running() is None


@pytest.mark.parametrize("inside", ["a-file", "a-file/deeper"])
def test_a_home_that_cannot_be_written_is_one_sentence(tmp_path: Path, inside: str) -> None:
    (tmp_path / "a-file").write_text("")
    with pytest.raises(StichError, match=r"cannot be written .* STICH_HOME=DIR\.$"):
        Home(tmp_path / inside).prepare()


def test_a_port_is_remembered_while_it_is_free(home: Home) -> None:
    port = home.port("temporal")
    assert Home(home.root).port("temporal") == port
    with listen("127.0.0.1", port):
        other = home.port("temporal")
        assert other != port
    assert home.port("temporal") == other


def test_damaged_notes_of_ports_are_replaced(home: Home) -> None:
    (home.root / "ports.json").write_text("[1]")
    assert home.port("demo") == home.port("demo")


def test_a_taken_port_is_not_free() -> None:
    port = free_port()
    assert is_free(port)
    with listen("127.0.0.1", port) as listener:
        assert not is_free(port)
        assert isinstance(listener, socket.socket)
