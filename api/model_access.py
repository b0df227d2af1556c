"""A signed-in user's keys, servers and settings, opened for the length of one request."""

from typing import NamedTuple

from starlette.requests import Request

from api.auth import principal_of
from api.problems import VAULT_LOCKED, Refusal
from api.services import services_of
from inference.custom import UserCredentials, server
from schemas.model_settings import ModelSettings
from storage.vault import VaultLocked


class Access(NamedTuple):
    """What a request may call models with, and what its user chose."""

    user_id: str
    user: UserCredentials
    settings: ModelSettings


async def access_of(request: Request) -> Access:
    """Raises Refusal VAULT_LOCKED where the stored keys do not open."""
    services = services_of(request)
    user_id = principal_of(request).user_id
    providers = await services.model_choices.providers(user_id)
    try:
        keys = await services.vault.open(user_id, {provider.id: provider.base_url for provider in providers})
    except VaultLocked:
        raise Refusal(VAULT_LOCKED, "Your stored keys cannot be opened by this service.") from None
    servers = {
        each.id: server(each.id, each.title, each.base_url, each.models, keys.pop(each.id, None)) for each in providers
    }
    settings = await services.model_choices.settings(user_id)
    return Access(user_id, UserCredentials(user_id, keys=keys, servers=servers), settings)
