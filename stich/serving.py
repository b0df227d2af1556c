"""An ASGI application served inside a process that has other things to do and signals of its own."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from stich.errors import StichError
from stich.home import listen
from stich.settings import Settings

GRACE_SECONDS: Final = 1
"""How long open streams are waited for at the end; they never end by themselves."""


class EmbeddedServer(uvicorn.Server):
    """A server that leaves signals to the process."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.serves = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.serves.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def serving(app: ASGIApp, listener: socket.socket) -> AsyncIterator[asyncio.Task[None]]:
    """Serve `app` on a listening socket until the block is left, from before it is entered.

    The task ends early only when serving failed.
    """
    config = uvicorn.Config(
        app,
        loop="none",
        http="httptools",
        ws="websockets-sansio",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = EmbeddedServer(config)
    task = asyncio.create_task(server.serve(sockets=[listener]), name="http server")
    try:
        serves = asyncio.create_task(server.serves.wait())
        await asyncio.wait([serves, task], return_when=asyncio.FIRST_COMPLETED)
        serves.cancel()
        yield task
    finally:
        server.should_exit = True
        await asyncio.wait([task])


def listening_socket(settings: Settings, port: int) -> socket.socket:
    """The socket that `stich up` handed over, else a new one. Raises StichError when the port cannot be used."""
    if settings.listen_fd is not None:
        return socket.socket(fileno=settings.listen_fd)
    try:
        return listen(settings.host, port)
    except OSError as error:
        raise StichError(f"Port {port} of {settings.host} cannot be used ({error.strerror}); choose another.") from None


def told_to_stop() -> asyncio.Event:
    """Set by the first SIGINT or SIGTERM of this process."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def until_stopped(stop: asyncio.Event, *tasks: "asyncio.Task[None]") -> None:
    """Wait for `stop`, or for the first task that ends; raise what that one failed with."""
    waiting = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    for task in done:
        if task is not waiting:
            task.result()
            raise StichError(f"A part of this process ended by itself: {task.get_name()}.")
