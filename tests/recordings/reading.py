"""One recording file to what stich makes of it.

A recording is a JSON object: provider, path, status, content_type, request, response (a string of the stream's bytes,
or the JSON body). The dialect follows from the path.
"""

import json
from pathlib import Path
from typing import Any

import orjson

from inference.dialects import READERS
from inference.errors import InferenceError
from inference.providers import provider_id
from inference.wire import AnswerReader, gather
from schemas.inference import Answer, Delta, Dialect


def dialect_of(recording: dict[str, Any]) -> Dialect:
    path = str(recording.get("path", ""))
    if "enerateContent" in path:
        return "google"
    if "/messages" in path or "awPredict" in path:
        return "anthropic"
    return "openai"


def reader_for(recording: dict[str, Any]) -> AnswerReader:
    request = recording.get("request")
    model = request.get("model", "") if isinstance(request, dict) else ""
    provider = str(recording.get("provider", ""))
    return READERS[dialect_of(recording)](
        provider_id(provider) or provider,
        model,
        status=recording["status"],
        content_type=recording.get("content_type") or "",
        headers={name.lower(): _first(value) for name, value in (recording.get("headers") or {}).items()},
    )


def body_of(recording: dict[str, Any]) -> bytes:
    response = recording.get("response")
    if response is None:
        return b""
    return response.encode() if isinstance(response, str) else orjson.dumps(response)


def read(recording: dict[str, Any], chunk_size: int = 0) -> tuple[AnswerReader, list[Delta], InferenceError | None]:
    """(the reader, the deltas, the error that ended it). `chunk_size` 0 feeds the body in one piece."""
    reader, body, deltas = reader_for(recording), body_of(recording), []
    size = chunk_size or max(len(body), 1)
    try:
        for start in range(0, len(body), size):
            deltas += reader.feed(body[start : start + size])
        deltas += reader.end()
    except InferenceError as error:
        return reader, deltas + reader.taken(), error
    return reader, deltas, None


def summary(path: Path) -> dict[str, Any]:
    """The recording at `path` as one JSON object."""
    reader, deltas, error = read(json.loads(path.read_text(encoding="utf-8")))
    answer = gather(deltas, Answer())
    usage = reader.usage
    return {
        "text": answer.text,
        "reasoning": answer.reasoning,
        "tool_calls": [
            {"id": call.id, "name": call.name, "arguments": _arguments(call.arguments)} for call in answer.tool_calls
        ],
        "usage": {
            "input_tokens": usage.input_tokens,
            "cached_input_tokens": usage.cached_input_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
            "output_tokens": usage.output_tokens,
            "reasoning_tokens": usage.reasoning_tokens,
        },
        "finish_reason": answer.finish.reason if answer.finish else _cut_short(reader),
        "error": None
        if error is None
        else {
            "type": type(error).__name__,
            "code": error.code,
            "status": error.status,
            "message": error.detail,
            "sentence": error.sentence,
            "next_action": error.next_action,
            "retryable": error.retryable,
            "retry_after": error.retry_after,
        },
    }


def _cut_short(reader: AnswerReader) -> str | None:
    """Why an answer that failed had ended: one that failed did not simply stop."""
    return reader.reason if reader.reason in ("length", "content_filter") else None


def _first(value: Any) -> str:
    """A header's value; recorders write a list where a header may come more than once."""
    return str(value[0] if isinstance(value, list) and value else value)


def _arguments(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
