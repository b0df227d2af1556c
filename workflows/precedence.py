"""Who goes first where work has to wait: what somebody waits for before what nobody does, and users in turn.

Temporal hands out what waits in a queue by these priorities, and among equals by turns of users (fairness keys).
"""

import hashlib
from typing import Final

from temporalio.common import Priority

from schemas.session import Progress, SessionRequest, Urgency

AT_ONCE: Final = 1
"""An answer to a message, and the writing down of what happened: short, and somebody looks at the page."""
INTERACTIVE: Final = 2
HOUSEKEEPING: Final = 3
BATCH: Final = 4

FAIRNESS_BYTES: Final = 64


def share(user_id: str, priority_key: int) -> Priority:
    """A place by priority, and among equals a share of the workers that is this user's."""
    digest = hashlib.sha256(user_id.encode()).hexdigest()
    key = user_id if len(user_id.encode()) <= FAIRNESS_BYTES else digest
    return Priority(priority_key=priority_key, fairness_key=key)


def urgency_of(request: SessionRequest) -> Urgency:
    """Nobody waits for calls that may take a day."""
    return "batch" if request.bulk else request.urgency


def rank(urgency: Urgency, progress: Progress | None = None) -> int:
    """The priority of a session's work. A batch that somebody talks to is no batch any more."""
    if urgency == "interactive" or (progress is not None and progress.messages):
        return INTERACTIVE
    return BATCH
