"""Which providers may be used, from the environment. Keys are SecretStr: no repr, log or error shows them."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, Self, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from inference.providers import PROVIDERS, Provider, provider_id
from schemas.inference import ActionKey, RoutingPolicy

_PLACEHOLDERS = {"", "default", "none", "null", "changeme", "your-api-key", "your_api_key"}
CUSTOM: Final = "custom"
GATEWAY: Final = "gateway"
_VERSIONS: Final = {"anthropic": "/v1", "google": "/v1beta"}
"""What the path of a call begins with, so that an address may end with it or not."""
_SECONDS: Final = {"STICH_CONNECT_TIMEOUT": 10.0, "STICH_FIRST_TOKEN_TIMEOUT": 120.0, "STICH_STALL_TIMEOUT": 60.0}

VARIABLES: Final = frozenset(
    {
        *(name for provider in PROVIDERS.values() for name in (*provider.key_variables, *provider.url_variables)),
        *(f"STICH_MODEL_{key.upper()}" for key in ActionKey),
        *_SECONDS,
        "STICH_MODEL",
        "STICH_ROUTING",
        "STICH_PROVIDERS",
        "STICH_ANSWER_CACHE",
        "STICH_ALLOW_PRIVATE_ADDRESSES",
        "STICH_GATEWAY_URL",
        "STICH_GATEWAY_ANALYTICS_URL",
        "CLOUDFLARE_ACCOUNT_ID",
        "CLOUDFLARE_AI_GATEWAY",
        "CLOUDFLARE_AI_GATEWAY_URL",
        "CLOUDFLARE_AI_GATEWAY_TOKEN",
        "CLOUDFLARE_AI_GATEWAY_PROVIDERS",
        "CLOUDFLARE_AI_GATEWAY_CACHE_TTL",
        "CF_AIG_TOKEN",
    }
)
"""Every variable that is read here."""


class InvalidSetting(ValueError):
    """A variable of the environment has a value that cannot be meant."""


class ProviderSettings(BaseModel):
    """How to reach one provider."""

    model_config = ConfigDict(frozen=True)

    base_url: str
    key: SecretStr | None = None


class GatewaySettings(BaseModel):
    """A Cloudflare AI Gateway. `url` ends at the gateway's name; providers' segments follow it.

    `stored_keys` are the providers whose keys the gateway holds, so that none is needed here. `analytics_token` may
    read what it counted, at Cloudflare or at `analytics_url`.
    """

    model_config = ConfigDict(frozen=True)

    url: str
    token: SecretStr | None = None
    stored_keys: frozenset[str] = frozenset()
    cache_ttl: int | None = Field(default=None, ge=0)
    analytics_token: SecretStr | None = None
    analytics_url: str | None = None


class InferenceSettings(BaseModel):
    """Everything the inference room is configured by. Made by `from_env`; tests construct it.

    `models` overrides the model of actions, `model` of all. Times are seconds: `connect_timeout` for the connection,
    `first_token_timeout` from the request to the first token, `stall_timeout` between tokens. `allow_private` is
    the operator's word that users may name servers on this machine and in its networks. `allowed`, where given, are the
    only providers that calls may go to, whoever's key they use: `custom` stands for servers that users named, `gateway`
    for a gateway in front of the others.
    """

    model_config = ConfigDict(frozen=True)

    providers: dict[str, ProviderSettings] = Field(default_factory=dict)
    gateway: GatewaySettings | None = None
    model: str | None = None
    models: dict[ActionKey, str] = Field(default_factory=dict)
    policy: RoutingPolicy = "quality"
    connect_timeout: float = Field(default=10, gt=0)
    first_token_timeout: float = Field(default=120, gt=0)
    stall_timeout: float = Field(default=60, gt=0)
    answer_cache_size: int = Field(default=0, ge=0)
    allow_private: bool = False
    allowed: frozenset[str] | None = None

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Settings out of `env`. A base URL that is set needs no key: the server behind it may want none.

        Raises InvalidSetting for a URL, model key or number that cannot be meant."""
        allowed = _allowed(env)
        found = {provider.id: _provider(env, provider) for provider in PROVIDERS.values()}
        models = {key: value for key in ActionKey if (value := env.get(f"STICH_MODEL_{key.upper()}", "").strip())}
        return cls(
            providers={
                name: settings
                for name, settings in found.items()
                if settings is not None and (allowed is None or name in {*allowed, "demo"})
            },
            gateway=_gateway(env) if allowed is None or GATEWAY in allowed else None,
            model=env.get("STICH_MODEL", "").strip() or None,
            models=models,
            policy=_policy(env),
            connect_timeout=_seconds(env, "STICH_CONNECT_TIMEOUT"),
            first_token_timeout=_seconds(env, "STICH_FIRST_TOKEN_TIMEOUT"),
            stall_timeout=_seconds(env, "STICH_STALL_TIMEOUT"),
            answer_cache_size=_count(env, "STICH_ANSWER_CACHE", 0),
            allow_private=allows_private(env),
            allowed=allowed,
        )

    @property
    def demo(self) -> bool:
        """Whether the demo model serves every action: it was asked for, or nothing else is configured."""
        asked = self.model is not None and self.model.startswith(("demo/", "[demo]"))
        stored = self.gateway is not None and self.gateway.stored_keys
        return "demo" in self.providers and (asked or (set(self.providers) == {"demo"} and not stored))

    def usable(self, provider: str) -> bool:
        """Whether calls can go to `provider` with what is configured here."""
        if not self.permits(provider):
            return False
        stored = self.gateway.stored_keys if self.gateway else frozenset()
        return provider in self.providers or provider in stored

    def permits(self, provider: str) -> bool:
        """Whether calls may go to `provider` at all. The demo model is a part of this service."""
        if self.allowed is None or provider == "demo":
            return True
        return (provider if provider in PROVIDERS else CUSTOM) in self.allowed

    def why_not_usable(self, provider: str) -> str:
        """What to set so that `provider` can be used, in words; empty where it can."""
        if self.usable(provider):
            return ""
        facts = PROVIDERS[provider]
        if not self.permits(provider):
            return f"{facts.title}: this service does not call it"
        variables = facts.key_variables if facts.needs_key else facts.url_variables
        missing = f"{variables[0]} is not set"
        if provider == "cloudflare":
            missing = "CLOUDFLARE_API_TOKEN and CLOUDFLARE_ACCOUNT_ID are not both set"
        return f"{facts.title}: {missing}"


def invalid(env: Mapping[str, str]) -> list[str]:
    """What `InferenceSettings.from_env` refuses, all of it: a clause for each, without a full stop."""
    reads: list[Callable[[], object]] = [
        *(partial(_provider, env, provider) for provider in PROVIDERS.values()),
        partial(_gateway, env),
        partial(_policy, env),
        partial(_allowed, env),
        *(partial(_seconds, env, name) for name in _SECONDS),
        partial(_count, env, "STICH_ANSWER_CACHE", 0),
        partial(allows_private, env),
    ]
    found = []
    for read in reads:
        try:
            read()
        except InvalidSetting as error:
            found.append(str(error))
    return found


def allows_private(env: Mapping[str, str]) -> bool:
    """Whether the operator lets users and models name addresses of this machine and its networks."""
    value = env.get("STICH_ALLOW_PRIVATE_ADDRESSES", "").strip().lower()
    if value in ("", "0", "no", "false"):
        return False
    if value in ("1", "yes", "true"):
        return True
    raise InvalidSetting("STICH_ALLOW_PRIVATE_ADDRESSES must be 1, or nothing")


def _first(env: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    for name in names:
        value = env.get(name, "").strip()
        if value.lower() not in _PLACEHOLDERS:
            return value
    return None


def _url(env: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    """The address in the first of the variables that holds one."""
    name = next((name for name in names if _first(env, (name,)) is not None), None)
    if name is None:
        return None
    url = env[name].strip()
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:  # a port that is none, half an IPv6 address
        usable = False
    if not usable:
        raise InvalidSetting(f"{name} must be an address that begins with http:// or https://")
    if parts.username or parts.password:
        raise InvalidSetting(f"{name} must not contain a password")
    return url.rstrip("/")


def _provider(env: Mapping[str, str], provider: Provider) -> ProviderSettings | None:
    """How a provider is reached, None where too little is set."""
    key = _first(env, provider.key_variables)
    own_url = _url(env, provider.url_variables)
    if own_url and provider.dialect != "openai":
        own_url = own_url.removesuffix(_VERSIONS[provider.dialect])
    if own_url and not urlsplit(own_url).path:
        own_url += provider.root
    url = own_url or provider.base_url
    if provider.id == "cloudflare" and not url and (account := env.get("CLOUDFLARE_ACCOUNT_ID", "").strip()):
        url = f"https://api.cloudflare.com/client/v4/accounts/{account}/ai/v1"
    if not url or not (key or own_url or not provider.needs_key):
        return None
    return ProviderSettings(base_url=url, key=SecretStr(key) if key else None)


def _gateway(env: Mapping[str, str]) -> GatewaySettings | None:
    url = _url(env, ("CLOUDFLARE_AI_GATEWAY_URL", "STICH_GATEWAY_URL"))
    cache_ttl = _cache_ttl(env)
    stored_keys = _stored_keys(env)
    account, name = env.get("CLOUDFLARE_ACCOUNT_ID", "").strip(), env.get("CLOUDFLARE_AI_GATEWAY", "").strip()
    if url is None and name:
        if not account:
            raise InvalidSetting("CLOUDFLARE_AI_GATEWAY is of an account: CLOUDFLARE_ACCOUNT_ID must be set too")
        url = f"https://gateway.ai.cloudflare.com/v1/{account}/{name}"
    if url is None:
        return None
    token = _first(env, ("CLOUDFLARE_AI_GATEWAY_TOKEN", "CF_AIG_TOKEN"))
    analytics_token = _first(env, ("CLOUDFLARE_API_TOKEN",)) or token
    return GatewaySettings(
        url=url,
        token=SecretStr(token) if token else None,
        stored_keys=stored_keys,
        cache_ttl=cache_ttl,
        analytics_token=SecretStr(analytics_token) if analytics_token else None,
        analytics_url=_url(env, ("STICH_GATEWAY_ANALYTICS_URL",)),
    )


def _cache_ttl(env: Mapping[str, str]) -> int | None:
    name = "CLOUDFLARE_AI_GATEWAY_CACHE_TTL"
    return _count(env, name, 0) if env.get(name, "").strip() else None


def _stored_keys(env: Mapping[str, str]) -> frozenset[str]:
    """The providers whose keys the gateway holds."""
    name = "CLOUDFLARE_AI_GATEWAY_PROVIDERS"
    named = [word for word in re.split(r"[,\s]+", env.get(name, "")) if word]
    unknown = [word[:40] for word in named if provider_id(word) is None]
    if unknown:
        raise InvalidSetting(
            f"{name} names a provider that is not known, {unknown[0]!r}: known are {', '.join(PROVIDERS)}"
        )
    return frozenset(found for word in named if (found := provider_id(word)))


def _allowed(env: Mapping[str, str]) -> frozenset[str] | None:
    """The providers that STICH_PROVIDERS names; None where it is not set."""
    named = [word.lower() for word in re.split(r"[,\s]+", env.get("STICH_PROVIDERS", "")) if word]
    if not named:
        return None
    known = {word: word if word in (CUSTOM, GATEWAY) else provider_id(word) for word in named}
    unknown = [word[:40] for word, found in known.items() if found is None]
    if unknown:
        listed = ", ".join((*PROVIDERS, CUSTOM, GATEWAY))
        raise InvalidSetting(f"STICH_PROVIDERS names {unknown[0]!r}; there are {listed}")
    return frozenset(found for found in known.values() if found is not None)


def _policy(env: Mapping[str, str]) -> RoutingPolicy:
    value = env.get("STICH_ROUTING", "").strip() or "quality"
    policies: tuple[RoutingPolicy, ...] = get_args(RoutingPolicy)
    for policy in policies:
        if policy == value:
            return policy
    raise InvalidSetting(f"STICH_ROUTING must be one of {', '.join(policies)}")


def _seconds(env: Mapping[str, str], name: str) -> float:
    text = env.get(name, "").strip()
    try:
        value = float(text) if text else _SECONDS[name]
    except ValueError:
        raise InvalidSetting(f"{name} must be a number") from None
    if not 0 < value < float("inf"):  # false for nan too
        raise InvalidSetting(f"{name} must be a number of seconds above 0")
    return value


def _count(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name, "").strip()
    if text and not (text.isascii() and text.isdigit() and len(text) < 10):
        raise InvalidSetting(f"{name} must be a whole number, 0 or more")
    return int(text) if text else default
