"""Keys of model providers that users bring: tried before they are stored, never shown again."""

from typing import Final

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response

from api.audit import note
from api.auth import principal_of
from api.endpoints import Answer, Endpoint, JsonResponse, body_of
from api.examples import EXAMPLE_TIME
from api.model_access import access_of
from api.model_calls import SECONDS
from api.problems import (
    DATABASE_AWAY,
    KEY_NOT_ACCEPTED,
    KEY_NOT_TRIED,
    NO_PROVIDER,
    NO_PROVIDER_KEY,
    TOO_SLOW,
    VAULT_LOCKED,
    Refusal,
)
from api.services import services_of
from inference.catalogue import MODELS
from inference.custom import UserCredentials
from inference.prices import per_million
from inference.providers import PROVIDERS
from schemas.inference import ActionKey, ModelOverrides
from schemas.model_settings import KeyInfo, KeyLimits, KeyList, KeyProvider, PutKey, TryAnswer
from storage.vault import StoredSecret, VaultLocked

TAKES_KEYS: Final = tuple(provider for provider in PROVIDERS.values() if provider.needs_key and provider.base_url)
PROBES: Final = {"deepseek": "deepseek-chat"}
"""What to ask a provider for of whose models the catalogue knows none."""

# The provider knew the key: what it objects to is something else, and worth a note.
KNOWN_KEY: Final = {
    "out_of_credit": "The key is valid, but its account has no credit left.",
    "rate_limited": "The key is valid; its account is at a limit right now.",
    "model_not_found": "The key is valid, but its account may not use the model that it was tried with.",
}


async def list_keys(request: Request) -> Response:
    services = services_of(request)
    stored = await services.vault.list(principal_of(request).user_id)
    own_servers = {each.id for each in await services.model_choices.providers(principal_of(request).user_id)}
    settings = services.inference.settings
    return JsonResponse(
        KeyList(
            keys=tuple(key_info(each) for each in stored if each.name not in own_servers and ":" not in each.name),
            providers=tuple(
                KeyProvider(id=provider.id, title=provider.title, platform=settings.usable(provider.id))
                for provider in TAKES_KEYS
            ),
        )
    )


async def put_key(request: Request) -> Response:
    services, user_id = services_of(request), principal_of(request).user_id
    provider, key = _provider(request), body_of(request, PutKey).key
    said = judge(await _try(request, provider, key))
    try:
        stored = await services.vault.put(user_id, provider, key, note=said, checked=True)
    except VaultLocked:
        raise Refusal(VAULT_LOCKED, "The vault cannot be opened by this service.") from None
    await note(request, "provider_key_stored", provider=provider)
    return JsonResponse(key_info(stored))


async def check_key(request: Request) -> Response:
    services, user_id, provider = services_of(request), principal_of(request).user_id, _provider(request)
    key = (await access_of(request)).user.keys.get(provider)
    if key is None:
        raise Refusal(NO_PROVIDER_KEY, f"You have stored no key of {PROVIDERS[provider].title}.")
    answer = await _try(request, provider, key)
    await services.vault.checked(user_id, provider, KNOWN_KEY.get(answer.code, answer.sentence)[:300])
    return JsonResponse(answer)


async def delete_key(request: Request) -> Response:
    provider = _provider(request)
    if not await services_of(request).vault.delete(principal_of(request).user_id, provider):
        raise Refusal(NO_PROVIDER_KEY, f"You have stored no key of {PROVIDERS[provider].title}.")
    await note(request, "provider_key_deleted", provider=provider)
    return Response(status_code=204)


async def limit_key(request: Request) -> Response:
    """For keys of users' own servers too."""
    name: str = request.path_params["provider"]
    body = body_of(request, KeyLimits)
    stored = await services_of(request).vault.set_limits(
        principal_of(request).user_id, name, body.calls_per_minute, body.tokens_per_minute
    )
    if stored is None:
        raise Refusal(NO_PROVIDER_KEY, f"You have stored no key of “{name[:80]}”.")
    return JsonResponse(key_info(stored))


def key_info(stored: StoredSecret) -> KeyInfo:
    """A stored key as people see it."""
    facts = PROVIDERS.get(stored.name)
    return KeyInfo(
        provider=stored.name,
        title=facts.title if facts else stored.name,
        **stored.model_dump(exclude={"name", "bound"}),
    )


def judge(answer: TryAnswer) -> str:
    """What to note about a key that was tried. Raises Refusal where it is not to be stored."""
    if answer.ok:
        return ""
    if answer.code in KNOWN_KEY:
        return KNOWN_KEY[answer.code]
    if answer.code == "auth_failed":
        raise Refusal(KEY_NOT_ACCEPTED, "The provider does not accept this key. It was not stored.")
    raise Refusal(KEY_NOT_TRIED, f"The key was not stored: {answer.sentence[:300]}", next_action=answer.next_action)


async def _try(request: Request, provider: str, key: SecretStr) -> TryAnswer:
    """A call with this key and nothing else of anybody's."""
    user_id = principal_of(request).user_id
    name = f"[{provider}]{probe(provider)}"
    return await services_of(request).model_calls.ask(
        "try-key",
        user_id,
        UserCredentials(user_id, keys={provider: key}),
        ActionKey.CODE_REVIEW,
        ModelOverrides(model=name, fallback=name, effort="none", policy="quality"),
    )


def probe(provider: str) -> str:
    """The model to try a key with: the cheapest that the provider serves."""
    if provider in PROBES:
        return PROBES[provider]
    served = [model for model in MODELS.values() if provider in model.served and not model.retired]
    return min(served, key=lambda model: per_million(provider, model.served[provider])[1] or 1_000_000).name


def _provider(request: Request) -> str:
    provider: str = request.path_params["provider"]
    if provider not in {each.id for each in TAKES_KEYS}:
        raise Refusal(NO_PROVIDER, f"There is no provider “{provider[:80]}” that takes a key of yours.")
    return provider


EXAMPLE = KeyInfo(
    provider="openai", title="OpenAI", hint="…4f2a", created_at=EXAMPLE_TIME, checked_at=EXAMPLE_TIME, last_used_at=None
)
EXAMPLE_TRY = TryAnswer(
    ok=True,
    model="openai/gpt-5-mini",
    provider="openai",
    credential="user",
    text="ready",
    seconds=0.8,
    input_tokens=14,
    output_tokens=3,
)

ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/api/keys",
        handler=list_keys,
        name="list_provider_keys",
        summary="The keys of model providers that you stored, masked, and the providers that take one",
        answer=Answer(
            description="Never a key itself.",
            schema=KeyList,
            example=KeyList(keys=(EXAMPLE,), providers=(KeyProvider(id="openai", title="OpenAI", platform=False),)),
        ),
        problems=(DATABASE_AWAY, TOO_SLOW),
        scope="keys",
    ),
    Endpoint(
        method="PUT",
        path="/api/keys/{provider}",
        handler=put_key,
        name="put_provider_key",
        summary="Store your key of a provider, after a small call with it",
        body=PutKey,
        body_example=PutKey(key=SecretStr("the key as the provider shows it")),
        answer=Answer(description="It is stored; your next steps use it.", schema=KeyInfo, example=EXAMPLE),
        problems=(NO_PROVIDER, KEY_NOT_ACCEPTED, KEY_NOT_TRIED, VAULT_LOCKED, DATABASE_AWAY, TOO_SLOW),
        scope="keys",
        seconds=SECONDS + 5,
    ),
    Endpoint(
        method="POST",
        path="/api/keys/{provider}/test",
        handler=check_key,
        name="test_provider_key",
        summary="Try a stored key with a small call",
        answer=Answer(description="What came of it.", schema=TryAnswer, example=EXAMPLE_TRY),
        problems=(NO_PROVIDER, NO_PROVIDER_KEY, VAULT_LOCKED, DATABASE_AWAY, TOO_SLOW),
        scope="keys",
        seconds=SECONDS + 5,
    ),
    Endpoint(
        method="PUT",
        path="/api/keys/{provider}/limits",
        handler=limit_key,
        name="limit_provider_key",
        summary="Bound what a stored key may be used for in a minute; sessions wait, with a countdown",
        body=KeyLimits,
        body_example=KeyLimits(calls_per_minute=20, tokens_per_minute=200_000),
        answer=Answer(
            description="The key with its limits.",
            schema=KeyInfo,
            example=EXAMPLE.model_copy(update={"calls_per_minute": 20, "tokens_per_minute": 200_000}),
        ),
        problems=(NO_PROVIDER_KEY, DATABASE_AWAY, TOO_SLOW),
        scope="keys",
    ),
    Endpoint(
        method="DELETE",
        path="/api/keys/{provider}",
        handler=delete_key,
        name="delete_provider_key",
        summary="Forget a stored key",
        answer=Answer(description="It is gone.", status=204),
        problems=(NO_PROVIDER, NO_PROVIDER_KEY, DATABASE_AWAY, TOO_SLOW),
        scope="keys",
    ),
)
