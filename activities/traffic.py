"""Keeps what a model answers while it answers, so that the session can be recorded."""

from typing import Final

import structlog

from inference.fingerprint import fingerprint
from inference.plan import Plan
from schemas.inference import AttemptRecord, Delta, ReasoningDelta, TextDelta, ToolCall, ToolCallDone
from schemas.traffic import RecordedAnswer
from storage.traffic import Traffic

log = structlog.get_logger(__name__)

WORTH_KEEPING: Final = frozenset({"succeeded", "failed", "cancelled"})


class Answered:
    """What came of one call so far."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._tool_calls: list[ToolCall] = []

    def add(self, delta: Delta) -> None:
        """Take a delta in."""
        if type(delta) is TextDelta:
            self._text.append(delta.text)
        elif type(delta) is ReasoningDelta:
            self._reasoning.append(delta.text)
        elif type(delta) is ToolCallDone:
            self._tool_calls.append(delta.call)

    async def keep(self, traffic: Traffic, record: AttemptRecord) -> None:
        """Store it. A call does not fail because its answer could not be kept: a recording then says what it lacks."""
        some = bool(self._text or self._tool_calls)
        if record.outcome not in WORTH_KEEPING or not (some or record.outcome == "succeeded"):
            return
        answer = RecordedAnswer(
            action=record.action.value,
            fingerprint=fingerprint(self._plan.call),
            provider=record.provider,
            model=record.model,
            text="".join(self._text),
            reasoning="".join(self._reasoning),
            tool_calls=self._tool_calls,
            finish_reason=record.finish_reason,
            error_code=record.error_code,
            input_tokens=record.input_tokens,
            cached_input_tokens=record.cached_input_tokens,
            output_tokens=record.output_tokens,
            reasoning_tokens=record.reasoning_tokens,
        )
        try:
            await traffic.put(record, answer)
        except Exception as error:
            log.warning("an answer could not be kept for recordings", error=type(error).__name__)
