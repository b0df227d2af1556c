"""A failure as it crosses from an activity to its workflow and on to people."""

from pydantic import BaseModel, ConfigDict


class Failure(BaseModel):
    """`code` for programs, a plain sentence, what to do next; `retry_after` in seconds when waiting helps."""

    model_config = ConfigDict(extra="ignore")

    code: str
    sentence: str
    detail: str = ""
    next_action: str = "Resume the session to try again."
    retry_after: float | None = None

    @property
    def explanation(self) -> str:
        """The sentence with its detail."""
        return f"{self.sentence} {self.detail}".strip()
