"""A user's own servers and keys, as a call is planned with them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from pydantic import SecretStr

from inference.catalogue import MODELS, Model, Reference, UnknownModel, resolve
from inference.providers import ALIASES, PROVIDERS, Provider
from schemas.model_settings import CustomModel

VENDORS: Final = frozenset(name.partition("/")[0] for name in MODELS)


@dataclass(frozen=True, slots=True)
class CustomProvider:
    """One server: what it speaks, its models by their id there, and the key that goes there and nowhere else."""

    provider: Provider
    models: Mapping[str, Model]
    key: SecretStr | None = None


@dataclass(frozen=True, slots=True)
class UserCredentials:
    """What a user brought: keys by provider, and servers. Never stored or logged; no repr shows a key."""

    user_id: str
    keys: Mapping[str, SecretStr] = field(default_factory=dict)
    servers: Mapping[str, CustomProvider] = field(default_factory=dict)

    @property
    def any(self) -> bool:
        """Whether there is anything that a call could go to."""
        return bool(self.keys or self.servers)

    def has(self, provider: str) -> bool:
        """Whether a call to `provider` goes out as this user's own."""
        if provider in self.servers:
            return True
        return provider in self.keys and provider in PROVIDERS and bool(PROVIDERS[provider].base_url)


def server(
    provider_id: str, title: str, base_url: str, models: Iterable[CustomModel], key: SecretStr | None
) -> CustomProvider:
    """A user's server as a provider of the OpenAI dialect."""
    return CustomProvider(
        Provider(
            provider_id,
            title,
            "openai",
            base_url,
            needs_key=False,
            native_schema=True,
            thoughts="returned",
            open_catalogue=True,
        ),
        {model.id: _model(provider_id, model) for model in models},
        key,
    )


def _model(provider_id: str, model: CustomModel) -> Model:
    return Model(
        f"{provider_id}/{model.id}",
        model.id,
        "regular",
        model.context_window,
        model.output_limit,
        {provider_id: model.id},
        thinking="effort" if model.reasoning else "none",
        tools=model.tools,
        images=model.images,
        native_schema=model.structured_output,
    )


def taken(provider_id: str) -> bool:
    """Whether a name means something else already, so that no server of a user may have it."""
    return provider_id in PROVIDERS or provider_id in ALIASES or provider_id in VENDORS or provider_id == "custom"


def find(name: str, user: UserCredentials | None) -> Reference:
    """The model called `name` (see `catalogue.resolve`), among the user's own servers too. Raises UnknownModel."""
    plain = name.strip()
    if user is not None and user.servers:
        forced, _, rest = plain[1:].partition("]") if plain.startswith("[") else plain.partition("/")
        if forced in user.servers:
            rest = rest.strip().removeprefix(f"{forced}/")
            model = user.servers[forced].models.get(rest)
            if model is None:
                raise UnknownModel(f"{user.servers[forced].provider.title} has no model {rest!r}")
            return Reference(model, forced)
    return resolve(plain)
