"""The models stich knows: what each can do, where it is served and under which name.

Names are `vendor/model`. Prices are not here: they come from the price table, see `prices.py`.
"""

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from inference.providers import PROVIDERS, provider_id

Size = Literal["lite", "regular", "large"]
Thinking = Literal["none", "effort", "budget", "level", "adaptive"]
"""How reasoning is asked for: OpenAI's effort, a token budget, Google's level, Anthropic's adaptive thinking."""


@dataclass(frozen=True, slots=True)
class Model:
    """One model. `served` maps provider ids to the model's id there, the vendor's own first.

    `always_thinks`: reasoning cannot be switched off. `samples`: it accepts a temperature. `none_effort`: it accepts
    the effort "none"; `least_effort` is what "none" becomes where it cannot be switched off. `native_schema`: it
    follows a JSON schema by itself. `continues`: it goes on with a beginning of its answer that it is handed.
    """

    name: str
    title: str
    size: Size
    context_window: int
    output_limit: int
    served: dict[str, str] = field(hash=False)
    thinking: Thinking = "none"
    always_thinks: bool = False
    none_effort: bool = False
    least_effort: Literal["minimal", "low"] = "low"
    samples: bool = True
    tools: bool = True
    images: bool = True
    native_schema: bool = True
    continues: bool = False
    retired: bool = False
    listed: bool = True

    @property
    def abilities(self) -> tuple[str, ...]:
        """The abilities as words, for listings and for matching an action's needs."""
        have = {
            "tools": self.tools,
            "images": self.images,
            "reasoning": self.thinking != "none",
            "structured output": self.native_schema,
        }
        return tuple(name for name, able in have.items() if able)


def _openai(name: str, title: str, size: Size, window: int, limit: int, **facts: Any) -> Model:
    served = {"openai": name, "openrouter": f"openai/{name}"}
    model = Model(f"openai/{name}", title, size, window, limit, served, thinking="effort", samples=False)
    return replace(model, **facts)


def _claude(name: str, title: str, size: Size, window: int, limit: int, wire: str, router: str, **facts: Any) -> Model:
    served = {"anthropic": wire, "openrouter": f"anthropic/{router}"}
    model = Model(f"anthropic/{name}", title, size, window, limit, served, thinking="budget")
    model = replace(model, **facts)
    return replace(model, continues=model.thinking != "adaptive")  # Claude 4.6 and what came after it refuse to


def _gemini(name: str, title: str, size: Size, limit: int, **facts: Any) -> Model:
    served = {"google": name, "openrouter": f"google/{name}"}
    return replace(Model(f"google/{name}", title, size, 1_048_576, limit, served, thinking="budget"), **facts)


_MODELS = (
    _openai("gpt-5", "GPT-5", "large", 400_000, 128_000, always_thinks=True, least_effort="minimal"),
    _openai("gpt-5-mini", "GPT-5 mini", "lite", 400_000, 128_000, always_thinks=True, least_effort="minimal"),
    _openai("gpt-5.1", "GPT-5.1", "large", 400_000, 128_000, none_effort=True),
    _openai("gpt-5.2", "GPT-5.2", "large", 400_000, 128_000, none_effort=True),
    _openai("gpt-5.4", "GPT-5.4", "large", 1_050_000, 128_000, none_effort=True),
    _openai("gpt-5.4-mini", "GPT-5.4 mini", "lite", 400_000, 128_000, none_effort=True),
    _openai("gpt-5.5", "GPT-5.5", "large", 1_000_000, 128_000, none_effort=True),
    _openai("gpt-4.1", "GPT-4.1", "large", 1_047_576, 32_768, thinking="none", samples=True),
    _openai(
        "chatgpt-4o-latest", "ChatGPT-4o", "regular", 128_000, 16_384,
        thinking="none", samples=True, tools=False, native_schema=False,
    ),
    _openai("o3", "o3", "large", 200_000, 100_000, always_thinks=True),
    _openai("o4-mini", "o4-mini", "regular", 200_000, 100_000, always_thinks=True),
    _claude(
        "claude-3.5-sonnet", "Claude 3.5 Sonnet", "large", 200_000, 8_192, "claude-3-5-sonnet-20241022",
        "claude-3.5-sonnet", thinking="none", native_schema=False, retired=True,
    ),
    _claude(
        "claude-3.7-sonnet", "Claude 3.7 Sonnet", "large", 200_000, 64_000, "claude-3-7-sonnet-20250219",
        "claude-3.7-sonnet", native_schema=False, retired=True,
    ),
    _claude(
        "claude-4-opus", "Claude 4 Opus", "large", 200_000, 32_000, "claude-opus-4-20250514", "claude-opus-4",
        native_schema=False,
    ),
    _claude(
        "claude-4-sonnet", "Claude 4 Sonnet", "large", 200_000, 64_000, "claude-sonnet-4-20250514",
        "claude-sonnet-4", native_schema=False,
    ),
    _claude("claude-haiku-4.5", "Claude Haiku 4.5", "regular", 200_000, 64_000, "claude-haiku-4-5", "claude-haiku-4.5"),
    _claude(
        "claude-sonnet-4.5", "Claude Sonnet 4.5", "large", 200_000, 64_000, "claude-sonnet-4-5", "claude-sonnet-4.5"
    ),
    _claude("claude-opus-4.5", "Claude Opus 4.5", "large", 200_000, 64_000, "claude-opus-4-5", "claude-opus-4.5"),
    _claude(
        "claude-sonnet-4.6", "Claude Sonnet 4.6", "large", 1_000_000, 64_000, "claude-sonnet-4-6",
        "claude-sonnet-4.6", thinking="adaptive",
    ),
    _claude(
        "claude-opus-4.6", "Claude Opus 4.6", "large", 1_000_000, 128_000, "claude-opus-4-6", "claude-opus-4.6",
        thinking="adaptive",
    ),
    _claude(
        "claude-opus-5", "Claude Opus 5", "large", 1_000_000, 128_000, "claude-opus-5", "claude-opus-5",
        thinking="adaptive", samples=False,
    ),
    _claude(
        "claude-sonnet-5", "Claude Sonnet 5", "large", 1_000_000, 128_000, "claude-sonnet-5", "claude-sonnet-5",
        thinking="adaptive", samples=False,
    ),
    _claude(
        "claude-opus-5.5", "Claude Opus 5.5", "large", 1_000_000, 128_000, "claude-opus-5-5", "claude-opus-5.5",
        thinking="adaptive", always_thinks=True, samples=False,
    ),
    _gemini("gemini-2.5-pro", "Gemini 2.5 Pro", "large", 65_536, always_thinks=True, least_effort="minimal"),
    _gemini("gemini-2.5-flash", "Gemini 2.5 Flash", "regular", 65_536),
    _gemini("gemini-2.5-flash-lite", "Gemini 2.5 Flash-Lite", "lite", 65_536),
    _gemini(
        "gemini-2.0-flash", "Gemini 2.0 Flash", "regular", 8_192, thinking="none", retired=True,
        served={"google": "gemini-2.0-flash", "openrouter": "google/gemini-2.0-flash-001"},
    ),
    _gemini(
        "gemini-1.5-flash-8b", "Gemini 1.5 Flash-8B", "lite", 8_192, thinking="none", retired=True,
        served={"google": "gemini-1.5-flash-8b", "openrouter": "google/gemini-flash-1.5-8b"},
    ),
    _gemini("gemini-3-flash-preview", "Gemini 3 Flash", "regular", 65_536, thinking="level", always_thinks=True),
    _gemini("gemini-3.1-pro-preview", "Gemini 3.1 Pro", "large", 65_536, thinking="level", always_thinks=True),
    _gemini("gemini-3.5-flash", "Gemini 3.5 Flash", "regular", 65_536, thinking="level", always_thinks=True),
    _gemini("gemini-3.5-flash-lite", "Gemini 3.5 Flash-Lite", "lite", 65_536, thinking="level", always_thinks=True),
    Model(
        "cerebras/gpt-oss-120b", "GPT-OSS 120B", "lite", 131_072, 32_768,
        {
            "cerebras": "gpt-oss-120b", "groq": "openai/gpt-oss-120b", "openrouter": "openai/gpt-oss-120b",
            "cloudflare": "@cf/openai/gpt-oss-120b",
        },
        thinking="effort", always_thinks=True, images=False,
    ),
    Model(  # withdrawn by Cerebras: the price table keeps its name there without a price, so it costs an unknown sum
        "cerebras/qwen-3-coder-480b", "Qwen 3 Coder 480B", "regular", 131_072, 40_000,
        {"cerebras": "qwen-3-coder-480b", "openrouter": "qwen/qwen3-coder"},
        images=False, retired=True,
    ),
    Model(
        "demo/demo", "Demo model (plays a recorded session)", "regular", 1_000_000, 200_000, {"demo": "demo"},
        continues=True,
    ),
)  # fmt: skip

MODELS: dict[str, Model] = {model.name: model for model in _MODELS}

_PREFERRED: dict[Size, tuple[str, ...]] = {
    "large": (
        "google/gemini-2.5-pro", "anthropic/claude-sonnet-5", "openai/gpt-5", "cerebras/qwen-3-coder-480b",
        "cerebras/gpt-oss-120b",
    ),
    "regular": (
        "google/gemini-2.5-flash", "anthropic/claude-haiku-4.5", "openai/gpt-5-mini", "cerebras/qwen-3-coder-480b",
        "cerebras/gpt-oss-120b",
    ),
    "lite": (
        "google/gemini-2.5-flash-lite", "openai/gpt-5-mini", "cerebras/gpt-oss-120b", "anthropic/claude-haiku-4.5",
    ),
}  # fmt: skip

SUBSTITUTES: dict[Size, tuple[str, ...]] = {
    size: tuple(name for name in names if not MODELS[name].retired) for size, names in _PREFERRED.items()
}
"""What serves an action when neither its model nor its fallback has a key, by size and in order of preference."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A model as somebody named it: the model, and the provider that `[provider]model` forces."""

    model: Model
    forced_provider: str | None = None


class UnknownModel(ValueError):
    """The name fits no model of the catalogue, nor a provider whose catalogue is open."""


def resolve(name: str) -> Reference:
    """The model called `name`: `vendor/model`, a bare id that only one model has, `[provider]model`, or any id at a
    provider with an open catalogue (`openrouter/vendor/model`, `ollama/llama3`). Raises UnknownModel."""
    name = name.strip()
    if name.startswith("["):
        forced_name, _, rest = name[1:].partition("]")
        forced = provider_id(forced_name)
        if forced is None or not rest:
            raise UnknownModel(f"{name!r}: no such provider")
        return Reference(_forced(forced, rest.strip()), forced)
    vendor, _, rest = name.partition("/")
    vendor = provider_id(vendor) or vendor
    if (model := MODELS.get(f"{vendor}/{rest}")) is not None:
        return Reference(model)
    for model in _MODELS:
        if name in (model.name.partition("/")[2], *model.served.values()):
            return Reference(model)
        if rest and model.served.get(vendor) == rest:
            return Reference(model, vendor)
    if rest and vendor in PROVIDERS and PROVIDERS[vendor].open_catalogue:
        return Reference(uncatalogued(vendor, rest), vendor)
    raise UnknownModel(f"{name!r} is not a model of the catalogue")


def _forced(provider: str, name: str) -> Model:
    """The model `name` as served by `provider`. Where the catalogue does not know the name, the force is the caller's
    word. Raises UnknownModel for a model that the provider, whose models are all known, does not serve."""
    try:
        model = resolve(name).model
    except UnknownModel:
        vendor, _, rest = name.partition("/")
        return uncatalogued(provider, rest if provider_id(vendor) == provider and rest else name)
    if provider in model.served:
        return model
    if not PROVIDERS[provider].open_catalogue:
        raise UnknownModel(f"{PROVIDERS[provider].title} does not serve {model.name}")
    return uncatalogued(provider, name)


def uncatalogued(provider: str, wire_id: str) -> Model:
    """A model that only its provider knows: cautious limits, no reasoning parameters, no strict schema."""
    return Model(
        f"{provider}/{wire_id}", wire_id, "regular", 128_000, 16_384, {provider: wire_id},
        native_schema=False, listed=False,
    )  # fmt: skip
