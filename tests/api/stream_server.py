"""The event endpoint alone, as a server process: `python -m tests.api.stream_server DSN PORT`."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.sse import event_id_of, event_stream
from api.stream import Stream
from schemas.http import SessionSnapshot
from stich.collector import spare_what_stays
from storage.database import Database
from storage.sessions import SessionRecord
from tests.api.watching import snapshot_of


def stream_app(dsn: str) -> Starlette:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        database = await Database.connect(dsn, max_size=8)
        app.state.stream = Stream(database)
        await app.state.stream.start()
        spare_what_stays()
        print("ready", flush=True)
        yield
        await app.state.stream.aclose()
        await database.aclose()

    async def events(request: Request) -> Response:
        session = SessionRecord(id=request.path_params["session_id"], prompt="an app", mode="deterministic")

        async def snapshot() -> SessionSnapshot:
            return snapshot_of(session)

        stream = request.app.state.stream
        return event_stream(stream, stream.follow(session.id, event_id_of(request), snapshot))

    return Starlette(routes=[Route("/{session_id}", events)], lifespan=lifespan)


async def serve(dsn: str, port: int) -> None:
    config = uvicorn.Config(
        stream_app(dsn), port=port, log_level="warning", access_log=False, timeout_graceful_shutdown=3
    )
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # several processes share the readers
    listener.bind(("127.0.0.1", port))
    await uvicorn.Server(config).serve(sockets=[listener])


if __name__ == "__main__":
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(sys.argv[1], int(sys.argv[2])))
