"""With whose keys and by which settings a step calls models: read inside the step, kept no longer than it runs."""

from dataclasses import dataclass, field
from typing import Protocol

from temporalio.exceptions import ApplicationError

from inference import choices
from inference.agents import NotAllowed
from inference.custom import UserCredentials, server
from inference.settings import InferenceSettings
from schemas.inference import ActionKey, ModelOverrides
from schemas.model_settings import ModelSettings
from storage.budgets import Budgets
from storage.database import Database, until_available
from storage.model_choices import ModelChoices
from storage.vault import Vault, VaultLocked


class AccessRooms(Protocol):
    """What resolving needs of the worker's rooms."""

    @property
    def database(self) -> Database: ...
    @property
    def vault(self) -> Vault: ...
    @property
    def model_choices(self) -> ModelChoices: ...


@dataclass(frozen=True, slots=True)
class ModelAccess:
    """What every model call of one step goes by. `user` is None where the user brought nothing; `saving` asks for
    cheaper models, because a budget is nearly used up."""

    user: UserCredentials | None = None
    saving: bool = False
    settings: ModelSettings = field(default_factory=dict)

    def overrides(
        self, action: ActionKey, settings: InferenceSettings, own: ModelOverrides | None = None
    ) -> ModelOverrides:
        """What the user chose for `action`; what the call site sets comes first."""
        chosen = choices.overrides_of(self.settings.get(action), action, settings)
        if own is not None:
            chosen = chosen.model_copy(update=own.model_dump(exclude_none=True))
        return chosen.model_copy(update={"policy": "cost"}) if self.saving else chosen

    def enabled(self, action: ActionKey) -> bool:
        """Whether the user lets `action` run at all."""
        return choices.enabled(self.settings.get(action), action)


def not_allowed(error: NotAllowed) -> ApplicationError:
    """The failure of a step whose model may not serve it."""
    details = {
        "code": "model_not_allowed",
        "sentence": f"{error}.",
        "next_action": "Choose another model, then let the session take the new settings.",
    }
    return ApplicationError(str(error), details, type="ModelNotAllowed", non_retryable=True)


async def model_access(rooms: AccessRooms, session_id: str, user_id: str) -> ModelAccess:
    """The user's keys and servers as they are now, and the settings that the session began with.

    Waits for Postgres. Raises ApplicationError where a stored key does not open: nobody else's is used instead."""

    async def read() -> ModelAccess:
        providers = await rooms.model_choices.providers(user_id)
        keys = await rooms.vault.open(user_id, {provider.id: provider.base_url for provider in providers})
        taken = await rooms.model_choices.taken(session_id)
        servers = {
            each.id: server(each.id, each.title, each.base_url, each.models, keys.pop(each.id, None))
            for each in providers
        }
        user = UserCredentials(user_id, keys=keys, servers=servers)
        saving = await Budgets(rooms.database).saving(user_id, session_id)
        return ModelAccess(user if user.any else None, saving, taken.settings if taken else {})

    try:
        return await until_available(read, "reading the keys and settings of a user")
    except VaultLocked:
        details = {
            "code": "vault_locked",
            "sentence": "Your stored keys cannot be opened by this worker.",
            "next_action": "Tell the operator that this worker lacks the vault's key, or store your keys again.",
        }
        raise ApplicationError(details["sentence"], details, type="VaultLocked", non_retryable=True) from None
