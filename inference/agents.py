"""How each action calls a model, and which models it may use.

The defaults are those of the first public release for the actions that it had. The constraints bind the defaults and
what users choose alike: a default that broke its own rule would be a rule for others only. They do not bind the
operator (`STICH_MODEL`, `STICH_MODEL_<ACTION>`), who pays and may know a model that the catalogue does not.
"""

from inference.catalogue import MODELS, Model, UnknownModel
from inference.custom import UserCredentials, find
from inference.providers import PROVIDERS
from schemas.inference import ActionKey, AgentConfig, ModelOverrides

PRO, FLASH, LITE = "google/gemini-2.5-pro", "google/gemini-2.5-flash", "google/gemini-2.5-flash-lite"

AGENTS: dict[ActionKey, AgentConfig] = {
    ActionKey.TEMPLATE_SELECTION: AgentConfig(model=LITE, fallback=FLASH, max_output_tokens=2_000, temperature=0.8),
    ActionKey.BLUEPRINT: AgentConfig(
        model=PRO, fallback=FLASH, effort="medium", max_output_tokens=64_000, temperature=0.7
    ),
    ActionKey.PROJECT_SETUP: AgentConfig(
        model=PRO, fallback=PRO, effort="low", max_output_tokens=10_000, temperature=0.2
    ),
    ActionKey.PHASE_GENERATION: AgentConfig(
        model=PRO, fallback=FLASH, effort="low", max_output_tokens=32_000, temperature=0.2
    ),
    ActionKey.FIRST_PHASE_IMPLEMENTATION: AgentConfig(
        model=PRO, fallback=PRO, effort="low", max_output_tokens=64_000, temperature=0.2
    ),
    ActionKey.PHASE_IMPLEMENTATION: AgentConfig(
        model=PRO, fallback=PRO, effort="low", max_output_tokens=64_000, temperature=0.2
    ),
    ActionKey.CODE_REVIEW: AgentConfig(
        model=PRO, fallback=FLASH, effort="medium", max_output_tokens=32_000, temperature=0.1
    ),
    ActionKey.FILE_REGENERATION: AgentConfig(
        model=PRO, fallback=FLASH, effort="low", max_output_tokens=32_000, temperature=0.0
    ),
    ActionKey.SCREENSHOT_ANALYSIS: AgentConfig(
        model=PRO, fallback=FLASH, effort="medium", max_output_tokens=8_000, temperature=1.0
    ),
    ActionKey.FAST_CODE_FIXER: AgentConfig(
        model=FLASH, fallback=PRO, max_output_tokens=64_000, temperature=0.0
    ),
    ActionKey.REALTIME_CODE_FIXER: AgentConfig(
        model=FLASH, fallback=LITE, effort="low", max_output_tokens=32_000, temperature=1.0
    ),
    ActionKey.CONVERSATION: AgentConfig(
        model=FLASH, fallback=LITE, effort="low", max_output_tokens=32_000, temperature=0.0
    ),
    ActionKey.DEEP_DEBUGGER: AgentConfig(
        model=PRO, fallback=FLASH, effort="high", max_output_tokens=32_000, temperature=0.2
    ),
    ActionKey.SMART_BUILDER: AgentConfig(
        model=PRO, fallback=FLASH, effort="medium", max_output_tokens=64_000, temperature=0.2
    ),
    ActionKey.README: AgentConfig(model=FLASH, fallback=LITE, max_output_tokens=8_000, temperature=0.2),
}  # fmt: skip
"""The first release switched the two code fixers off (their other values are kept), and gave the conversation a large
fallback and the real-time fixer a large budget of sizes: here both stay within the constraints below. Where model and
fallback are the same, a failing provider is left for another one of the same model only."""

SIZES: dict[ActionKey, frozenset[str]] = {
    ActionKey.TEMPLATE_SELECTION: frozenset({"lite", "regular"}),
    ActionKey.CONVERSATION: frozenset({"lite", "regular"}),
    ActionKey.REALTIME_CODE_FIXER: frozenset({"lite", "regular"}),
}
"""Sizes of models that an action may use; an action that is not here may use any."""

NEEDS: dict[ActionKey, frozenset[str]] = {
    ActionKey.SCREENSHOT_ANALYSIS: frozenset({"images"}),
    ActionKey.CONVERSATION: frozenset({"tools"}),
    ActionKey.DEEP_DEBUGGER: frozenset({"tools"}),
    ActionKey.SMART_BUILDER: frozenset({"tools"}),
}
"""Abilities without which a model cannot serve an action."""

DEPTHS: dict[ActionKey, int] = {ActionKey.DEEP_DEBUGGER: 40, ActionKey.SMART_BUILDER: 100}
DEPTH = 7
"""How many turns of tool calls an action may take."""


class NotAllowed(ValueError):
    """The model is unknown, or the action's constraints exclude it. The message says which and why."""


def depth(action: ActionKey) -> int:
    """How many turns of tool calls `action` may take."""
    return DEPTHS.get(action, DEPTH)


def permitted(action: ActionKey, model: Model) -> str:
    """Why `action` may not use `model`, or an empty string where it may. The demo model may serve all."""
    if model.name.startswith("demo/"):
        return ""
    sizes = SIZES.get(action)
    if sizes is not None and not (_free(model) or (model.listed and model.size in sizes)):
        is_what = model.size if model.listed else "not in the catalogue, so that its size is not known"
        return f"{action.value} uses {' or '.join(sorted(sizes))} models; {model.name} is {is_what}"
    missing = NEEDS.get(action, frozenset()) - set(model.abilities)
    return f"{action.value} needs {', '.join(sorted(missing))}; {model.name} cannot" if missing else ""


def _free(model: Model) -> bool:
    """Whether calls of `model` cost the operator nothing wherever it is served: sizes are about cost."""
    return all(provider not in PROVIDERS or PROVIDERS[provider].free for provider in model.served)


def check(action: ActionKey, name: str, user: UserCredentials | None = None) -> Model:
    """The model called `name`, if `action` may use it. Raises NotAllowed."""
    try:
        model = find(name, user).model
    except UnknownModel as error:
        raise NotAllowed(str(error)) from None
    if reason := permitted(action, model):
        raise NotAllowed(reason)
    return model


def allowed(action: ActionKey) -> list[str]:
    """Names of the catalogued models that `action` may use."""
    return [model.name for model in MODELS.values() if not permitted(action, model)]


def configuration(
    action: ActionKey, overrides: ModelOverrides | None = None, user: UserCredentials | None = None
) -> AgentConfig:
    """The configuration of `action` with `overrides` on top, field by field. Raises NotAllowed for a model that the
    action may not use: a choice is refused, never silently replaced."""
    base = AGENTS[action]
    if overrides is None:
        return base
    chosen = overrides.model_dump(exclude_none=True, exclude={"policy"})
    for field in ("model", "fallback"):
        if field in chosen:
            check(action, chosen[field], user)
    return base.model_copy(update=chosen)
