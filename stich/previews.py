"""Where previews are shown."""

import hashlib
import hmac
import time
from typing import NamedTuple, Self
from urllib.parse import urlsplit

from sandbox.addresses import LOCAL_SUFFIX, preview_name
from sandbox.grants import Grant, entrance
from schemas.session import Progress
from stich.errors import StichError
from stich.settings import Settings

LOCAL_SITES = "site.localhost"


class PreviewPlace(NamedTuple):
    """The origin below which every preview has a host name of its own."""

    scheme: str
    suffix: str
    port: int | None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """From STICH_PREVIEW_ORIGIN, else on this machine. Raises StichError when that is not a wildcard origin."""
        if settings.preview_origin is None:
            return cls("http", LOCAL_SUFFIX, settings.preview_port or settings.port + 1)
        parts = urlsplit(settings.preview_origin)
        if parts.scheme not in ("http", "https") or not parts.netloc.startswith("*.") or parts.path not in ("", "/"):
            raise StichError("STICH_PREVIEW_ORIGIN should be a wildcard origin, such as https://*.preview.example.org.")
        return cls(parts.scheme, (parts.hostname or "").removeprefix("*."), parts.port)

    @property
    def site_suffix(self) -> str:
        """The domain below which published sites lie: a configured domain serves both, told apart by their names."""
        return LOCAL_SITES if self.suffix == LOCAL_SUFFIX else self.suffix

    @property
    def secure(self) -> bool:
        """Whether browsers keep Secure cookies there."""
        return self.scheme == "https" or self.suffix == LOCAL_SUFFIX

    def entrance(self, secret: bytes, session_id: str, revision: int, viewer: str, seconds: float) -> str:
        """The address that lets a browser see a session's preview for so many seconds."""
        grant = Grant(session_id, int(time.time() + seconds), revision, viewer)
        return self.address(f"{preview_name(secret, session_id)}.{self.suffix}") + entrance(secret, grant)

    def readdressed(self, secret: bytes, progress: Progress) -> Progress:
        """The progress with the addresses of now: ports and domains may be others since the session noted them."""
        preview, name = progress.preview, progress.session_id
        if preview.url is not None:
            preview = preview.model_copy(update={"url": self.address(f"{preview_name(secret, name)}.{self.suffix}")})
        site = self.address(f"{preview_name(secret, name, 'site')}.{self.site_suffix}")
        deployments = [
            each.model_copy(update={"url": site}) if each.target == "local" and each.url is not None else each
            for each in progress.deployments
        ]
        return progress.model_copy(update={"preview": preview, "deployments": deployments})

    @property
    def source(self) -> str:
        """All previews, as a source of the Content-Security-Policy."""
        return self.address(f"*.{self.suffix}")

    def address(self, host: str) -> str:
        return f"{self.scheme}://{host}" + (f":{self.port}" if self.port else "")


def page_origins(settings: Settings) -> list[str]:
    """The pages that may show previews in a frame."""
    if settings.public_url is not None:
        return [settings.public_url]
    return [f"http://{host}:{settings.port}" for host in ("127.0.0.1", "localhost")]


def naming_secret(token: str) -> bytes:
    """What makes the host names of previews unguessable."""
    return hmac.digest(token.encode(), b"stich preview names", hashlib.sha256)
