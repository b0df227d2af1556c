"""Answers made by hand and read by the readers of the dialects."""

from typing import Any

import orjson
import pytest

from inference.dialects import READERS
from inference.errors import InferenceError
from inference.wire import AnswerReader, gather
from schemas.inference import Answer, Delta


def reader(dialect: str, status: int = 200, content_type: str = "text/event-stream", **headers: str) -> AnswerReader:
    lowered = {name.replace("_", "-"): value for name, value in headers.items()}
    return READERS[dialect](dialect, "m", status=status, content_type=content_type, headers=lowered)  # type: ignore[index]


def sse(*events: object) -> bytes:
    return b"".join(b"data: " + orjson.dumps(event) + b"\n\n" for event in events)


def answer_of(read: AnswerReader, body: bytes, cuts: int = 0) -> Answer:
    deltas: list[Delta] = []
    size = cuts or max(len(body), 1)
    for start in range(0, len(body), size):
        deltas += read.feed(body[start : start + size])
    return gather(deltas + read.end())


def failure_of(read: AnswerReader, body: bytes) -> InferenceError:
    with pytest.raises(InferenceError) as caught:
        answer_of(read, body)
    return caught.value


def chunk(**delta: object) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta}]}


def done(reason: str = "stop") -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}
