"""The socket that outlives the processes behind it: who comes waits while they restart, unless none can be started."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stich.errors import StichError
from stich.processes.door import Door
from stich.processes.program import Child, Program

SERVE = """
import pathlib, socket, sys
broken, ready = map(pathlib.Path, sys.argv[2:])
if broken.exists():
    sys.exit("it is broken")
listener = socket.socket(fileno=int(sys.argv[1]))
listener.listen(8)
ready.touch()
while True:
    connection, _ = listener.accept()
    connection.sendall(b"served")
    connection.close()
"""


class Served:
    """A program behind a door, which does not start while it is `broken`."""

    def __init__(self, folder: Path) -> None:
        self.door = Door("127.0.0.1", 0)
        self.broken, self.ready, self.reports = folder / "broken", folder / "ready", list[str]()
        arguments = [str(self.door.fileno()), str(self.broken), str(self.ready)]

        async def ready() -> bool:
            return self.ready.exists()

        async def ended() -> None:
            pass

        def before() -> None:
            self.ready.unlink(missing_ok=True)
            self.door.unlock()

        program = Program(
            "part", "The part", [sys.executable, "-S", "-c", SERVE, *arguments], {"PATH": os.defpath}, ready,
            before=before, failed=self.door.shut, files=(self.door.fileno(),),
        )  # fmt: skip
        self.child = Child(program, folder, self.reports.append, ended)

    async def ask(self) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.door.port)
        try:
            return await asyncio.wait_for(reader.read(), 10)
        finally:
            writer.close()

    async def reported(self, text: str) -> None:
        async with asyncio.timeout(20):
            while not any(text in line for line in self.reports):  # noqa: ASYNC110 - another process's doing
                await asyncio.sleep(0.02)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    served = Served(tmp_path)
    await served.child.start()
    served.child.keep()
    yield served
    await served.child.stop()
    served.door.close()


async def kill(served: Served) -> None:
    """kill -9, and wait for the end: until then it may take a connection that it does not serve any more."""
    assert served.child.pid is not None
    os.kill(served.child.pid, signal.SIGKILL)
    await served.reported("killed by SIGKILL")


async def test_who_comes_while_it_restarts_is_served(served: Served) -> None:
    assert await served.ask() == b"served"
    await kill(served)
    assert await served.ask() == b"served"


async def test_who_comes_when_it_cannot_be_started_is_refused_and_who_waits_too(served: Served) -> None:
    served.broken.touch()
    await kill(served)
    with pytest.raises(ConnectionError):  # reset while it waits, or refused
        await served.ask()
    await served.reported("it is broken")
    with pytest.raises(ConnectionRefusedError):
        await served.ask()
    served.broken.unlink()
    await served.reported("The part is back")
    assert await served.ask() == b"served"


def test_an_address_that_somebody_took_meanwhile() -> None:
    door = Door("127.0.0.1", 0)
    door.shut()
    door.shut()
    with socket.socket() as other:
        other.bind(("127.0.0.1", door.port))
        other.listen()
        with pytest.raises(StichError, match="was taken meanwhile"):
            door.unlock()
    door.unlock()
    door.unlock()
    door.close()
