"""When a model with tools goes round in circles: the same call with the same result, with nothing new in between."""

from schemas.rounds import RoundState
from schemas.tool_turns import ToolResult

SAME = 3
"""How often a call may come to the same result."""

WINDOW = 12
"""Calls that are looked back upon. What alternates within it is found like what follows on itself."""

CHANGES = 100
"""Changes that are remembered: making one of them again is nothing new."""


def repeats(state: RoundState, used: ToolResult) -> bool:
    """Take note of a call; whether it has now come to the same result too often since something new was changed."""
    changed = bool(used.files or used.deleted or used.blueprint)
    if changed and used.digest not in state.changes:
        state.changes = [*state.changes, used.digest][-CHANGES:]
        state.recent = []
    state.recent = [*state.recent, used.digest][-WINDOW:]
    return state.recent.count(used.digest) >= SAME
