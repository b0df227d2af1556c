"""How much of a model's window a call takes, before it is sent.

No tokenizer is exact for all vendors, and theirs are not published for all: this is an estimate, and the provider's own
count is the truth afterwards.
"""

from collections.abc import Sequence

import orjson

from codegen.tokens import estimate_tokens
from schemas.inference import ImagePart, Message, ModelCall, ToolSpec

IMAGE = 1_200
"""Tokens of an image: between the vendors' figures for a screenshot."""

PER_MESSAGE = 6
CHARACTERS = 3.5
"""Characters of a token, where only their number is known."""


def of_message(message: Message) -> int:
    """Estimated tokens of `message`, tool calls and images included."""
    images = 0 if isinstance(message.content, str) else sum(isinstance(p, ImagePart) for p in message.content)
    calls = sum(estimate_tokens(call.arguments) + estimate_tokens(call.name) + 8 for call in message.tool_calls)
    return PER_MESSAGE + estimate_tokens(message.text) + images * IMAGE + calls


def of_tools(tools: Sequence[ToolSpec]) -> int:
    """Estimated tokens of the declarations of `tools`."""
    return sum(
        estimate_tokens(tool.description) + estimate_tokens(orjson.dumps(tool.parameters).decode()) + 12
        for tool in tools
    )


def of_call(call: ModelCall) -> int:
    """Estimated tokens of everything that `call` sends."""
    schema = estimate_tokens(orjson.dumps(call.output_schema).decode()) if call.output_schema else 0
    return sum(map(of_message, call.messages)) + of_tools(call.tools) + schema


def breakdown(call: ModelCall) -> dict[str, int]:
    """What fills the window: estimated tokens by part. The caller's own labels (`context_parts`, in characters) come
    on top of the parts by role, as shares of them."""
    parts: dict[str, int] = {}
    for position, message in enumerate(call.messages):
        label: str = message.role if position >= call.cacheable_prefix else "stable prefix"
        parts[label] = parts.get(label, 0) + of_message(message)
    if call.tools:
        parts["tools"] = of_tools(call.tools)
    if call.output_schema:
        parts["schema"] = estimate_tokens(orjson.dumps(call.output_schema).decode())
    for label, characters in call.context_parts.items():
        parts[f"of which {label}"] = round(characters / CHARACTERS)
    return parts
