"""The providers: where each lives, what it speaks, and how it differs from the others of its dialect.

A provider with a known dialect is one entry here; nothing else in the room knows it by name.
"""

from dataclasses import dataclass
from typing import Literal

from schemas.inference import Dialect

ReasoningStyle = Literal["none", "effort", "openrouter"]


@dataclass(frozen=True, slots=True)
class Provider:
    """Facts about one provider.

    `base_url` is the default; empty means that it must be given. `path` is what follows it for a chat-completions
    call (the other two dialects have paths of their own). `price_id` names it in the price table; `free` means that
    calls cost nothing. `gateway` is its segment in a Cloudflare AI Gateway URL, up to where `path` begins.
    `native_schema`: it follows a JSON schema; `schema_streams`: also in a streamed answer; `loose_schema`: also one
    with free-form objects in it. `thoughts`: what it says as `reasoning_content` goes back to it with the tool calls it
    led to; `required`: it refuses a turn of tool calls without. `root` is the path of the API where an address that is
    given has none.
    """

    id: str
    title: str
    dialect: Dialect
    base_url: str = ""
    root: str = ""
    path: str = "/chat/completions"
    key_variables: tuple[str, ...] = ()
    url_variables: tuple[str, ...] = ()
    needs_key: bool = True
    price_id: str | None = None
    free: bool = False
    gateway: str | None = None
    limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    reasoning: ReasoningStyle = "none"
    stream_usage: bool = True
    native_schema: bool = False
    schema_streams: bool = True
    loose_schema: bool = True
    thoughts: Literal["dropped", "returned", "required"] = "dropped"
    strict_tools: bool = False
    open_catalogue: bool = False


_PROVIDERS = (
    Provider(
        "openai", "OpenAI", "openai", "https://api.openai.com/v1",
        key_variables=("OPENAI_API_KEY",), url_variables=("OPENAI_BASE_URL",), price_id="openai", gateway="openai",
        limit_field="max_completion_tokens", reasoning="effort", native_schema=True, strict_tools=True,
    ),
    Provider(
        "anthropic", "Anthropic", "anthropic", "https://api.anthropic.com",
        key_variables=("ANTHROPIC_API_KEY",), url_variables=("ANTHROPIC_BASE_URL",), price_id="anthropic",
        gateway="anthropic", native_schema=True, loose_schema=False,
    ),
    Provider(
        "google", "Google AI Studio", "google", "https://generativelanguage.googleapis.com",
        key_variables=("GOOGLE_AI_STUDIO_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY"),
        url_variables=("GOOGLE_AI_STUDIO_BASE_URL", "GOOGLE_GEMINI_BASE_URL", "GEMINI_BASE_URL"), price_id="google",
        gateway="google-ai-studio", native_schema=True,
    ),
    Provider(
        "cerebras", "Cerebras", "openai", "https://api.cerebras.ai/v1",
        key_variables=("CEREBRAS_API_KEY",), url_variables=("CEREBRAS_BASE_URL",), price_id="cerebras",
        gateway="cerebras", limit_field="max_completion_tokens", reasoning="effort", native_schema=True,
    ),
    Provider(
        "groq", "Groq", "openai", "https://api.groq.com/openai/v1",
        key_variables=("GROQ_API_KEY",), url_variables=("GROQ_BASE_URL",), price_id="groq", gateway="groq",
        limit_field="max_completion_tokens", reasoning="effort", native_schema=True, schema_streams=False,
    ),
    Provider(
        "openrouter", "OpenRouter", "openai", "https://openrouter.ai/api/v1",
        key_variables=("OPENROUTER_API_KEY",), url_variables=("OPENROUTER_BASE_URL",), price_id="openrouter",
        gateway="openrouter/v1", reasoning="openrouter", native_schema=True, open_catalogue=True,
    ),
    Provider(
        "cloudflare", "Cloudflare Workers AI", "openai", "",
        key_variables=("CLOUDFLARE_API_TOKEN", "CLOUDFLARE_API_KEY"), url_variables=("CLOUDFLARE_WORKERS_AI_BASE_URL",),
        price_id="cloudflare", gateway="workers-ai/v1", open_catalogue=True,
    ),
    Provider(
        "deepseek", "DeepSeek", "openai", "https://api.deepseek.com",
        key_variables=("DEEPSEEK_API_KEY",), url_variables=("DEEPSEEK_BASE_URL",), price_id="deepseek",
        gateway="deepseek", thoughts="required", open_catalogue=True,
    ),
    Provider(
        "ollama", "Ollama", "openai", root="/v1", key_variables=("OLLAMA_API_KEY",),
        url_variables=("OLLAMA_BASE_URL",), needs_key=False, free=True, open_catalogue=True,
    ),
    Provider(
        "vllm", "vLLM", "openai", root="/v1", key_variables=("VLLM_API_KEY",), url_variables=("VLLM_BASE_URL",),
        needs_key=False, free=True, open_catalogue=True, native_schema=True, thoughts="returned",
    ),
    Provider(
        "lmstudio", "LM Studio", "openai", root="/v1", key_variables=("LM_STUDIO_API_KEY",),
        url_variables=("LM_STUDIO_BASE_URL", "LMSTUDIO_BASE_URL"), needs_key=False, free=True, open_catalogue=True,
        native_schema=True,
    ),
    Provider(
        "compatible", "OpenAI-compatible server", "openai", "", key_variables=("OPENAI_COMPATIBLE_API_KEY",),
        url_variables=("OPENAI_COMPATIBLE_BASE_URL",), needs_key=False, thoughts="returned", open_catalogue=True,
    ),
    Provider(
        "demo", "Demo model", "openai", "", url_variables=("STICH_DEMO_URL",), needs_key=False, free=True,
        native_schema=True, open_catalogue=True,
    ),
)  # fmt: skip

PROVIDERS: dict[str, Provider] = {provider.id: provider for provider in _PROVIDERS}

ALIASES = {
    "google-ai-studio": "google",
    "gemini": "google",
    "claude": "anthropic",
    "workers-ai": "cloudflare",
    "cloudflare-workers-ai": "cloudflare",
    "lm-studio": "lmstudio",
    "openai-compatible": "compatible",
}


def provider_id(name: str) -> str | None:
    """The id of the provider called `name`, or None where there is no such provider."""
    name = name.strip().lower()
    name = ALIASES.get(name, name)
    return name if name in PROVIDERS else None
