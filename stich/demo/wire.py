"""The OpenAI chat-completions wire format of a recorded reply: chunks, whole answers, errors, token counts."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import JsonValue

from schemas.recording import FinishReason, RecordedError, RecordedToolCall, RecordedUsage, Reply

Json = dict[str, JsonValue]

# a word of up to six letters with the blank before it, a run of blanks, or one sign: close to what tokenisers cut
_TOKEN = re.compile(r"\s?\w{1,6}|\s+|[^\w\s]")
_CACHE_STEP = 128  # providers count cached prompt tokens in steps of this size, from 1024 on
_CACHE_LEAST = 1024


def tokens(text: str) -> list[str]:
    """Cut a text into token-sized pieces that join to the same text."""
    return _TOKEN.findall(text)


def count_tokens(text: str) -> int:
    """About the number of tokens a model would count: four characters each."""
    return (len(text) + 3) // 4


def estimate_usage(instructions: str, prompt: str, reply: Reply) -> RecordedUsage:
    """Plausible counts for a reply recorded without: the instructions count as cached once they are long enough."""
    shared = count_tokens(instructions)
    reasoning = count_tokens(reply.reasoning or "")
    calls = "".join(call.name + arguments_text(call) for call in reply.tool_calls)
    return RecordedUsage(
        prompt_tokens=count_tokens(prompt) + 4,
        completion_tokens=count_tokens(reply.text or "") + count_tokens(calls) + reasoning,
        cached_tokens=shared // _CACHE_STEP * _CACHE_STEP if shared >= _CACHE_LEAST else 0,
        reasoning_tokens=reasoning,
    )


def arguments_text(call: RecordedToolCall) -> str:
    return call.arguments if isinstance(call.arguments, str) else json.dumps(call.arguments, ensure_ascii=False)


def usage_json(usage: RecordedUsage) -> Json:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def error_json(error: RecordedError) -> Json:
    return {"error": {"message": error.message, "type": error.type, "param": None, "code": error.code}}


def cut_to_length(reply: Reply, limit: int | None) -> Reply:
    """The reply as a model leaves it that reached its token limit: cut, with finish reason `length`."""
    if limit is None or reply.text is None or count_tokens(reply.text) <= limit:
        return reply
    return reply.model_copy(update={"text": reply.text[: limit * 4], "tool_calls": [], "finish_reason": "length"})


@dataclass(frozen=True)
class Piece:
    """One token-sized step of a stream; `text` counts the characters of content in it."""

    delta: Json
    text: int = 0


@dataclass(frozen=True)
class Completion:
    """The envelope all chunks of one answer share."""

    id: str
    model: str
    created: int

    def whole(self, reply: Reply, usage: RecordedUsage) -> Json:
        """The answer to a request without `stream`."""
        message: Json = {"role": "assistant", "content": reply.text}
        if reply.reasoning:
            message["reasoning_content"] = reply.reasoning
        if reply.tool_calls:
            message["tool_calls"] = [_tool_call_json(call) for call in reply.tool_calls]
        choice: Json = {"index": 0, "message": message, "logprobs": None, "finish_reason": reply.finish}
        return {**self._head("chat.completion"), "choices": [choice], "usage": usage_json(usage)}

    def chunk(self, delta: Json, finish: FinishReason | None = None) -> Json:
        choice: Json = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return {**self._head("chat.completion.chunk"), "choices": [choice]}

    def usage_chunk(self, usage: RecordedUsage) -> Json:
        return {**self._head("chat.completion.chunk"), "choices": [], "usage": usage_json(usage)}

    def _head(self, kind: str) -> Json:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": "stich-demo",
        }


def pieces(reply: Reply) -> Iterator[Piece]:
    """The reply as a stream of deltas, one token each: role, reasoning, content, tool calls."""
    yield Piece({"role": "assistant", "content": ""})
    for token in tokens(reply.reasoning or ""):
        yield Piece({"reasoning_content": token})
    for token in tokens(reply.text or ""):
        yield Piece({"content": token}, text=len(token))
    for index, call in enumerate(reply.tool_calls):
        opened: Json = {"index": index, **_tool_call_json(call)}
        opened["function"] = {"name": call.name, "arguments": ""}
        yield Piece({"tool_calls": [opened]})
        for token in tokens(arguments_text(call)):
            yield Piece({"tool_calls": [{"index": index, "function": {"arguments": token}}]})


def join(run: list[Piece]) -> Piece:
    """Pieces that are due at the same moment as one delta, where they are of one kind."""
    kind = next(iter(run[0].delta))
    return Piece({kind: "".join(str(piece.delta[kind]) for piece in run)}, sum(piece.text for piece in run))


def joinable(piece: Piece) -> str | None:
    """The kind of a piece that may be joined with its neighbours, else None."""
    kind = next(iter(piece.delta))
    return kind if kind in ("content", "reasoning_content") else None


def frame(data: Json) -> bytes:
    """One server-sent event."""
    return b"data: " + json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


def _tool_call_json(call: RecordedToolCall) -> Json:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments_text(call)}}
