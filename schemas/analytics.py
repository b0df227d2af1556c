"""What calls of models amounted to: tokens, money, times and outcomes, from the ledger. Times are seconds, days UTC."""

from datetime import datetime
from decimal import Decimal

from pydantic import BaseModel, Field


class Percentiles(BaseModel):
    """Half, 95 and 99 per cent took at most this many seconds. None without a call that has the time."""

    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


class Tally(BaseModel):
    """What some calls amounted to. `success_rate` (0 to 1) leaves out those that still run or were stopped.

    `cost_usd` is what the platform's keys paid, `own_keys_usd` what users' own keys did; `unpriced_calls` have no known
    price. `cache_savings_usd` is what cached input would have cost more without the providers' caches; None where it is
    not told apart by model.
    """

    calls: int = 0
    succeeded: int = 0
    failed: int = 0
    stopped: int = 0
    running: int = 0
    success_rate: float | None = None
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: Decimal = Decimal(0)
    own_keys_usd: Decimal = Decimal(0)
    unpriced_calls: int = 0
    cache_savings_usd: Decimal | None = None
    duration: Percentiles = Field(default_factory=Percentiles)
    first_token: Percentiles = Field(default_factory=Percentiles)


class Part(BaseModel):
    """The calls that share `name`: an action, a model at its provider, a day as YYYY-MM-DD, a session, a user."""

    name: str
    tally: Tally


class CallInfo(BaseModel):
    """One call of a model. `context_parts` are estimated tokens of what filled its window, by part (a part "of which
    ..." is a share of another); `context_window` is None where the model's is not known, `cost_usd` where its price
    is not."""

    operation_id: str
    action: str
    provider: str
    model: str
    outcome: str
    started_at: datetime
    duration: float
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    cost_usd: Decimal | None
    context_window: int | None
    context_parts: dict[str, int]


class CallList(BaseModel):
    """Answer of `GET /api/sessions/{id}/calls`, the newest first."""

    calls: list[CallInfo]


class GatewayTotals(BaseModel):
    """What Cloudflare's AI Gateway counted for the same user or session; tokens and money by its own prices."""

    requests: int
    cached_requests: int
    failed_requests: int
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal
    last_request_at: datetime | None = None


class Analytics(BaseModel):
    """Calls since a time, as a whole and in parts, the dearest first, days in order. `sessions` and `users` hold at
    most 100 each. `gateway` only where one is configured; where it did not answer, `gateway_problem` says why."""

    since: datetime
    totals: Tally
    actions: list[Part] = Field(default_factory=list)
    models: list[Part] = Field(default_factory=list)
    providers: list[Part] = Field(default_factory=list)
    days: list[Part] = Field(default_factory=list)
    sessions: list[Part] = Field(default_factory=list)
    users: list[Part] = Field(default_factory=list)
    gateway: GatewayTotals | None = None
    gateway_problem: str | None = None


class ModelAnalytics(BaseModel):
    """Every model at its provider, the dearest first."""

    since: datetime
    models: list[Part]


class ErrorPattern(BaseModel):
    """Failures of one kind at one place. `share` (0 to 1) is of all ended calls there."""

    code: str
    provider: str
    model: str
    count: int
    share: float
    sessions: int
    actions: list[str]
    first_at: datetime
    last_at: datetime


class ErrorAnalytics(BaseModel):
    """Failures by kind and place, the most frequent first."""

    since: datetime
    errors: list[ErrorPattern]
