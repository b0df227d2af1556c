"""Headers that tell browsers what a response may do, on every response."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


def content_security_policy(preview_origin: str) -> str:
    """Only what this service itself serves; previews only inside frames; nobody may frame it."""
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data: blob:",
            "font-src 'self'",
            "connect-src 'self'",
            "manifest-src 'self'",
            "worker-src 'self'",
            f"frame-src {preview_origin}",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


YEAR = 365 * 24 * 3600


class SecurityHeaders:
    """Middleware: sets the headers, and `Cache-Control: no-store` where the response says nothing about caching.

    Where people come `encrypted`, browsers are told to keep to that.
    """

    def __init__(self, app: ASGIApp, preview_origin: str, *, encrypted: bool) -> None:
        self._app = app
        self._headers = {
            "content-security-policy": content_security_policy(preview_origin),
            "x-content-type-options": "nosniff",
            "referrer-policy": "same-origin",
            "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=(), browsing-topics=()",
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
        }
        if encrypted:
            self._headers["strict-transport-security"] = f"max-age={YEAR}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self._headers)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        return await self._app(scope, receive, send_with_headers)
