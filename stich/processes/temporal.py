"""The embedded Temporal: its development server with a database file in the home."""

import asyncio
import contextlib
import shutil
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from stich.errors import StichError
from stich.home import Home
from stich.processes.program import Program


def temporal_program(
    home: Home, namespace: str, port: int, ui_port: int, codec: str | None, environment: dict[str, str]
) -> Program:
    """The server on loopback ports of its own. Its web page has what is encrypted opened at the address `codec`."""
    # Write-ahead logging doubles the throughput; fairness lets one user's burst not starve another.
    tuning = [
        *("--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=NORMAL"),
        *("--dynamic-config-value", "matching.enableFairness=true"),
        # A frozen worker still holds polls, which swallow tasks: by default its connection stays for over a minute.
        *("--dynamic-config-value", 'frontend.keepAliveTime="1s"'),
        *("--dynamic-config-value", 'frontend.keepAliveTimeout="2s"'),
    ]
    command = [
        *(
            temporal_binary(),
            "server",
            "start-dev",
            "--ip",
            "127.0.0.1",
            "--port",
            str(port),
            "--ui-port",
            str(ui_port),
        ),
        *("--db-filename", str(home.temporal / "temporal.db"), "--namespace", namespace, "--log-level", "warn"),
        *(("--ui-codec-endpoint", codec) if codec else ()),
        *("--ui-disable-news-fetch", "--disable-config-file", "--disable-config-env", *tuning),
    ]
    return Program("temporal", "Temporal", command, environment, accepts(port))


def accepts(port: int) -> Callable[[], Awaitable[bool]]:
    """Whether something on this machine accepts connections at a port."""

    async def probe() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return True

    return probe


def temporal_binary() -> str:
    found = shutil.which("temporal", path=str(Path(sys.executable).parent)) or shutil.which("temporal")
    if found is None:
        raise StichError("The program temporal is missing; run `make setup`.")
    return found
