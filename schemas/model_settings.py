"""What users bring and choose for model calls: keys, servers of their own, and settings per action."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from schemas.inference import ActionKey, Effort, ModelRow
from schemas.secrets import HeaderSecret

ModelName = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,160}$")]
ProviderName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,30}$")]
BaseUrl = Annotated[str, StringConstraints(pattern=r"^https?://[\x21-\x7e]{1,490}$")]
Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)]
Key = Annotated[HeaderSecret, Field(min_length=4, max_length=4_000)]


class Strict(BaseModel):
    """Base of the data here: immutable, and strict about names."""

    model_config = ConfigDict(frozen=True, extra="forbid")


# --- settings per action ---------------------------------------------------------------------------------------------


class ActionSettings(Strict):
    """What a user sets for one action; None leaves the default. `provider` sends the model to one of its providers."""

    model: ModelName | None = None
    fallback: ModelName | None = None
    provider: ProviderName | None = None
    effort: Effort | None = None
    temperature: float | None = Field(default=None, ge=0, le=2, allow_inf_nan=False)
    max_output_tokens: int | None = Field(default=None, ge=256, le=200_000)
    enabled: bool | None = None


ModelSettings = dict[ActionKey, ActionSettings]


class EffectiveSettings(Strict):
    """What is in force for one action, field by field, and whether a model can be called with it."""

    model: str
    fallback: str | None
    provider: str | None
    effort: Effort
    temperature: float
    max_output_tokens: int
    enabled: bool


class ActionRow(Strict):
    """One action: what is in force, what the user set, the defaults, and what may be chosen."""

    action: ActionKey
    effective: EffectiveSettings
    chosen: ActionSettings
    default: EffectiveSettings
    can_disable: bool
    allowed_models: tuple[str, ...]
    problem: str = ""


class ActionList(Strict):
    """Answer of `GET /api/settings/models`."""

    actions: tuple[ActionRow, ...]


class SessionSettings(Strict):
    """The settings that a session goes by: those of its user when it started or when it was last told to refresh."""

    settings: ModelSettings
    taken_at: datetime


class TryAnswer(Strict):
    """What came of a small call: which model at which provider answered, with whose key, and what it cost."""

    ok: bool
    model: str = ""
    provider: str = ""
    credential: str = ""
    demo: bool = False
    text: str = ""
    seconds: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    price: Decimal | None = None
    code: str = ""
    sentence: str = ""
    next_action: str = ""


# --- keys ------------------------------------------------------------------------------------------------------------


class PutKey(Strict):
    """Body of `PUT /api/keys/{provider}`."""

    key: Key


class KeyInfo(Strict):
    """A stored key, as far as it is ever shown. `hint` is its last characters; `note` is what its last check said."""

    provider: str
    title: str
    hint: str
    note: str = ""
    created_at: datetime
    checked_at: datetime | None
    last_used_at: datetime | None
    calls_per_minute: int | None = None
    tokens_per_minute: int | None = None


class KeyLimits(Strict):
    """Body of `PUT /api/keys/{provider}/limits`: what the key may be used for in a minute; null is no limit."""

    calls_per_minute: int | None = Field(default=None, ge=1, le=1_000_000)
    tokens_per_minute: int | None = Field(default=None, ge=1_000, le=2_000_000_000)


class KeyList(Strict):
    """Answer of `GET /api/keys`: the keys stored, and the providers that one can be stored for."""

    keys: tuple[KeyInfo, ...]
    providers: tuple["KeyProvider", ...]


class KeyProvider(Strict):
    """A provider that takes a user's key. `platform` says that the operator's own key serves it too."""

    id: str
    title: str
    platform: bool


# --- servers of users ------------------------------------------------------------------------------------------------


class CustomModel(Strict):
    """A model of a user's server: its id there, its limits in tokens, and what it can do."""

    id: ModelName
    context_window: int = Field(default=32_768, ge=1_024, le=10_000_000)
    output_limit: int = Field(default=8_192, ge=256, le=1_000_000)
    tools: bool = True
    images: bool = False
    reasoning: bool = False
    structured_output: bool = False


class PutProvider(Strict):
    """Body of `PUT /api/providers/{id}`. Without `key` the stored one stays, as long as the address does."""

    title: Title
    base_url: BaseUrl
    models: tuple[CustomModel, ...] = Field(min_length=1, max_length=50)
    key: Key | None = None

    @model_validator(mode="after")
    def _distinct(self) -> "PutProvider":
        if len({model.id for model in self.models}) < len(self.models):
            raise ValueError("two models have the same id")
        return self


class CustomProviderInfo(Strict):
    """A user's server. Models are named `id/model` wherever a model is chosen."""

    id: str
    title: str
    base_url: str
    models: tuple[CustomModel, ...]
    key: KeyInfo | None = None


class CustomProviderList(Strict):
    """Answer of `GET /api/providers`."""

    providers: tuple[CustomProviderInfo, ...]


class CatalogueModel(ModelRow):
    """A model as this user can use it: `key` is whose key the first of its usable providers is called with."""

    key: str = ""
    actions: tuple[ActionKey, ...] = ()


class Catalogue(Strict):
    """Answer of `GET /api/models`: every model, those of the user's own servers first."""

    models: tuple[CatalogueModel, ...]
    demo: bool
