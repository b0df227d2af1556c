"""One log line per request, its id, and the last resort for errors that nobody expected."""

import re
import secrets
import time
import traceback
from pathlib import Path

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import INTERNAL, Refusal, answer

FRAMES = 12
TICKETS = re.compile(r"^(/codec/)(?!decode$|encode$)[^/]+")
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

log: structlog.stdlib.BoundLogger = structlog.get_logger("api")


class RequestLog:
    """Middleware: gives a request its id (a proxy's `X-Request-ID` is kept), logs it and turns surprises into a 500.

    The query string, headers and bodies are never logged: they may hold a token or somebody's prompt.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        sent = Headers(scope=scope).get("x-request-id", "")
        request_id = sent if REQUEST_ID.fullmatch(sent) else secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        status: int | None = None
        started = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["x-request-id"] = request_id
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, send_with_id)
            except ClientDisconnect:
                pass  # nobody is left to answer; the line below shows a request without a status
            except Exception as error:
                log.error("request failed", path=shown(scope["path"]), error=_named(error), where=_where(error))
                if status is None:
                    refusal = Refusal(INTERNAL, "The service met an error that it did not expect.")
                    await answer(scope, refusal)(scope, receive, send_with_id)
                # Once a response has started, returning without its end makes the server cut the connection, which
                # tells the client that the response is incomplete.
            finally:
                milliseconds = round((time.perf_counter() - started) * 1000, 1)
                log.info("request", method=scope["method"], path=shown(scope["path"]), status=status, ms=milliseconds)


def shown(path: str) -> str:
    """A path as a log may hold it: where a part of it is what opens something, that part is left out."""
    return TICKETS.sub(r"\1…", path)[:300]


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:300]


def _where(error: Exception) -> list[str]:
    """The innermost frames. Not a whole traceback: some renderers add the values of variables, such as a prompt."""
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
    return [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
