"""Which model at which provider serves a call, attempt by attempt.

A route is a list of steps. The `quality` route is the configured model at its providers, then the fallback model at its
own; `cost` and `speed` put the cheapest and the fastest suitable model first and keep the quality route behind them.
Each attempt takes the first step that no earlier attempt took, those with an open breaker after the others; when all
were taken, the last one that is healthy from then on.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from decimal import Decimal

from inference import agents, gateway, tokens
from inference.catalogue import MODELS, SUBSTITUTES, Model, Reference, UnknownModel, uncatalogued
from inference.custom import UserCredentials, find
from inference.errors import ContextTooLong, NotConfigured
from inference.prices import per_million
from inference.providers import PROVIDERS, provider_id
from inference.settings import InferenceSettings
from schemas.inference import ActionKey, AgentConfig, ImagePart, ModelCall, RoutingPolicy, Speed

TYPICAL_OUTPUT = 2_000
"""Tokens: what `speed` compares by is the time to this much output."""

MARGIN = 1.15
"""The count before sending is an estimate: a call is held back only when it is over the window by this factor."""

_SIZES = ("lite", "regular", "large")


@dataclass(frozen=True, slots=True)
class Step:
    """One stop of a route."""

    model: Model
    provider: str
    reason: str

    @property
    def keys(self) -> tuple[str, str]:
        """The breakers that can close this step: the provider's, and that of the model at it."""
        return (self.provider, f"{self.provider}/{self.model.name}")


@dataclass(frozen=True, slots=True)
class Tried:
    """A step that an earlier attempt took. `rejected` says that the same request would be rejected there again."""

    provider: str
    model: str
    rejected: bool = False


def configured_name(call: ModelCall, config: AgentConfig, settings: InferenceSettings) -> str:
    """Name of the model that `call` is meant for: the caller's choice, else the operator's, else the default."""
    if call.overrides.model is not None:
        return call.overrides.model
    return settings.models.get(call.action) or settings.model or config.model


def route(
    call: ModelCall,
    config: AgentConfig,
    settings: InferenceSettings,
    *,
    user: UserCredentials | None = None,
    speeds: Mapping[str, Speed] | None = None,
) -> list[Step]:
    """The steps for `call`, never empty. `speeds` is keyed `provider/model`.

    Raises NotConfigured where no provider can serve it, ContextTooLong where no model's window holds it.
    """
    if settings.demo and not (user and user.any):
        return [Step(MODELS["demo/demo"], "demo", "demo model")]
    policy = call.overrides.policy or settings.policy
    steps = _quality(call, config, settings, user)
    if policy != "quality":
        steps = _preferred(call, config, settings, user, policy, speeds or {}, steps) + steps
    steps = _distinct(steps)
    if not steps:
        raise NotConfigured(_why_none(configured_name(call, config, settings), settings, user))
    able = [step for step in steps if not _unable(call, step.model)]
    if not able:
        raise NotConfigured(_unable(call, steps[0].model), model=steps[0].model.name)
    fitting = [step for step in able if tokens.of_call(call) <= step.model.context_window * MARGIN]
    if not fitting:
        raise ContextTooLong(
            f"about {tokens.of_call(call)} tokens; the largest window is "
            f"{max(step.model.context_window for step in able)}",
            model=able[0].model.name,
        )
    return fitting


def ordered(steps: Sequence[Step], tried: Sequence[Tried], avoid: Set[str] = frozenset()) -> list[Step]:
    """`steps` in the order in which the next attempt should try them: what earlier attempts (`tried`, oldest first)
    did not take, then what they took, latest first, and last what would reject the call again. Within each, those that
    `avoid` (keys of open breakers) names come after the others."""
    latest = {(each.provider, each.model): number for number, each in enumerate(tried)}
    rejected = {(each.provider, each.model) for each in tried if each.rejected}

    def rank(step: Step) -> tuple[bool, bool, bool, int]:
        key = (step.provider, step.model.name)
        return key in rejected, key in latest, not avoid.isdisjoint(step.keys), -latest.get(key, 0)

    return sorted(steps, key=rank)


def configured_model(name: str, user: UserCredentials | None = None) -> Model:
    """The model called `name`. Raises NotConfigured where there is none."""
    return _reference(name, user, operators=True).model


def repairer(call: ModelCall, settings: InferenceSettings, user: UserCredentials | None, used: Model) -> str | None:
    """Name of the cheapest usable model that can bring an answer into form. None where none is cheaper than `used`."""
    candidates = [
        (cost, step)
        for step in _suitable(call.action, settings, user, least="lite")
        if step.model.native_schema and (cost := _cost(step)) is not None
    ]
    known = _cost(Step(used, next(iter(used.served)), ""))
    cheapest = min(candidates, key=lambda each: each[0], default=None)
    if cheapest is None or (known is not None and cheapest[0] >= known):
        return None
    return f"[{cheapest[1].provider}]{cheapest[1].model.name}"


def _quality(
    call: ModelCall, config: AgentConfig, settings: InferenceSettings, user: UserCredentials | None
) -> list[Step]:
    name = configured_name(call, config, settings)
    primary = _reference(name, user, operators=call.overrides.model is None)
    steps = _served(primary, settings, user, "configured model")
    if config.fallback and config.fallback != name:
        steps += _served(_reference(config.fallback, user), settings, user, "fallback model")
    if steps:
        return steps
    for substitute in SUBSTITUTES[primary.model.size]:
        model = MODELS[substitute]
        if not agents.permitted(call.action, model):
            steps += _served(Reference(model), settings, user, f"substitute for {primary.model.name}")
    return steps or _any_usable(settings, user)


def _any_usable(settings: InferenceSettings, user: UserCredentials | None) -> list[Step]:
    """Any catalogued model that can be called at all: better than nothing, and it says what it is."""
    for model in MODELS.values():
        steps = _served(Reference(model), settings, user, "the only model that can be used")
        if steps and not model.name.startswith("demo/"):
            return steps
    return []


def _served(reference: Reference, settings: InferenceSettings, user: UserCredentials | None, reason: str) -> list[Step]:
    """The steps of one model: its own provider first, the others that can be used after it."""
    model = reference.model
    if reference.forced_provider is not None:
        providers: Iterable[str] = (reference.forced_provider,)
        reason = f"{reason}, provider forced" if len(model.served) > 1 else reason
    else:
        providers = model.served
    steps = [Step(model, provider, reason) for provider in providers if gateway.usable(provider, settings, user)]
    own = next(iter(model.served))
    return [
        step if index == 0 and step.provider == own else replace(step, reason=f"{reason} at another provider")
        for index, step in enumerate(steps)
    ]


def _preferred(
    call: ModelCall,
    config: AgentConfig,
    settings: InferenceSettings,
    user: UserCredentials | None,
    policy: RoutingPolicy,
    speeds: Mapping[str, Speed],
    quality: list[Step],
) -> list[Step]:
    """The suitable steps in the order of `policy`. Suitable: what the action needs, an output limit that holds what
    it writes, and a model at most one size below the configured one."""
    wanted = quality[0].model.size if quality else "large"
    least = _SIZES[max(_SIZES.index(wanted) - 1, 0)]
    steps = [
        step
        for step in _suitable(call.action, settings, user, least)
        if step.model.output_limit >= min(config.max_output_tokens, 32_000)
    ]
    if policy == "cost":
        priced = [(cost, step) for step in steps if (cost := _cost(step)) is not None]
        return [replace(step, reason="cheapest") for _, step in sorted(priced, key=lambda each: each[0])]
    timed = [
        (speed.time_to_first_token + TYPICAL_OUTPUT / speed.tokens_per_second, step)
        for step in steps
        if (speed := speeds.get(f"{step.provider}/{step.model.name}")) is not None
    ]
    return [replace(step, reason="fastest") for _, step in sorted(timed, key=lambda each: each[0])]


def _suitable(action: ActionKey, settings: InferenceSettings, user: UserCredentials | None, least: str) -> list[Step]:
    floor = _SIZES.index(least)
    return [
        Step(model, provider, "suitable")
        for model in MODELS.values()
        if not model.retired and not agents.permitted(action, model) and _SIZES.index(model.size) >= floor
        for provider in model.served
        if provider != "demo" and gateway.usable(provider, settings, user)
    ]


def _cost(step: Step) -> Decimal | None:
    """Dollars for a million tokens in and a third of that out, which is how calls here are shaped."""
    read, written = per_million(step.provider, step.model.served[step.provider])
    return None if read is None or written is None else read + written / 3


def _unable(call: ModelCall, model: Model) -> str:
    """What `call` has that `model` cannot take, in words; empty where it can take all."""
    if call.tools and not model.tools:
        return f"{model.name} cannot call tools"
    images = any(
        isinstance(part, ImagePart)
        for message in call.messages
        if not isinstance(message.content, str)
        for part in message.content
    )
    return f"{model.name} cannot see images" if images and not model.images else ""


def _reference(name: str, user: UserCredentials | None, *, operators: bool = False) -> Reference:
    """The model called `name`. An operator may name any model of a known provider, users only catalogued ones and those
    of their own servers."""
    try:
        return find(name, user)
    except UnknownModel as error:
        vendor, _, rest = name.partition("/")
        provider = provider_id(vendor)
        if operators and provider is not None and rest:
            return Reference(uncatalogued(provider, rest), provider)
        raise NotConfigured(str(error), model=name) from None


def _distinct(steps: list[Step]) -> list[Step]:
    seen: dict[tuple[str, str], Step] = {}
    for step in steps:
        seen.setdefault((step.provider, step.model.name), step)
    return list(seen.values())


def _why_none(name: str, settings: InferenceSettings, user: UserCredentials | None) -> str:
    """What to set. A provider that can be used and has no model here serves what it is told to."""
    for provider in PROVIDERS.values():
        if provider.id != "demo" and gateway.usable(provider.id, settings, user):
            return f"{provider.title} is configured, but not which of its models: set STICH_MODEL={provider.id}/MODEL"
    providers = _reference(name, user, operators=True).model.served
    return "; or ".join(settings.why_not_usable(provider) for provider in providers)
