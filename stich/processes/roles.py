"""The programs of stich itself: demo model, worker, API."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path

import stich
from stich.home import Home
from stich.processes.door import Door
from stich.processes.program import Program
from stich.processes.temporal import accepts

PACKAGES = Path(stich.__file__).parent.parent


def python_program(*arguments: str) -> list[str]:
    """A command line of this Python that never takes modules from the directory it is started in."""
    return [sys.executable, "-P", *arguments]


def with_packages(environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` with our packages importable, also from a checkout that is not installed."""
    path = os.pathsep.join(filter(None, (str(PACKAGES), environment.get("PYTHONPATH", ""))))
    return {**environment, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}


def demo_program(port: int, environment: Mapping[str, str]) -> Program:
    """The demo model on a loopback port."""
    command = python_program("-m", "stich.demo", "--port", str(port))
    return Program("demo", "The demo model", command, with_packages(environment), ready=accepts(port), stop_within=2)


def worker_program(home: Home, previews: Door, environment: Mapping[str, str]) -> Program:
    """The worker; it serves previews behind a door that stays open while it restarts."""
    ready_file = home.run / "worker.ready"

    async def ready() -> bool:
        return ready_file.exists()

    def before() -> None:
        ready_file.unlink(missing_ok=True)
        previews.unlock()

    return Program(
        "worker",
        "The worker",
        python_program("-m", "stich", "worker"),
        {**with_packages(environment), "STICH_READY_FILE": str(ready_file), "STICH_LISTEN_FD": str(previews.fileno())},
        ready=ready,
        before=before,
        failed=previews.shut,
        stop_within=6,
        files=(previews.fileno(),),
    )


def api_programs(
    home: Home, count: int, door: Door, refuse: Callable[[], None], environment: Mapping[str, str]
) -> Iterator[Program]:
    """The processes of the API, all behind one door. `refuse` shuts it unless one of them lives.

    When one dies, the others take its share at once; while the last one restarts, requests wait instead of being
    refused, unless it cannot be started. (With a socket each, the kernel would go on to give connections to one that
    is frozen.)
    """
    for number in range(1, count + 1):
        name = "api" if number == 1 else f"api-{number}"
        title = "The web page" if count == 1 else f"The web page (process {number} of {count})"
        yield api_program(name, title, home, door, refuse, environment)


def api_program(
    name: str, title: str, home: Home, door: Door, refuse: Callable[[], None], environment: Mapping[str, str]
) -> Program:
    ready_file = home.run / f"{name}.ready"
    service_answers = answers(door.port, "/readyz")

    async def ready() -> bool:
        return ready_file.exists() and await service_answers()  # the file tells this process from the others

    def before() -> None:
        ready_file.unlink(missing_ok=True)
        door.unlock()

    return Program(
        name,
        title,
        python_program("-m", "stich", "api"),
        {**with_packages(environment), "STICH_READY_FILE": str(ready_file), "STICH_LISTEN_FD": str(door.fileno())},
        ready=ready,
        before=before,
        failed=refuse,
        stop_within=3,
        files=(door.fileno(),),
    )


def answers(port: int, path: str) -> Callable[[], Awaitable[bool]]:
    """Whether a GET of `path` at a port of this machine is answered with status 200."""

    async def probe() -> bool:
        with contextlib.suppress(OSError, TimeoutError, ValueError):
            async with asyncio.timeout(2):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                try:
                    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
                    writer.write(request.encode())
                    status = await reader.readline()
                    return status.split(b" ")[1:2] == [b"200"]
                finally:
                    writer.close()
        return False

    return probe
