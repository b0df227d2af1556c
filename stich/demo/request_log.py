"""What was asked of the demo model and what became of it: the evidence of chaos tests."""

import time
from collections import deque
from typing import Literal

from pydantic import BaseModel

from schemas.recording import RecordedUsage
from stich.demo.prompt import Metadata, Prompt

_KEPT = 10_000

Outcome = Literal["running", "completed", "refused", "aborted", "broken"]


class LoggedRequest(BaseModel):
    """One request. Times are seconds since 1970.

    outcome: `completed` the answer was sent whole; `refused` an HTTP error was sent; `aborted` the client closed the
    connection first (at `ended`); `broken` a fault ended the answer early; `running` none of these yet.
    characters: how much of the answer's content was sent. pictures: how many the request carried. usage: what the
    whole answer is charged with.
    exact: the exchange was recorded for this very request.
    """

    number: int
    started: float
    ended: float | None = None
    session: str
    operation: str
    action: str
    phase: str | None
    prompt_sha256: str
    already_written: list[str]
    pictures: int = 0
    recording: str | None = None
    exchange: int | None = None
    exact: bool = False
    fault: str | None = None
    status: int | None = None
    characters: int = 0
    usage: RecordedUsage | None = None
    outcome: Outcome = "running"

    def end(self, outcome: Outcome) -> None:
        """Record how the request ended; the first word counts."""
        if self.outcome == "running":
            self.outcome = outcome
            self.ended = time.time()


class RequestLog:
    """The newest requests, oldest first."""

    def __init__(self) -> None:
        self._requests: deque[LoggedRequest] = deque(maxlen=_KEPT)
        self._number = 0

    def open(self, metadata: Metadata, prompt: Prompt) -> LoggedRequest:
        self._number += 1
        entry = LoggedRequest(
            number=self._number,
            started=time.time(),
            session=metadata.session,
            operation=metadata.operation,
            action=prompt.action,
            phase=prompt.phase,
            prompt_sha256=prompt.messages_sha256,
            already_written=sorted(prompt.already_written),
            pictures=prompt.pictures,
        )
        self._requests.append(entry)
        return entry

    def all(self) -> list[LoggedRequest]:
        return list(self._requests)

    def clear(self) -> None:
        self._requests.clear()
