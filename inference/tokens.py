"""How long a text is for a model, before it is sent.

No tokenizer is exact for all vendors, and theirs are not published for all; this estimate stays within about a tenth
for code and English, and errs upwards for other scripts. The provider's own count is the truth afterwards.
"""

import re
from collections.abc import Sequence

import orjson

from schemas.inference import ImagePart, Message, ModelCall, ToolSpec

IMAGE = 1_200
"""Tokens of an image: between the vendors' figures for a screenshot."""

PER_MESSAGE = 6

_WIDE = re.compile(r"[^\x00-\u024f]")
_SPACES = re.compile(r"[ \t]{2,}")


def count(text: str) -> int:
    """Estimated tokens of `text`. Runs of spaces (indentation) are one token; wide characters about one each."""
    if not text:
        return 0
    runs = _SPACES.findall(text)
    wide = 0 if text.isascii() else len(_WIDE.findall(text))
    narrow = len(text) - wide - sum(map(len, runs))
    return round(narrow / 3.8 + len(runs) * 0.6 + wide * 1.1) + 1


def of_message(message: Message) -> int:
    """Estimated tokens of `message`, tool calls and images included."""
    images = 0 if isinstance(message.content, str) else sum(isinstance(p, ImagePart) for p in message.content)
    calls = sum(count(call.arguments) + count(call.name) + 8 for call in message.tool_calls)
    return PER_MESSAGE + count(message.text) + images * IMAGE + calls


def of_tools(tools: Sequence[ToolSpec]) -> int:
    """Estimated tokens of the declarations of `tools`."""
    return sum(count(tool.description) + count(orjson.dumps(tool.parameters).decode()) + 12 for tool in tools)


def of_call(call: ModelCall) -> int:
    """Estimated tokens of everything that `call` sends."""
    schema = count(orjson.dumps(call.output_schema).decode()) if call.output_schema else 0
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
        parts["schema"] = count(orjson.dumps(call.output_schema).decode())
    for label, characters in call.context_parts.items():
        parts[f"of which {label}"] = round(characters / 3.8)
    return parts
