"""Budgets: their limits, what counts against them, and the notices about them. All sums come from the ledger itself."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, Literal, NamedTuple

import asyncpg

from schemas.budgets import (
    BUDGET_KINDS,
    SAVING_PERCENT,
    THRESHOLDS,
    BudgetKind,
    BudgetNotice,
    BudgetSource,
    BudgetStatus,
)
from schemas.session import RESTING_STATES
from storage.database import Connection, Database

IN_FLIGHT_HOURS: Final = 1
"""A call that began earlier and was never settled is not in flight: no call takes that long."""

MOST_TRIES: Final = 8
"""How often the delivery of a notice is tried."""

_LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)

_SUMS: Final = """
    count(*) FILTER (WHERE credential <> 'user' AND price IS NULL AND outcome = 'succeeded' {0}) AS unpriced,
    coalesce(sum(price) FILTER (WHERE credential = 'user' {0}), 0) AS own,
    coalesce(sum(price) FILTER (WHERE credential <> 'user' AND NOT in_flight {0}), 0) AS spent,
    coalesce(sum(greatest(reserved, coalesce(price, 0))) FILTER (WHERE credential <> 'user' AND in_flight {0}), 0)
      AS reserved"""
_CALLS: Final = """
    FROM (SELECT *, outcome = 'started' AND started_at > now() - make_interval(hours => $1) AS in_flight
          FROM model_attempts) AS calls"""


class OverBudget(Exception):
    """A call may cost more than a budget has left. `needed` is the most that it can cost; where `in_flight` only
    calls that still run are in its way."""

    def __init__(self, budget: BudgetStatus, needed: Decimal) -> None:
        super().__init__(f"over the budget of kind {budget.kind}")
        self.budget = budget
        self.needed = needed

    @property
    def in_flight(self) -> bool:
        return self.budget.limit_usd is not None and self.budget.spent_usd + self.needed <= self.budget.limit_usd


class Limit(NamedTuple):
    """What a budget is set to, and by whom."""

    amount: Decimal
    source: BudgetSource


def period_of(kind: BudgetKind, now: datetime) -> tuple[datetime, datetime | None]:
    """When the budget's present period began, and when it ends."""
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    match kind:
        case "day":
            return day, day + timedelta(days=1)
        case "month":
            return day.replace(day=1), (day.replace(day=28) + timedelta(days=4)).replace(day=1)
        case _:
            return _LONG_AGO, None


_AGAIN: Final = "ON CONFLICT (session_id) DO UPDATE SET change = gen_random_uuid(), next_at = now()"
"""A session that is to be told already is to be told once more."""


class Budgets:
    """Repository of budgets."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pool = database.pool

    async def of(self, user_id: str, session_id: str | None = None) -> list[BudgetStatus]:
        """How the budgets stand: those of the user, and of the session where one is given."""
        async with self._pool.acquire() as connection:
            return await budgets_of(connection, user_id, session_id, every=True)

    async def limits(self, user_id: str, set_by: str) -> dict[BudgetKind, Decimal]:
        """What the user, or the operators for this user, have set. For everybody: the user ''."""
        rows = await self._pool.fetch(
            "SELECT kind, limit_usd FROM budgets WHERE scope = $1 AND owner = $2 AND set_by = $3",
            "user" if user_id else "everyone",
            user_id,
            set_by,
        )
        return {row["kind"]: _plain(row["limit_usd"]) for row in rows}

    async def set(self, user_id: str, set_by: str, limits: Mapping[BudgetKind, Decimal | None]) -> None:
        """Set some limits of a user, or of everybody where the user is ''; None takes one away. The sessions that wait
        for a budget, or may in a moment, are to be told."""
        async with self._database.transaction() as connection:
            for kind, amount in limits.items():
                await _set(connection, "user" if user_id else "everyone", user_id, kind, set_by, amount)
            await connection.execute(
                f"""INSERT INTO budget_changes (session_id)
                    SELECT id FROM sessions WHERE state <> ALL ($2) AND ($1 = '' OR user_id = $1) {_AGAIN}""",
                user_id,
                sorted(RESTING_STATES),
            )

    async def set_of_session(self, session_id: str, amount: Decimal | None) -> None:
        """Set what the session may spend; None leaves it to the user's limit of sessions. The session is to be told."""
        async with self._database.transaction() as connection:
            await _set(connection, "session", session_id, "session", "user", amount)
            await connection.execute(f"INSERT INTO budget_changes (session_id) VALUES ($1) {_AGAIN}", session_id)

    async def begin_session(self, session_id: str, amount: Decimal) -> None:
        """The limit that a session starts with, unless one was set meanwhile."""
        await self._pool.execute(
            """INSERT INTO budgets (scope, owner, kind, set_by, limit_usd) VALUES ('session', $1, 'session', 'user', $2)
               ON CONFLICT DO NOTHING""",
            session_id,
            amount,
        )

    async def cheaper_near_limit(self, user_id: str) -> bool:
        """Whether the user wants cheaper models near a limit."""
        chosen: bool | None = await self._pool.fetchval(
            "SELECT cheaper_near_limit FROM spending_choices WHERE user_id = $1", user_id
        )
        return bool(chosen)

    async def choose_cheaper(self, user_id: str, chosen: bool) -> None:
        await self._pool.execute(
            """INSERT INTO spending_choices (user_id, cheaper_near_limit) VALUES ($1, $2)
               ON CONFLICT (user_id) DO UPDATE SET cheaper_near_limit = $2""",
            user_id,
            chosen,
        )

    async def saving(self, user_id: str, session_id: str) -> bool:
        """Whether cheaper models should serve the session now."""
        if not await self.cheaper_near_limit(user_id):
            return False
        async with self._pool.acquire() as connection:
            standing = await budgets_of(connection, user_id, session_id)
        return any(budget.percent is not None and budget.percent >= SAVING_PERCENT for budget in standing)

    async def claim_notices(
        self, user_id: str, session_id: str, exhausted: BudgetKind | None = None
    ) -> list[BudgetNotice]:
        """The notices that are due and nobody has given yet: from now on they are given. `exhausted` is a budget that
        a call was refused for, which is used up although not every cent of it is spent."""
        async with self._database.transaction() as connection:
            claimed = []
            for budget in await budgets_of(connection, user_id, session_id):
                percent = 100.0 if budget.kind == exhausted else budget.percent or 0.0
                for threshold in THRESHOLDS:
                    if percent >= threshold:
                        notice = await _claim(connection, user_id, session_id, budget, threshold)
                        claimed += [notice] if notice else []
            # Who hears that all is gone need not hear that half is.
            return [n for n in claimed if not any(m.kind == n.kind and m.percent > n.percent for m in claimed)]

    async def notices(self, user_id: str, limit: int = 20) -> list[BudgetNotice]:
        """The latest notices of a user, newest first."""
        rows = await self._pool.fetch(
            "SELECT * FROM budget_notices WHERE user_id = $1 ORDER BY at DESC, id DESC LIMIT $2", user_id, limit
        )
        return [notice_of(row) for row in rows]

    async def take_notices(self, way: Literal["mail", "hook"], limit: int = 20) -> list[BudgetNotice]:
        """Some notices that have to be delivered this way, for this caller to try; later for another one, unless
        `delivered` is told meanwhile. Those that failed often, or are older than a day, are given up."""
        rows = await self._pool.fetch(
            f"""UPDATE budget_notices SET {way}_tries = {way}_tries + 1,
                  {way}_next_at = now() + interval '30 seconds' * 2 ^ {way}_tries
                WHERE id IN (
                  SELECT id FROM budget_notices
                  WHERE {way}_done_at IS NULL AND {way}_next_at <= now() AND {way}_tries < $1
                    AND at > now() - interval '1 day'
                  ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)
                RETURNING *""",
            MOST_TRIES,
            limit,
        )
        return [notice_of(row) for row in rows]

    async def delivered(self, notice_id: int, way: Literal["mail", "hook"]) -> None:
        """The notice arrived this way."""
        await self._pool.execute(f"UPDATE budget_notices SET {way}_done_at = now() WHERE id = $1", notice_id)

    async def take_changes(self, limit: int = 50) -> list[tuple[str, str]]:
        """Some sessions that are to be told of a change, and which change: for this caller to tell, for another one in
        a while, unless `told` is told meanwhile."""
        rows = await self._pool.fetch(
            """UPDATE budget_changes SET next_at = now() + interval '30 seconds' WHERE session_id IN (
                 SELECT session_id FROM budget_changes WHERE next_at <= now()
                 ORDER BY next_at LIMIT $1 FOR UPDATE SKIP LOCKED)
               RETURNING session_id, change::text""",
            limit,
        )
        return [(row["session_id"], row["change"]) for row in rows]

    async def told(self, session_id: str, change: str) -> None:
        """The session knows of the change; of a newer one it is still to be told."""
        await self._pool.execute(
            "DELETE FROM budget_changes WHERE session_id = $1 AND change = $2::text::uuid", session_id, change
        )


async def require_budget(connection: Connection, user_id: str, session_id: str, needed: Decimal) -> None:
    """Raises OverBudget unless every budget has `needed` left. Until the transaction ends, no other call of the user is
    admitted: two of them cannot both take the last dollar."""
    if not await _limits(connection, user_id, session_id):
        return
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 5050))", user_id)
    for budget in await budgets_of(connection, user_id, session_id):
        if budget.left_usd is not None and needed > budget.left_usd:
            raise OverBudget(budget, needed)


async def budgets_of(
    connection: Connection, user_id: str, session_id: str | None, *, every: bool = False
) -> list[BudgetStatus]:
    """The budgets with a limit, or `every` one, as they stand."""
    limits = await _limits(connection, user_id, session_id)
    found: list[BudgetStatus] = []
    if not limits and not every:
        return found
    now: datetime = await connection.fetchval("SELECT now()")
    for kind in BUDGET_KINDS:
        limit = limits.get(kind)
        if limit is None and not every:
            continue
        if kind == "session" and not session_id:
            found.append(_status(kind, limit, None, now))
            continue
        start, _ = period_of(kind, now)
        row = await connection.fetchrow(
            f"SELECT {_SUMS.format('')} {_CALLS} WHERE session_id = $2"
            if kind == "session"
            else f"SELECT {_SUMS.format('')} {_CALLS} WHERE user_id = $2 AND started_at >= $3",
            IN_FLIGHT_HOURS,
            *([session_id] if kind == "session" else [user_id, start]),
        )
        found.append(_status(kind, limit, row, now))
    return found


async def _limits(connection: Connection, user_id: str, session_id: str | None) -> dict[BudgetKind, Limit]:
    """The limit of each kind that binds: the lower one of the user's and the operator's."""
    rows = await connection.fetch(
        """SELECT scope, kind, set_by, limit_usd FROM budgets
           WHERE (scope, owner) IN (('everyone', ''), ('user', $1), ('session', $2))""",
        user_id,
        session_id or "",
    )
    given = {(row["scope"], row["kind"], row["set_by"]): _plain(row["limit_usd"]) for row in rows}
    limits: dict[BudgetKind, Limit] = {}
    for kind in BUDGET_KINDS:
        own = given.get(("session", kind, "user"), given.get(("user", kind, "user")))
        binding = [Limit(own, "user")] if own is not None else []
        if (for_user := given.get(("user", kind, "operator"))) is not None:
            binding.append(Limit(for_user, "operator"))
        elif (for_all := given.get(("everyone", kind, "operator"))) is not None:
            binding.append(Limit(for_all, "default"))
        if binding:
            limits[kind] = min(binding, key=lambda each: each.amount)
    return limits


def _status(kind: BudgetKind, limit: Limit | None, row: asyncpg.Record | None, now: datetime) -> BudgetStatus:
    start, end = period_of(kind, now)
    spent, reserved = (_plain(row["spent"]), _plain(row["reserved"])) if row else (Decimal(0), Decimal(0))
    amount = limit.amount if limit else None
    return BudgetStatus(
        kind=kind,
        limit_usd=amount,
        source=limit.source if limit else None,
        spent_usd=spent,
        reserved_usd=reserved,
        left_usd=None if amount is None else max(amount - spent - reserved, Decimal(0)),
        percent=None if amount is None else _percent(spent, amount),
        own_keys_usd=_plain(row["own"]) if row else Decimal(0),
        unpriced_calls=row["unpriced"] if row else 0,
        period_start=start if end else None,
        resets_at=end,
    )


def _percent(spent: Decimal, limit: Decimal) -> float:
    return round(float(spent / limit * 100), 2) if limit else 100.0


def _plain(amount: Decimal) -> Decimal:
    """The amount in plain digits: a sum of nothing would read 0E-10."""
    return Decimal(f"{amount.normalize():f}")


async def _set(
    connection: Connection, scope: str, owner: str, kind: BudgetKind, set_by: str, amount: Decimal | None
) -> None:
    if amount is None:
        await connection.execute(
            "DELETE FROM budgets WHERE scope = $1 AND owner = $2 AND kind = $3 AND set_by = $4",
            scope,
            owner,
            kind,
            set_by,
        )
        return
    await connection.execute(
        """INSERT INTO budgets (scope, owner, kind, set_by, limit_usd) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (scope, owner, kind, set_by) DO UPDATE SET limit_usd = $5, updated_at = now()""",
        scope,
        owner,
        kind,
        set_by,
        amount,
    )


async def _claim(
    connection: Connection, user_id: str, session_id: str, budget: BudgetStatus, percent: int
) -> BudgetNotice | None:
    row = await connection.fetchrow(
        """INSERT INTO budget_notices
             (owner, kind, period_start, limit_usd, percent, user_id, session_id, spent_usd)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING RETURNING *""",
        session_id if budget.kind == "session" else user_id,
        budget.kind,
        budget.period_start or _LONG_AGO,
        budget.limit_usd,
        percent,
        user_id,
        session_id,
        budget.spent_usd,
    )
    return None if row is None else notice_of(row)


def notice_of(row: asyncpg.Record) -> BudgetNotice:
    """A notice from its row."""
    values = {name: row[name] for name in BudgetNotice.model_fields if name in row}
    values["spent_usd"], values["limit_usd"] = _plain(row["spent_usd"]), _plain(row["limit_usd"])
    return BudgetNotice(**values, resets_at=period_of(row["kind"], row["period_start"])[1])
