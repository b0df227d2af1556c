"""What operators see of a running installation: every session at work, and how the model providers are."""

from datetime import datetime
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel

from schemas.inference import BreakerState
from schemas.session import Mode, State


class OperatorSession(BaseModel):
    """A session of anybody. `temporal_url` is its workflow's page, where the Temporal UI has an address."""

    id: str
    title: str
    user_id: str
    user_name: str
    user_email: str | None
    mode: Mode
    demo: bool
    state: State
    reason: str
    since: datetime
    cost_usd: Decimal
    updated_at: datetime
    temporal_url: str | None = None


class OperatorSessionList(BaseModel):
    """Answer of `GET /api/operator/sessions`, the one that changed last first. `counts` are all sessions by state."""

    sessions: list[OperatorSession]
    counts: dict[State, int]


class ErrorCount(BaseModel):
    """How often calls ended with an error code."""

    code: str
    count: int


class ProviderHealth(BaseModel):
    """How calls to a provider went of late. `platform` says that the operator's own key serves it. Seconds are medians.

    `breakers` are those of the provider and of single models at it that ever counted a failure.
    """

    id: str
    title: str
    platform: bool
    status: Literal["well", "failing", "resting", "quiet"]
    calls: int
    failed: int
    first_token_seconds: float | None
    errors: list[ErrorCount]
    breakers: list[BreakerState]


class ProviderHealthList(BaseModel):
    """Answer of `GET /api/operator/providers`: over the last `hours`, those with calls first."""

    hours: int
    providers: list[ProviderHealth]
