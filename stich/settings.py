"""Settings of the processes, read from the environment once, at the start."""

import ipaddress
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, Self, TypeVar, get_args
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
)

from schemas.deployments import Target
from schemas.limits import LimitRules
from schemas.retention import RetentionRules
from schemas.session import Jurisdiction
from stich.errors import StichError

DEFAULT_PORT: Final = 8080
DEFAULT_TEMPORAL: Final = "127.0.0.1:7233"

# Where each setting is read from, and what to tell someone who got it wrong.
VARIABLES: Final = {
    "home": ("STICH_HOME", "a directory that can be written"),
    "host": ("STICH_HOST", "the address to listen on, such as 127.0.0.1 or 0.0.0.0"),
    "port": ("PORT", "a port number, 0 for any free one"),
    "preview_port": ("STICH_PREVIEW_PORT", "a port number, 0 for any free one"),
    "preview_address": ("STICH_PREVIEW_ADDRESS", "host:port under which other hosts reach this one's previews"),
    "public_url": ("STICH_PUBLIC_URL", "the address people open, such as https://stich.example.org"),
    "preview_origin": ("STICH_PREVIEW_ORIGIN", "a wildcard origin, such as https://*.preview.example.org"),
    "url": ("STICH_URL", "the address of a running stich, for the commands that talk to one"),
    "token": ("STICH_TOKEN", "at least 16 characters"),
    "auth": ("STICH_AUTH", "local (one user, who signs in by the printed address) or accounts"),
    "sign_up": ("STICH_SIGN_UP", "open or closed"),
    "allowed_hosts": ("STICH_ALLOWED_HOSTS", "host names, separated by commas"),
    "allowed_origins": ("STICH_ALLOWED_ORIGINS", "origins such as https://app.example.org, separated by commas"),
    "trusted_proxies": ("STICH_TRUSTED_PROXIES", "addresses or networks such as 10.0.0.0/8, separated by commas"),
    "smtp_url": ("STICH_SMTP_URL", "smtp://user:password@host:587 or smtps://user:password@host"),
    "mail_from": ("STICH_MAIL_FROM", "the sender's address, such as stich@example.org"),
    "google_client_id": ("STICH_GOOGLE_CLIENT_ID", "the client id that Google gave"),
    "google_client_secret": ("STICH_GOOGLE_CLIENT_SECRET", "the secret that belongs to the client id"),
    "github_client_id": ("STICH_GITHUB_CLIENT_ID", "the client id that GitHub gave"),
    "github_client_secret": ("STICH_GITHUB_CLIENT_SECRET", "the secret that belongs to the client id"),
    "github_api": ("STICH_GITHUB_API", "the address of GitHub's interface, or off"),
    "temporal_address": ("TEMPORAL_ADDRESS", "host:port of the Temporal frontend"),
    "temporal_namespace": ("TEMPORAL_NAMESPACE", "the name of a Temporal namespace"),
    "temporal_ui": ("STICH_TEMPORAL_UI", "the address of the Temporal web page"),
    "database_url": ("DATABASE_URL", "an address that begins with postgresql://"),
    "database_connections": ("STICH_DATABASE_CONNECTIONS", "a number from 2 to 1000"),
    "api_processes": ("STICH_API_PROCESSES", "a number from 1 to 16"),
    "workflow_slots": ("STICH_WORKFLOW_SLOTS", "a number from 1 to 10000"),
    "inference_slots": ("STICH_INFERENCE_SLOTS", "a number from 1 to 10000"),
    "slot_tuning": ("STICH_SLOT_TUNING", "fixed or resources"),
    "queues": ("STICH_QUEUES", "some of workflows, inference, sandbox, host, separated by commas"),
    "sandbox_slots": ("STICH_SANDBOX_SLOTS", "a number from 1 to 1000"),
    "sandbox_memory": ("STICH_SANDBOX_MEMORY", "a size such as 16G"),
    "sandbox_disk": ("STICH_SANDBOX_DISK", "a size such as 50G"),
    "host_name": ("STICH_HOST_NAME", "a name of letters, digits, dots and hyphens"),
    "jurisdiction": ("STICH_JURISDICTION", "a short name of lower-case letters and digits, such as eu"),
    "publish_targets": ("STICH_PUBLISH_TARGETS", "some of local, cloudflare, netlify, vercel, separated by commas"),
    "deployment": ("STICH_DEPLOYMENT", "a name of letters, digits, underscores and hyphens"),
    "build_id": ("STICH_BUILD_ID", "a name of letters, digits, dots, underscores and hyphens"),
    "unsafe_local": ("STICH_UNSAFE_LOCAL", "1 to run generated code without isolation, else nothing"),
    "cloudflare_api": ("STICH_CLOUDFLARE_API", "the address of Cloudflare's interface"),
    "netlify_api": ("STICH_NETLIFY_API", "the address of Netlify's interface"),
    "vercel_api": ("STICH_VERCEL_API", "the address of Vercel's interface"),
    "vault_key": ("STICH_VAULT_KEY", "32 random bytes in base64, or several, the newest first"),
    "payload_key": ("STICH_PAYLOAD_KEY", "32 random bytes in base64, or several, the newest first, or off"),
    "limits": ("STICH_LIMITS", "limits such as requests=600/minute, concurrent_sessions=5, calls=off"),
    "retention": ("STICH_RETENTION", "days such as archive_sessions=90, delete_sessions=365, ledger=off"),
    "webhook_url": ("STICH_WEBHOOK_URL", "the address that notices about budgets are sent to"),
    "webhook_secret": ("STICH_WEBHOOK_SECRET", "at least 16 characters, which the notices are signed with"),
    "mcp_servers": ("STICH_MCP_SERVERS", "a JSON file with the MCP servers that sessions may use"),
    "log_level": ("STICH_LOG_LEVEL", "one of debug, info, warning, error"),
    "log_format": ("STICH_LOG_FORMAT", "json or console"),
    "listen_fd": ("STICH_LISTEN_FD", "a file descriptor, set by `stich up`"),
    "ready_file": ("STICH_READY_FILE", "a path, set by `stich up`"),
}


_UNITS: Final = {"M": 1024**2, "G": 1024**3, "T": 1024**4}
SECRETS: Final = frozenset(
    {
        "token",
        "database_url",
        "vault_key",
        "payload_key",
        "webhook_secret",
        "smtp_url",
        "google_client_secret",
        "github_client_secret",
    }
)


def _home(path: Path) -> Path:
    return path.expanduser().absolute()


def _postgres_url(url: SecretStr) -> SecretStr:
    if urlsplit(url.get_secret_value()).scheme not in ("postgresql", "postgres"):
        raise ValueError("not a postgresql:// address")
    return url


def _http_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not an http:// or https:// address")
    return url.rstrip("/")


def _address(address: str) -> str:
    host, colon, port = address.rpartition(":")
    if not (host and colon and port.isdecimal() and 0 < int(port) < 65536):
        raise ValueError("not host:port")
    return address


def _smtp_url(url: SecretStr) -> SecretStr:
    parts = urlsplit(url.get_secret_value())
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise ValueError("not an smtp:// or smtps:// address")
    return url


def _size(value: object) -> object:
    """Text such as 16G as bytes."""
    if isinstance(value, str) and value[-1:].upper() in _UNITS and value[:-1].isdecimal():
        return int(value[:-1]) * _UNITS[value[-1].upper()]
    return value


def _listed(value: object) -> object:
    """Text with commas as its parts."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _limits(value: object) -> object:
    return LimitRules.parse(value) if isinstance(value, str) else value


def _retention(value: object) -> object:
    return RetentionRules.parse(value) if isinstance(value, str) else value


T = TypeVar("T")
Listed = Annotated[tuple[T, ...], BeforeValidator(_listed)]
Queue = Literal["workflows", "inference", "sandbox", "host"]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Host = Annotated[str, StringConstraints(to_lower=True, pattern=r"^[A-Za-z0-9.-]{1,253}$")]
Port = Annotated[int, Field(ge=0, le=65535)]
Size = Annotated[int, BeforeValidator(_size), Field(ge=256 * 1024**2)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]


class Settings(BaseModel):
    """Everything a process of stich is configured by, beside the model providers (see `inference.settings`).

    Made by `from_env`. None stands for what was not set: `stich up` then starts a Temporal and a Postgres of its own
    and finds a free port for previews; a role on its own uses Temporal's usual address and refuses without Postgres.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    home: Annotated[Path, AfterValidator(_home)]
    host: str = "127.0.0.1"
    port: Port = DEFAULT_PORT
    preview_port: Port | None = None
    preview_address: Annotated[str, AfterValidator(_address)] | None = None
    public_url: HttpUrl | None = None
    preview_origin: str | None = None
    url: HttpUrl | None = None
    token: SecretStr | None = Field(default=None, min_length=16)
    auth: Literal["local", "accounts"] = "local"
    sign_up: Literal["open", "closed"] = "open"
    allowed_hosts: Listed[Host] = ()
    allowed_origins: Listed[HttpUrl] = ()
    trusted_proxies: Listed[Network] = ()
    smtp_url: Annotated[SecretStr, AfterValidator(_smtp_url)] | None = None
    mail_from: str = Field(default="stich@localhost", pattern=r"^[^\r\n]*[^\s@]+@[^\s@]+$", max_length=200)
    google_client_id: str | None = None
    google_client_secret: SecretStr | None = None
    github_client_id: str | None = None
    github_client_secret: SecretStr | None = None
    github_api: Literal["off"] | HttpUrl = "https://api.github.com"
    temporal_address: Annotated[str, AfterValidator(_address)] | None = None
    temporal_namespace: str = "default"
    temporal_ui: HttpUrl | None = None
    database_url: Annotated[SecretStr, AfterValidator(_postgres_url)] | None = None
    database_connections: int = Field(default=20, ge=2, le=1_000)
    api_processes: int = Field(default=2, ge=1, le=16)
    workflow_slots: int = Field(default=200, ge=1, le=10_000)
    inference_slots: int = Field(default=200, ge=1, le=10_000)
    slot_tuning: Literal["fixed", "resources"] = "fixed"
    queues: Listed[Queue] = ()
    sandbox_slots: int | None = Field(default=None, ge=1, le=1_000)
    sandbox_memory: Size | None = None
    sandbox_disk: Size | None = None
    host_name: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    jurisdiction: Jurisdiction | None = None
    publish_targets: Listed[Target] = ()
    deployment: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$")
    build_id: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    unsafe_local: bool = False
    cloudflare_api: HttpUrl | None = None
    netlify_api: HttpUrl | None = None
    vercel_api: HttpUrl | None = None
    vault_key: SecretStr | None = None
    payload_key: SecretStr | None = None
    limits: Annotated[LimitRules, BeforeValidator(_limits)] = LimitRules()
    retention: Annotated[RetentionRules, BeforeValidator(_retention)] = RetentionRules()
    webhook_url: HttpUrl | None = None
    webhook_secret: SecretStr | None = Field(default=None, min_length=16)
    mcp_servers: Path | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] | None = None
    listen_fd: int | None = Field(default=None, ge=3)
    ready_file: Path | None = None

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Settings out of `env`; a variable that is empty counts as not set.

        Raises StichError for bad values: a sentence each, one a line.
        """
        given = {field: value for field, (name, _) in VARIABLES.items() if (value := env.get(name, "").strip())}
        try:
            given["home"] = given.get("home") or str(Path.home() / ".stich")
        except RuntimeError:
            raise StichError("This user has no home directory; set STICH_HOME to one that can be written.") from None
        try:
            settings = cls.model_validate(given)
        except ValidationError as error:
            raise StichError("\n".join(_explained(error, given))) from None
        if (settings.webhook_url is None) != (settings.webhook_secret is None):
            raise StichError("STICH_WEBHOOK_URL and STICH_WEBHOOK_SECRET belong together; set both.")
        for name in ("google", "github"):
            if (f"{name}_client_id" in given) != (f"{name}_client_secret" in given):
                raise StichError(f"STICH_{name.upper()}_CLIENT_ID and ..._CLIENT_SECRET belong together; set both.")
        return settings

    @property
    def targets(self) -> frozenset[Target]:
        """Where applications may be published: what was set, else everywhere, or nowhere else in a jurisdiction."""
        if self.publish_targets:
            return frozenset(self.publish_targets)
        return frozenset(("local",)) if self.jurisdiction else frozenset(get_args(Target))

    @property
    def github(self) -> str | None:
        """GitHub's interface, None where sessions are not sent there: in a jurisdiction only where one was named."""
        if self.github_api == "off" or (self.jurisdiction is not None and "github_api" not in self.model_fields_set):
            return None
        return self.github_api

    @property
    def loopback(self) -> bool:
        """Whether only this machine can connect."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def _explained(error: ValidationError, given: Mapping[str, str]) -> Iterator[str]:
    wrong = dict.fromkeys(str(each["loc"][0]) for each in error.errors(include_url=False, include_input=False))
    for field in wrong:
        name, meaning = VARIABLES[field]
        value = "a value that cannot be used" if field in SECRETS else f"“{given[field][:80]}”"
        yield f"{name} is {value}; it should be {meaning}."
