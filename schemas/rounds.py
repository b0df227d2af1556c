"""How a model that works in rounds of turns stands: beside its phase, and kept when a session's history is renewed."""

from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, Field

Limit = Literal["turn_limit", "spend_limit", "repetition"]


class RoundState(BaseModel):
    """The allowance of the round of one phase, and what is watched for repetition.

    `first_turn` and `cost_before` are where the allowance began. `recent` holds digests of tool calls with their
    results since something new was changed, `changes` those that changed something. `silent`: the turn before called
    no tool. `judged`: the checks found problems that the model does not know yet. `notes` are told to the model before
    its next turn. `limit` and `reason` say why the round is paused.
    """

    phase_id: str
    first_turn: int = 0
    cost_before: Decimal = Decimal(0)
    recent: list[str] = Field(default_factory=list)
    changes: list[str] = Field(default_factory=list)
    warned: bool = False
    silent: bool = False
    judged: bool = False
    notes: list[str] = Field(default_factory=list)
    limit: Limit | None = None
    reason: str = ""
