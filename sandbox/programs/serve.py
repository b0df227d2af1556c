"""Serves the project's FastAPI application on a listening socket inherited from the service: `serve.py FD`.

Starts itself again when a Python file changes. An application that cannot be imported is answered with its traceback,
so that the page shows what is wrong.
"""

import html
import importlib
import os
import sys
import threading
import time
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path

import uvicorn

ROOT = Path(os.environ.get("STICH_WORKSPACE", "/workspace"))

Message = MutableMapping[str, object]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]


def snapshot() -> dict[str, int]:
    """Times of the last change of all Python files."""
    found = {}
    for path in (ROOT / "app").rglob("*.py"):
        try:
            found[str(path)] = path.stat().st_mtime_ns
        except OSError:
            continue
    return found


def restart_on_change(first: dict[str, int]) -> None:
    """Wait for a change, then become a new process on the same socket: waiting requests stay in its queue."""
    while snapshot() == first:
        time.sleep(0.2)
    time.sleep(0.1)
    sys.stdout.write("[stich] restarting: a file changed\n")
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *sys.argv])


def load() -> Application:
    """The project's application, or one that shows why there is none."""
    try:
        application: Application = importlib.import_module("app.main").app
    except BaseException:
        text = traceback.format_exc()
        sys.stderr.write(text)
        sys.stderr.flush()
        return broken(text)
    return application


def broken(text: str) -> Application:
    """An application that answers everything with a traceback."""
    page = f"<!doctype html><title>Error</title><h1>The application cannot start</h1><pre>{html.escape(text)}</pre>"
    return answering(500, page.encode())


def answering(status: int, body: bytes) -> Application:
    """An application with one answer."""

    async def application(scope: Message, _receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = [(b"content-type", b"text/html; charset=utf-8")]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    return application


def with_health(inner: Application) -> Application:
    """Answer the service's question itself."""
    healthy = answering(200, b"ok")

    async def application(scope: Message, receive: Receive, send: Send) -> None:
        asked = scope["type"] == "http" and scope["path"] == "/__stich/health"
        await (healthy if asked else inner)(scope, receive, send)

    return application


if __name__ == "__main__":
    descriptor = int(sys.argv[1])
    os.set_inheritable(descriptor, True)
    sys.path.insert(0, str(ROOT))
    os.chdir(ROOT)
    # Seen before anything is imported: what changes meanwhile is not missed.
    threading.Thread(target=restart_on_change, args=(snapshot(),), daemon=True).start()
    uvicorn.run(with_health(load()), fd=descriptor, log_level="warning")
