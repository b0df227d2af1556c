"""A failure as it crosses from an activity to its workflow and on to people."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

OVER_BUDGET = "over_budget"
LIMIT_REACHED = "limit_reached"
BATCH_PENDING = "batch_pending"


class Failure(BaseModel):
    """`code` for programs, a plain sentence, what to do next; `retry_after` in seconds, or `until` a time, when waiting
    helps. `then` says what happens next by itself, where something does."""

    model_config = ConfigDict(extra="ignore")

    code: str
    sentence: str
    detail: str = ""
    next_action: str = "Resume the session to try again."
    retry_after: float | None = None
    until: datetime | None = None
    then: str = ""

    @property
    def waits(self) -> bool:
        """Whether the session has to wait for something of its own user's, rather than take another way."""
        return self.code in (OVER_BUDGET, LIMIT_REACHED, BATCH_PENDING)

    @property
    def explanation(self) -> str:
        """The sentence with its detail, which may be a sentence of its own or a few words."""
        if not self.detail:
            return self.sentence
        if self.detail[0].isupper():
            return f"{self.sentence} {self.detail}"
        return f"{self.sentence.removesuffix('.')}: {self.detail.removesuffix('.')}."
