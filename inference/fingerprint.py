"""What a call asks, in 64 hexadecimal digits that are the same on every machine and for every provider.

Left out is what differs between two runs that ask the same: the code of the tags around material, the session's id, the
ports of addresses, durations, amounts of money, and what pictures show.
"""

import hashlib
import re
from typing import Final

import orjson

from codegen.prompts import fence_code
from schemas.inference import Message, ModelCall

_PORT: Final = re.compile(r"(?<=localhost:)\d{2,5}\b|(?<=127\.0\.0\.1:)\d{2,5}\b")
_DURATION: Final = re.compile(r"\b\d+(?:\.\d+)? ?(?:ms|s|seconds?|milliseconds?)\b")
_MONEY: Final = re.compile(r"\b\d+(?:\.\d+)?(?:E-?\d+)?(?= US dollars)")


def fingerprint(call: ModelCall) -> str:
    """SHA-256 over the messages and the names of the tools."""
    asked = [_plain(message, call.session_id) for message in call.messages]
    tools = [tool.name for tool in call.tools]
    return hashlib.sha256(orjson.dumps([call.action.value, asked, tools])).hexdigest()


def _plain(message: Message, session_id: str) -> list[object]:
    pictures = 0 if isinstance(message.content, str) else sum(part.type == "image" for part in message.content)
    calls = [[call.name, _same(call.arguments, session_id)] for call in message.tool_calls]
    return [message.role, _same(message.text, session_id), calls, pictures]


def _same(text: str, session_id: str) -> str:
    text = text.replace(fence_code(), "CODE")
    if session_id:
        text = text.replace(session_id, "SESSION")
    return _MONEY.sub("0", _DURATION.sub("0 s", _PORT.sub("0", text)))
