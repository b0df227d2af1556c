"""Running one of the demo package's services until a signal, on a port the supervisor can find."""

import signal
import socket
import sys
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

KEEP_ALIVE = 75
"""Seconds, longer than clients keep a connection: one that they send a call on is not just being closed here."""


class PortTaken(OSError):
    """The port asked for cannot be bound; the message says which and why."""


def serve(app: Starlette, *, host: str, port: int, port_file: Path | None) -> None:
    """Serve until SIGINT or SIGTERM. Port 0 takes a free one; `port_file` receives the number once it accepts.

    Raises:
        PortTaken: the port cannot be bound.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise PortTaken(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    listener.listen(128)  # connections queue from here on, so the port may be announced
    bound: int = listener.getsockname()[1]
    if port_file is not None:
        temporary = port_file.with_name(port_file.name + ".new")
        temporary.write_text(f"{bound}\n")
        temporary.replace(port_file)
    print(f"listening on http://{host}:{bound}/v1", flush=True)  # noqa: T201 - this is the program's output
    config = uvicorn.Config(
        app, log_level="warning", timeout_keep_alive=KEEP_ALIVE, timeout_graceful_shutdown=1, lifespan="off"
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        # uvicorn raises the signal again when it has ended; the port file is to be removed after that
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        if port_file is not None:
            port_file.unlink(missing_ok=True)
