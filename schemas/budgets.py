"""Budgets: what may be spent by a session, and by a user in a day, a month and altogether. US dollars, times in UTC."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

BudgetKind = Literal["session", "day", "month", "total"]
BudgetSource = Literal["user", "operator", "default"]
"""Who set a budget: the user, an operator for this user, or an operator for everybody."""
Dollars = Annotated[Decimal, Field(ge=0, le=1_000_000, max_digits=16, decimal_places=10)]

BUDGET_KINDS: tuple[BudgetKind, ...] = ("session", "day", "month", "total")
THRESHOLDS = (50, 80, 100)
"""Per cent of a budget at which notice is given, once each."""
SAVING_PERCENT = 80
"""Per cent of a budget from which on cheaper models serve those who chose so."""


class BudgetStatus(BaseModel):
    """A budget and what is left of it.

    `spent_usd` is settled, `reserved_usd` is the most that calls in flight can cost. What was spent with the user's own
    keys does not count and is in `own_keys_usd`; `unpriced_calls` are calls on the platform's keys of models without a
    known price, which cannot count. Without a limit, `limit_usd`, `left_usd` and `percent` are None. `resets_at` is
    when the day or the month turns.
    """

    kind: BudgetKind
    limit_usd: Decimal | None
    source: BudgetSource | None = None
    spent_usd: Decimal = Decimal(0)
    reserved_usd: Decimal = Decimal(0)
    left_usd: Decimal | None = None
    percent: float | None = None
    own_keys_usd: Decimal = Decimal(0)
    unpriced_calls: int = 0
    period_start: datetime | None = None
    resets_at: datetime | None = None


class BudgetNotice(BaseModel):
    """Part of a budget is used up: at least `percent` of it."""

    id: int
    kind: BudgetKind
    percent: int
    limit_usd: Decimal
    spent_usd: Decimal
    user_id: str
    session_id: str
    at: datetime
    resets_at: datetime | None = None

    @property
    def sentence(self) -> str:
        """The notice in plain words."""
        amount = f"${dollars(self.spent_usd)} of ${dollars(self.limit_usd)}"
        if self.percent >= THRESHOLDS[-1]:
            return f"{budget_name(self.kind).capitalize()} is used up: {amount} are spent."
        return f"{self.percent} per cent of {budget_name(self.kind)} are used: {amount}."


def budget_name(kind: BudgetKind) -> str:
    """A budget in plain words."""
    return {
        "session": "the session's budget",
        "day": "today's budget",
        "month": "this month's budget",
        "total": "the whole budget",
    }[kind]


def dollars(amount: Decimal) -> str:
    """An amount as people read it: two digits after the point, more where that would say nothing."""
    if amount and abs(amount) < Decimal("0.01"):
        return f"{amount.quantize(Decimal('0.000001')).normalize():f}"
    return f"{amount.quantize(Decimal('0.01')):f}"


class SetBudgets(BaseModel):
    """Body of `PUT /api/budgets`, `/api/users/{id}/budgets` and `/api/budgets/defaults`: what is named changes, null
    takes a limit away, what is not named stays. `session` bounds each session."""

    model_config = ConfigDict(extra="forbid")

    session: Dollars | None = None
    day: Dollars | None = None
    month: Dollars | None = None
    total: Dollars | None = None


class SetOwnBudgets(SetBudgets):
    """Body of `PUT /api/budgets`. With `cheaper_near_limit` calls go to cheaper models from 80 per cent on."""

    cheaper_near_limit: bool | None = None


class SetSessionBudget(BaseModel):
    """Body of `PUT /api/sessions/{id}/budget`. Null takes the session's own limit away."""

    model_config = ConfigDict(extra="forbid")

    limit_usd: Dollars | None


class Budgets(BaseModel):
    """A user's budgets and the latest notices. `operator_limits` hold whatever the user sets; `own_limits` are the
    user's. The budget of kind `session` is what each session starts with."""

    user_id: str
    budgets: list[BudgetStatus]
    own_limits: dict[BudgetKind, Decimal]
    operator_limits: dict[BudgetKind, Decimal]
    cheaper_near_limit: bool
    notices: list[BudgetNotice]


class SessionBudget(BaseModel):
    """Every budget that bounds a session, its own first."""

    session_id: str
    budgets: list[BudgetStatus]


class DefaultBudgets(BaseModel):
    """The limits that hold for everybody for whom an operator set no other."""

    limits: dict[BudgetKind, Decimal]
