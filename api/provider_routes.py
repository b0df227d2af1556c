"""OpenAI-compatible servers that users bring."""

import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response

from api.audit import note
from api.auth import principal_of
from api.endpoints import Answer, Endpoint, JsonResponse, body_of
from api.key_routes import EXAMPLE_TRY, key_info
from api.model_access import access_of
from api.model_calls import SECONDS
from api.problems import DATABASE_AWAY, INVALID, NO_PROVIDER, TOO_SLOW, VAULT_LOCKED, Refusal
from api.services import Services, services_of
from inference.custom import UserCredentials, taken
from inference.guarded_transport import why_refused
from schemas.inference import ActionKey, ModelOverrides
from schemas.model_settings import CustomModel, CustomProviderInfo, CustomProviderList, PutProvider, TryAnswer
from storage.model_choices import CustomProvider
from storage.vault import VaultLocked

MOST: Final = 20
NAME: Final = re.compile(r"[a-z][a-z0-9-]{1,30}")


async def list_providers(request: Request) -> Response:
    services, user_id = services_of(request), principal_of(request).user_id
    providers = await services.model_choices.providers(user_id)
    return JsonResponse(CustomProviderList(providers=tuple([await _info(services, user_id, p) for p in providers])))


async def put_provider(request: Request) -> Response:
    services, user_id, body = services_of(request), principal_of(request).user_id, body_of(request, PutProvider)
    provider_id: str = request.path_params["provider_id"]
    if not NAME.fullmatch(provider_id):
        raise Refusal(INVALID, "A server's name has 2 to 31 lower-case letters, digits and hyphens.")
    known = {each.id for each in await services.model_choices.providers(user_id)}
    if taken(provider_id):
        raise Refusal(INVALID, f"The name “{provider_id[:40]}” means a provider that stich knows; choose another.")
    if provider_id not in known and len(known) >= MOST:
        raise Refusal(INVALID, f"You have {MOST} servers already; remove one first.")
    url = checked_url(body.base_url, allow_private=services.inference.settings.allow_private)
    provider = CustomProvider(id=provider_id, title=body.title, base_url=url, models=body.models)
    await services.model_choices.put_provider(user_id, provider)
    try:
        if body.key is not None:
            await services.vault.put(user_id, provider_id, body.key, bound=url)
        else:
            await services.vault.delete(user_id, provider_id, unless_bound=url)
    except VaultLocked:
        raise Refusal(VAULT_LOCKED, "The vault cannot be opened by this service.") from None
    await note(request, "model_server_stored", provider=provider_id)
    return JsonResponse(await _info(services, user_id, provider))


async def try_provider(request: Request) -> Response:
    access = await access_of(request)
    provider_id: str = request.path_params["provider_id"]
    found = access.user.servers.get(provider_id)
    if found is None:
        raise Refusal(NO_PROVIDER, "You have no server of this name.")
    name = next(iter(found.models.values())).name
    answer = await services_of(request).model_calls.ask(
        "try-server",
        access.user_id,
        UserCredentials(access.user_id, servers={provider_id: found}),
        ActionKey.CODE_REVIEW,
        ModelOverrides(model=name, fallback=name, effort="none", policy="quality"),
    )
    return JsonResponse(answer)


async def delete_provider(request: Request) -> Response:
    services, user_id = services_of(request), principal_of(request).user_id
    provider_id: str = request.path_params["provider_id"]
    if not await services.model_choices.delete_provider(user_id, provider_id):
        raise Refusal(NO_PROVIDER, "You have no server of this name.")
    await services.vault.delete(user_id, provider_id)
    await note(request, "model_server_deleted", provider=provider_id)
    return Response(status_code=204)


def checked_url(url: str, *, allow_private: bool) -> str:
    """The address without its last slash. Raises Refusal for one that cannot be used; where a name leads is checked
    when it is called, in whatever form an address is written."""
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.port != 0 and parts.username is None and parts.password is None
        usable = usable and not parts.query and not parts.fragment
    except ValueError:
        usable = False
    if not usable:
        raise Refusal(INVALID, "The address must be like https://models.example/v1, without user, query or fragment.")
    if parts.scheme != "https" and not allow_private:
        raise Refusal(INVALID, "The address must begin with https://, so that nobody on the way reads your key.")
    if reason := _why_refused(str(parts.hostname), allow_private):
        allow = "The operator may allow servers in private networks by STICH_ALLOW_PRIVATE_ADDRESSES=1."
        raise Refusal(INVALID, f"A model server may not be at {parts.hostname}: {reason}.", next_action=allow)
    return url.rstrip("/")


def _why_refused(host: str, allow_private: bool) -> str:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return ""
    return why_refused(host, allow_private=allow_private)


async def _info(services: Services, user_id: str, provider: CustomProvider) -> CustomProviderInfo:
    stored = await services.vault.list(user_id)
    keys = [key for key in stored if key.name == provider.id and key.bound == provider.base_url]
    return CustomProviderInfo(**provider.model_dump(), key=key_info(keys[0]) if keys else None)


EXAMPLE = CustomProviderInfo(
    id="lab", title="Lab", base_url="https://models.example/v1", models=(CustomModel(id="qwen3-coder"),)
)

ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/api/providers",
        handler=list_providers,
        name="list_model_servers",
        summary="Your own OpenAI-compatible servers",
        answer=Answer(
            description="With their models; keys masked.",
            schema=CustomProviderList,
            example=CustomProviderList(providers=(EXAMPLE,)),
        ),
        problems=(DATABASE_AWAY, TOO_SLOW),
        scope="keys",
    ),
    Endpoint(
        method="PUT",
        path="/api/providers/{provider_id}",
        handler=put_provider,
        name="put_model_server",
        summary="Add or change a server of your own; a key stays with the address that it was given for",
        body=PutProvider,
        body_example=PutProvider(
            title="Lab",
            base_url="https://models.example/v1",
            models=(CustomModel(id="qwen3-coder"),),
            key=SecretStr("the server's key"),
        ),
        answer=Answer(description="It is stored.", schema=CustomProviderInfo, example=EXAMPLE),
        problems=(INVALID, VAULT_LOCKED, DATABASE_AWAY, TOO_SLOW),
        scope="keys",
    ),
    Endpoint(
        method="POST",
        path="/api/providers/{provider_id}/test",
        handler=try_provider,
        name="test_model_server",
        summary="Try a server with a small call of its first model",
        answer=Answer(description="What came of it.", schema=TryAnswer, example=EXAMPLE_TRY),
        problems=(NO_PROVIDER, VAULT_LOCKED, DATABASE_AWAY, TOO_SLOW),
        scope="keys",
        seconds=SECONDS + 5,
    ),
    Endpoint(
        method="DELETE",
        path="/api/providers/{provider_id}",
        handler=delete_provider,
        name="delete_model_server",
        summary="Forget a server and its key",
        answer=Answer(description="It is gone.", status=204),
        problems=(NO_PROVIDER, DATABASE_AWAY, TOO_SLOW),
        scope="keys",
    ),
)
