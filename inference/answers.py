"""The exact-answer cache: the same question at temperature 0 in the same process is asked once."""

import hashlib
import time
from collections import OrderedDict

from schemas.inference import ModelCall

LIFETIME = 3_600.0
"""Seconds that an answer is kept."""


class AnswerCache:
    """Keeps the texts of the last `size` answers. Keys cover all that shapes an answer, and whose question it was:
    an answer is never given to another user."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: OrderedDict[str, tuple[float, str]] = OrderedDict()

    def key(self, call: ModelCall) -> str:
        question = call.model_dump_json(exclude={"session_id", "operation_id", "call_number", "context_parts"})
        return hashlib.sha256(question.encode()).hexdigest()

    def get(self, key: str) -> str | None:
        found = self._kept.get(key)
        if found is None or time.monotonic() - found[0] > LIFETIME:
            self._kept.pop(key, None)
            return None
        self._kept.move_to_end(key)
        return found[1]

    def put(self, key: str, text: str) -> None:
        self._kept[key] = (time.monotonic(), text)
        while len(self._kept) > self._size:
            self._kept.popitem(last=False)
