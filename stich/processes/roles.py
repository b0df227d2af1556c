"""The programs of stich itself: demo model, worker, API."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import stich
from stich.home import Home
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


def worker_program(home: Home, preview_socket: int, environment: Mapping[str, str]) -> Program:
    """The worker; it serves previews on a socket that stays open while it restarts."""
    ready_file = home.run / "worker.ready"

    async def ready() -> bool:
        return ready_file.exists()

    return Program(
        "worker",
        "The worker",
        python_program("-m", "stich", "worker"),
        {**with_packages(environment), "STICH_READY_FILE": str(ready_file), "STICH_LISTEN_FD": str(preview_socket)},
        ready=ready,
        before=lambda: ready_file.unlink(missing_ok=True),
        stop_within=6,
        files=(preview_socket,),
    )


def api_program(api_socket: int, port: int, environment: Mapping[str, str]) -> Program:
    """The API, on a socket that stays open while it restarts, so that requests wait instead of being refused."""
    return Program(
        "api",
        "The web page",
        python_program("-m", "stich", "api"),
        {**with_packages(environment), "STICH_LISTEN_FD": str(api_socket)},
        ready=answers(port, "/readyz"),
        stop_within=3,
        files=(api_socket,),
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
