"""What users chose, as overrides of a call: merged over the defaults, held to the actions' constraints."""

from typing import Final

from inference import agents
from inference.agents import AGENTS, NotAllowed
from inference.catalogue import UnknownModel
from inference.custom import UserCredentials, find
from inference.settings import InferenceSettings
from schemas.inference import ActionKey, ModelOverrides
from schemas.model_settings import ActionSettings, EffectiveSettings

CAN_DISABLE: Final = frozenset(
    {
        ActionKey.CODE_REVIEW,
        ActionKey.SCREENSHOT_ANALYSIS,
        ActionKey.FAST_CODE_FIXER,
        ActionKey.REALTIME_CODE_FIXER,
        ActionKey.DEEP_DEBUGGER,
    }
)
"""Actions that a session can do without."""


def overrides_of(chosen: ActionSettings | None, action: ActionKey, settings: InferenceSettings) -> ModelOverrides:
    """The overrides that a call of `action` gets by what its user chose."""
    if chosen is None:
        return ModelOverrides()
    model = chosen.model
    if chosen.provider is not None:
        model = f"[{chosen.provider}]{_unforced(model or _default_model(action, settings))}"
    return ModelOverrides(
        model=model,
        fallback=chosen.fallback,
        effort=chosen.effort,
        temperature=chosen.temperature,
        max_output_tokens=chosen.max_output_tokens,
    )


def enabled(chosen: ActionSettings | None, action: ActionKey) -> bool:
    """Whether the action runs at all."""
    default = AGENTS[action].enabled
    return default if chosen is None or chosen.enabled is None or action not in CAN_DISABLE else chosen.enabled


def effective(chosen: ActionSettings | None, action: ActionKey, settings: InferenceSettings) -> EffectiveSettings:
    """What is in force for `action`, whether or not it can be used."""
    chosen = chosen or ActionSettings()
    base = AGENTS[action]
    return EffectiveSettings(
        model=chosen.model or _default_model(action, settings),
        fallback=chosen.fallback or base.fallback,
        provider=chosen.provider,
        effort=chosen.effort or base.effort,
        temperature=base.temperature if chosen.temperature is None else chosen.temperature,
        max_output_tokens=chosen.max_output_tokens or base.max_output_tokens,
        enabled=enabled(chosen, action),
    )


def check(chosen: ActionSettings, action: ActionKey, settings: InferenceSettings, user: UserCredentials | None) -> None:
    """Raises NotAllowed, with a sentence, where the action's constraints or the models exclude what was chosen."""
    if chosen.enabled is False and action not in CAN_DISABLE:
        raise NotAllowed(f"{action.value} cannot be switched off: nothing is built without it")
    overrides = overrides_of(chosen, action, settings)
    agents.configuration(action, overrides, user)
    if chosen.provider is not None and overrides.model is not None:
        try:
            reference = find(overrides.model, user)
        except UnknownModel as error:
            raise NotAllowed(str(error)) from None
        if chosen.provider not in reference.model.served:
            raise NotAllowed(f"{chosen.provider} does not serve {reference.model.name}")
    if overrides.model is not None and chosen.max_output_tokens is not None:
        limit = find(overrides.model, user).model.output_limit
        if chosen.max_output_tokens > limit:
            raise NotAllowed(f"{overrides.model} writes at most {limit:,} tokens")


def _default_model(action: ActionKey, settings: InferenceSettings) -> str:
    return settings.models.get(action) or settings.model or AGENTS[action].model


def _unforced(model: str) -> str:
    return model.partition("]")[2] if model.startswith("[") else model
