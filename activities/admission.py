"""What a step says when a budget or a limit does not admit its model call, and the notices about budgets."""

from typing import Protocol

from temporalio.exceptions import ApplicationError

from schemas.budgets import BudgetKind, BudgetNotice, budget_name, dollars
from schemas.failures import LIMIT_REACHED, OVER_BUDGET
from storage.budgets import Budgets, OverBudget
from storage.database import Database
from storage.limits import LimitReached

SHORT_WAIT = 5.0
"""Seconds: a limit that admits a call so soon is waited for inside the step, any other by the session."""

OTHERS_END = 20.0
"""Seconds after which it is worth asking again, where only calls that still run are in the way of a budget."""

_WHO = {"user": "you set", "operator": "an operator set for you", "default": "holds for everybody here"}


class NoticeRooms(Protocol):
    """What notices need of the worker's rooms."""

    @property
    def database(self) -> Database: ...


def refusal(error: OverBudget | LimitReached) -> ApplicationError:
    """The failure that makes the session wait: for its budget, or for the limit with a countdown."""
    if isinstance(error, LimitReached):
        details = {
            "code": LIMIT_REACHED,
            "sentence": error.sentence,
            "next_action": "Nothing to do: the session goes on by itself.",
            "retry_after": error.retry_after,
        }
        return ApplicationError(error.sentence, details, type="LimitReached", non_retryable=True)
    budget = error.budget
    limit, spent = budget.limit_usd, dollars(budget.spent_usd)
    sentence = f"{budget_name(budget.kind).capitalize()}, ${dollars(limit or budget.spent_usd)}, does not allow this."
    running = f", calls that run may cost ${dollars(budget.reserved_usd)}" if budget.reserved_usd else ""
    detail = f"${spent} are spent{running}, and the next call may cost ${dollars(error.needed)}."
    retry_after = None
    if error.in_flight:
        retry_after, next_action = OTHERS_END, "Nothing to do: it is tried again when those calls have ended."
    else:
        who = _WHO[budget.source or "user"]
        next_action = f"Raise the budget that {who}, or use a key of your own."
        if budget.resets_at is not None:
            next_action += f" The session goes on by itself on {budget.resets_at:%d %B at %H:%M} UTC."
    details = {
        "code": OVER_BUDGET,
        "sentence": sentence,
        "detail": detail,
        "next_action": next_action,
        "retry_after": retry_after,
        "until": budget.resets_at.isoformat() if budget.resets_at and not error.in_flight else None,
        "budget": budget.kind,
    }
    return ApplicationError(f"{sentence} {detail}", details, type="OverBudget", non_retryable=True)


async def due_notices(
    rooms: NoticeRooms, user_id: str, session_id: str, error: ApplicationError | None = None
) -> list[BudgetNotice]:
    """The notices about budgets that this step has to give. `error` is what the step failed with."""
    exhausted: BudgetKind | None = None
    if error is not None:
        facts = error.details[0] if error.details and isinstance(error.details[0], dict) else {}
        if facts.get("code") != OVER_BUDGET or facts.get("retry_after") is not None:
            return []
        exhausted = facts.get("budget")
    return await Budgets(rooms.database).claim_notices(user_id, session_id, exhausted)
