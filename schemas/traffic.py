"""What a model answered to one call, as it is kept for recordings."""

from datetime import datetime

from pydantic import BaseModel, Field

from schemas.inference import FinishReason, Outcome, ToolCall


class RecordedAnswer(BaseModel):
    """An answer, or as much as came of one. `fingerprint` tells what was asked (see `inference.fingerprint`)."""

    action: str
    fingerprint: str
    provider: str
    model: str
    text: str = ""
    reasoning: str = ""
    tool_calls: list[ToolCall] = Field(default_factory=list)
    finish_reason: FinishReason | None = None
    error_code: str | None = None
    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0


class TrafficEntry(BaseModel):
    """A call that a session made, with its answer."""

    operation_id: str
    execution: int
    attempt: int
    call_number: int
    outcome: Outcome
    started_at: datetime
    ended_at: datetime
    answer: RecordedAnswer
