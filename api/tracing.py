"""A span for every request, the child of the caller's where it names one."""

from opentelemetry import propagate, trace
from opentelemetry.trace import SpanKind, Status, StatusCode
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.endpoints import ROUTE

_tracer = trace.get_tracer("stich.api")
_UNWATCHED = ("/healthz", "/readyz", "/metrics")


class RequestSpans:
    """Middleware. A span is named by its route, so that no id, token or prompt of an address is in it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _UNWATCHED:
            return await self._app(scope, receive, send)
        above = propagate.extract(Headers(scope=scope))
        with _tracer.start_as_current_span(scope["method"], context=above, kind=SpanKind.SERVER) as span:
            span.set_attribute("http.request.method", scope["method"])

            async def send_and_note(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                    if message["status"] >= 500:
                        span.set_status(Status(StatusCode.ERROR))
                await send(message)

            try:
                await self._app(scope, receive, send_and_note)
            finally:
                if (route := scope.get(ROUTE) or getattr(scope.get("endpoint"), "__name__", None)) is not None:
                    span.update_name(f"{scope['method']} {route}")
                    span.set_attribute("http.route", route)
