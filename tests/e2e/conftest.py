"""One `stich up` for all tests that do not need one of their own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.service import Up, belonging_to

MakeUp = Callable[..., Up]


@pytest.fixture(scope="session")
def shared_up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A ready `stich up`, without any delay in the demo model's answers."""
    folder = tmp_path_factory.mktemp("up")
    up = Up(folder / "home", folder / "output")
    try:
        up.wait_ready()
        yield up
    finally:
        up.close()
    assert belonging_to(up.home) == []


@pytest.fixture
def make_up(tmp_path: Path) -> Iterator[MakeUp]:
    """Starts `stich up` on the test's home; nothing of it survives the test."""
    started: list[Up] = []

    def make(**env: str) -> Up:
        up = Up(tmp_path / "home", tmp_path / f"output-{len(started)}", **env)
        started.append(up)
        return up

    yield make
    for up in started:
        up.close()
    assert belonging_to(tmp_path / "home") == []
