"""Keeps other people's pages out: which host names the service answers to, and which origins may talk to it.

A page elsewhere can make a browser send requests here. It cannot forge the Host, Origin and Sec-Fetch-Site headers.
"""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api.problems import FOREIGN_ORIGIN, UNKNOWN_HOST, Refusal, answer
from api.settings import ApiSettings, origin_of

HEALTH_PATHS = frozenset({"/healthz", "/readyz"})  # probes address a machine, not a name


CODEC_PATH = "/codec/"  # what Temporal's web page calls


class OwnOrigins:
    """The origins whose pages may use this service: its own, and those on the allow-list."""

    def __init__(self, settings: ApiSettings) -> None:
        self._hosts = settings.hosts
        self._accepted = settings.allowed_origins | {settings.origin}
        self.codec = origin_of(settings.temporal_ui) if settings.temporal_ui else None

    def knows_host(self, scope: Scope) -> bool:
        hosts = Headers(scope=scope).getlist("host")
        return len(hosts) == 1 and _without_port(hosts[0]) in self._hosts

    def accept(self, scope: Scope, origin: str) -> bool:
        if origin == self.codec and scope["path"].startswith(CODEC_PATH):
            return True
        host = Headers(scope=scope).get("host", "").lower()
        return origin in self._accepted or origin == f"{scope['scheme']}://{host}"


class OriginGate:
    """Middleware: refuses unknown host names (DNS rebinding) and whatever another site caused.

    Plain navigation to a page from elsewhere stays possible: only `/api/` minds where a request without Origin began.
    """

    def __init__(self, app: ASGIApp, own: OwnOrigins) -> None:
        self._app = app
        self._own = own

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in HEALTH_PATHS:
            try:
                self._check(scope)
            except Refusal as refusal:
                return await answer(scope, refusal)(scope, receive, send)
        return await self._app(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        if not self._own.knows_host(scope):
            raise Refusal(UNKNOWN_HOST, "The Host header names a host that this service does not answer to.")
        headers = Headers(scope=scope)
        origins = headers.getlist("origin")
        if any(not self._own.accept(scope, origin) for origin in origins):
            raise Refusal(FOREIGN_ORIGIN, "The request comes from a page of another site.")
        site = headers.get("sec-fetch-site")
        if not origins and site in ("cross-site", "same-site") and scope["path"].startswith("/api/"):
            raise Refusal(FOREIGN_ORIGIN, "The request was caused by another site.")


def _without_port(host: str) -> str:
    name, colon, port = host.lower().rpartition(":")
    return name if colon and port.isdecimal() else host.lower()
