"""Where a call goes and with whose key: base URL, key and headers are always resolved together.

The rule that nothing here may break: a platform key goes only to the provider's own URL, to the operator's base URL
or to the operator's gateway; a user's key goes only where that user's call goes.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import SecretStr

from inference.custom import UserCredentials, find
from inference.errors import NotConfigured
from inference.fingerprint import fingerprint
from inference.providers import PROVIDERS, Provider, provider_id
from inference.settings import CUSTOM, GatewaySettings, InferenceSettings
from schemas.inference import ModelCall

METADATA_HEADER = "x-stich-metadata"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where one call goes. `key` is a SecretStr, `headers` hold no provider key; `request_headers` adds it. `guarded`
    says that a user named the address: it is reached only through `guarded_transport`."""

    provider: Provider
    base_url: str
    key: SecretStr | None
    credential: Literal["platform", "user", "none"]
    headers: Mapping[str, str] = field(default_factory=dict)
    gateway_token: SecretStr | None = None
    via_gateway: bool = False
    guarded: bool = False

    def secrets(self) -> list[str]:
        """What must not be shown of this call: to be used at once and not kept."""
        return [each.get_secret_value() for each in (self.key, self.gateway_token) if each is not None]

    def request_headers(self) -> dict[str, str]:
        """The headers to send, secrets included: to be used at once and not kept."""
        headers = dict(self.headers)
        if self.key is not None:
            secret = self.key.get_secret_value()
            match self.provider.dialect:
                case "anthropic":
                    headers["x-api-key"] = secret
                case "google":
                    headers["x-goog-api-key"] = secret
                case _:
                    headers["authorization"] = f"Bearer {secret}"
        if self.gateway_token is not None:
            headers["cf-aig-authorization"] = f"Bearer {self.gateway_token.get_secret_value()}"
        return headers


def build_gateway_url(provider: str | None, gateway: GatewaySettings | None = None) -> str:
    """The gateway's base URL for `provider`, or its OpenAI-compatible endpoint for None. Left out, `gateway` is that of
    the environment.

    The dialect's path follows it, as it would follow the provider's own base URL. Raises NotConfigured where there is
    no gateway or it does not know the provider.
    """
    if (gateway := gateway or InferenceSettings.from_env(os.environ).gateway) is None:
        raise NotConfigured("no gateway is configured: CLOUDFLARE_AI_GATEWAY_URL is not set")
    if provider is None:
        return f"{gateway.url}/compat"
    known = PROVIDERS.get(provider_id(provider) or "")
    if known is None or known.gateway is None:
        title = known.title if known else provider
        raise NotConfigured(f"{title} cannot be reached through the gateway", provider=provider)
    return f"{gateway.url}/{known.gateway}"


def usable(provider: str, settings: InferenceSettings, user: UserCredentials | None) -> bool:
    """Whether a call of `user` (None: of the platform) can go to `provider`."""
    if user is not None and user.has(provider):
        return _permitted(provider, settings, user)
    return settings.usable(provider)


def _permitted(provider: str, settings: InferenceSettings, user: UserCredentials | None) -> bool:
    """Whether the operator lets calls go to `provider`, or to the server that the user put in its place."""
    own = user is not None and provider in user.servers
    return settings.permits(CUSTOM if own else provider)


def configuration_for_model(
    model: str,
    user: UserCredentials | None = None,
    *,
    settings: InferenceSettings | None = None,
    call: ModelCall | None = None,
    gateway: bool = True,
    retry: bool = False,
) -> Endpoint:
    """Where a call of `model` (`provider/model` or `[provider]model`) by `user` goes: the first of its providers that
    can be used. Left out, `settings` are those of the environment. `gateway=False` goes around the gateway, `retry`
    tells it not to answer from its cache. Raises NotConfigured, UnknownModel."""
    settings = settings or InferenceSettings.from_env(os.environ)
    reference = find(model, user)
    providers = [reference.forced_provider] if reference.forced_provider else list(reference.model.served)
    for provider in providers:
        if usable(provider, settings, user):
            return endpoint(provider, settings, user, call=call, gateway=gateway, retry=retry)
    reasons = "; or ".join(settings.why_not_usable(provider) for provider in providers)
    raise NotConfigured(f"{model}: {reasons}", model=model)


def endpoint(
    provider: str,
    settings: InferenceSettings,
    user: UserCredentials | None = None,
    *,
    call: ModelCall | None = None,
    gateway: bool = True,
    retry: bool = False,
) -> Endpoint:
    """Where a call to `provider` goes and with whose key. The user's own key comes first. Raises NotConfigured."""
    if user is not None and call is not None and call.user_id not in (None, user.user_id):
        raise NotConfigured("a call of one user was given another user's keys", provider=provider)
    if not _permitted(provider, settings, user):
        raise NotConfigured(f"{provider}: this service does not call it", provider=provider)
    if user is not None and (server := user.servers.get(provider)) is not None:
        return Endpoint(server.provider, server.provider.base_url, server.key, "user", guarded=True)
    facts = PROVIDERS[provider]
    if user is not None and user.has(provider):
        key = user.keys.get(provider)
        if gateway and settings.gateway is not None and facts.gateway is not None:
            return _through(settings.gateway, facts, key, "user", call, retry)
        return Endpoint(facts, facts.base_url, key, "user")
    configured = settings.providers.get(provider)
    own_url = configured is not None and configured.base_url != facts.base_url and provider != "cloudflare"
    if gateway and settings.gateway is not None and facts.gateway is not None and not own_url:
        stored = provider in settings.gateway.stored_keys
        if configured is not None or stored:
            key = configured.key if configured else None
            return _through(settings.gateway, facts, key, "platform", call, retry)
    if configured is None:
        raise NotConfigured(settings.why_not_usable(provider) or facts.title, provider=provider)
    headers = {METADATA_HEADER: _told_demo(call)} if provider == "demo" and call is not None else {}
    return Endpoint(facts, configured.base_url, configured.key, "platform" if configured.key else "none", headers)


def _through(
    gateway: GatewaySettings,
    provider: Provider,
    key: SecretStr | None,
    credential: Literal["platform", "user"],
    call: ModelCall | None,
    retry: bool,
) -> Endpoint:
    """The gateway in front of `provider`. A retry must not be served the same bad answer from its cache."""
    headers: dict[str, str] = {}
    if call is not None:
        headers["cf-aig-metadata"] = headers[METADATA_HEADER] = _metadata(call)
    if retry or gateway.cache_ttl is None:
        headers["cf-aig-skip-cache"] = "true"
    else:
        headers["cf-aig-cache-ttl"] = str(gateway.cache_ttl)
    return Endpoint(
        provider, build_gateway_url(provider.id, gateway), key, credential, headers, gateway.token, via_gateway=True
    )


def _told_demo(call: ModelCall) -> str:
    """What the demo model finds its answer by, where it plays a session again."""
    return json.dumps({**json.loads(_metadata(call)), "fingerprint": fingerprint(call)})


def _metadata(call: ModelCall) -> str:
    """User, session, operation and action as one JSON object of ASCII: header values can hold nothing else."""
    fields = {
        "user": call.user_id or "",
        "session": call.session_id,
        "operation": call.operation_id,
        "action": call.action.value,
    }
    return json.dumps({name: value for name, value in fields.items() if value})
