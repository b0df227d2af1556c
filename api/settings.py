"""What the HTTP service is told by whoever starts it: where it is reached, who may sign in, what it offers."""

import hashlib
import hmac
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from api.addresses import Network
from schemas.deployments import Target
from schemas.http import TemplateSummary
from schemas.limits import LimitRules
from schemas.session import Progress

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")

# The value becomes part of the Content-Security-Policy header, hence the narrow pattern.
FRAME_SOURCE = r"^https?://(\*\.)?[a-z0-9.-]+(:\d{1,5})?$"


def origin_of(url: str) -> str:
    """`scheme://host[:port]` of an http(s) URL, in lower case, default ports left out. ValueError for anything else."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url!r} is not an http:// or https:// address")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    default = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port not in (None, default) else "")


def _bare_origin(value: str) -> str:
    if urlsplit(value).path not in ("", "/"):
        raise ValueError(f"{value!r} must be an origin, without a path")
    return origin_of(value)


Origin = Annotated[str, AfterValidator(_bare_origin)]


class OAuthProvider(BaseModel):
    """A provider whose accounts sign people in. `issuer` and `jwks_url` only where it answers with an id token."""

    model_config = ConfigDict(frozen=True)

    name: Literal["google", "github"]
    client_id: str
    client_secret: SecretStr
    authorize_url: str
    token_url: str
    user_url: str = ""
    jwks_url: str = ""
    issuer: str = ""


class ApiSettings(BaseModel):
    """Settings of one API process. `preview_origin` is the CSP source of previews, `http://*.preview.localhost:PORT`;
    `preview_entrance` makes the way in out of session, revision, viewer and seconds, `readdressed` puts the present
    addresses of preview and site in the place of those that were good when the session noted them."""

    model_config = ConfigDict(frozen=True)

    token: SecretStr = Field(min_length=16)
    port: int = Field(ge=1, le=65535)
    preview_origin: str = Field(pattern=FRAME_SOURCE)
    version: str
    public_url: Origin | None = None
    allowed_hosts: frozenset[str] = frozenset()
    allowed_origins: frozenset[Origin] = frozenset()
    user_id: str = "local"
    auth: Literal["local", "accounts"] = "local"
    sign_up: bool = True
    jurisdiction: str | None = None
    targets: frozenset[Target] = frozenset(get_args(Target))
    trusted_proxies: tuple[Network, ...] = ()
    smtp_url: SecretStr | None = None
    mail_from: str = "stich@localhost"
    mail_folder: Path | None = None
    oauth: tuple[OAuthProvider, ...] = ()
    web_dist: Path | None = None
    preview_entrance: Callable[[str, int, str, float], str] | None = None
    readdressed: Callable[[Progress], Progress] = lambda progress: progress
    temporal_ui: str | None = None
    codec_ticket: SecretStr | None = Field(default=None, min_length=32)
    templates: tuple[TemplateSummary, ...] = ()
    examples: tuple[str, ...] = ()
    limits: LimitRules = LimitRules()
    github_api: str | None = None
    webhook_url: str | None = None
    webhook_secret: SecretStr | None = None

    @property
    def origin(self) -> str:
        """Where people reach the page."""
        return self.public_url or f"http://127.0.0.1:{self.port}"

    @property
    def hosts(self) -> frozenset[str]:
        """Host names (without port) that requests may be addressed to."""
        public = re.sub(r":\d+$", "", self.origin.split("://", 1)[1])
        return frozenset((*LOOPBACK_NAMES, public, *(host.lower() for host in self.allowed_hosts)))

    def derive_key(self, purpose: str) -> bytes:
        """A key for one purpose, from the token: a new token ends what was signed with the old one."""
        return hmac.digest(self.token.get_secret_value().encode(), f"stich {purpose}".encode(), hashlib.sha256)
