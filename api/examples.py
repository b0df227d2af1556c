"""Values that examples of several routes share."""

from datetime import UTC, datetime
from typing import Final

from schemas.session import StateInfo

EXAMPLE_TIME: Final = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
EXAMPLE_ID: Final = "session-k3v7q2m5x4h6w2ytdn3a"
EXAMPLE_PROMPT: Final = "A kanban board with drag and drop that remembers its cards"
EXAMPLE_STATE: Final = StateInfo(
    name="generating", since=EXAMPLE_TIME, reason="Writing phase 1 of 3.", can=["message", "stop"]
)
