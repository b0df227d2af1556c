"""The ledger: every call to a model provider, reserved before it and settled after it, once."""

import json
from decimal import Decimal
from typing import Final

import asyncpg

from schemas.inference import AttemptRecord, Speed
from schemas.limits import LimitRules
from schemas.session import UsageTotals
from storage.budgets import require_budget
from storage.database import Database
from storage.limits import give_back, take_call

_COLUMNS: Final = tuple(AttemptRecord.model_fields)
_KEY: Final = ("session_id", "operation_id", "execution", "attempt", "call_number")
_CHANGING: Final = tuple(name for name in _COLUMNS if name not in (*_KEY, "started_at", "reserved"))

_INSERT: Final = f"""
    INSERT INTO model_attempts ({", ".join(_COLUMNS)})
    VALUES ({", ".join(f"${number}" for number in range(1, len(_COLUMNS) + 1))})
    ON CONFLICT ({", ".join(_KEY)}) DO """
_SETTLE: Final = f"""{_INSERT} UPDATE SET
    {", ".join(f"{name} = excluded.{name}" for name in _CHANGING)}
    WHERE model_attempts.outcome IN ('started', 'lost')
    RETURNING 1"""
_RESERVE: Final = f"{_INSERT} NOTHING RETURNING 1"
_KNOWN: Final = f"""
    SELECT true FROM model_attempts
    WHERE {" AND ".join(f"{name} = ${number}" for number, name in enumerate(_KEY, 1))}"""


class Ledger:
    """Rows of `model_attempts`. Writing the same attempt twice changes nothing."""

    def __init__(self, database: Database, rules: LimitRules | None = None) -> None:
        self._database = database
        self._rules = rules or LimitRules()

    async def reserve(self, record: AttemptRecord, tokens: int = 0) -> bool:
        """Put a call on record before it is made, if its user's budgets and the limits admit it; `tokens` is the most
        that it can take. False where it is on record already.

        Calls of earlier attempts of the same operation that never were settled are closed as lost: their worker died.
        Raises OverBudget and LimitReached: then nothing is on record and nothing is counted.
        """
        await self._database.pool.execute(
            """
            UPDATE model_attempts SET outcome = 'lost', estimated = true, error_code = 'worker_lost'
            WHERE session_id = $1 AND operation_id = $2 AND outcome = 'started'
              AND (execution, attempt) < ($3, $4)
            """,
            record.session_id,
            record.operation_id,
            record.execution,
            record.attempt,
        )
        async with self._database.transaction() as connection:
            if await connection.fetchval(_KNOWN, *(getattr(record, name) for name in _KEY)):
                return False
            if record.credential != "user":
                await require_budget(connection, record.user_id or "", record.session_id, record.reserved)
            await take_call(connection, self._rules, record, tokens)
            return await connection.fetchval(_RESERVE, *_values(record)) is not None

    async def settle(self, record: AttemptRecord, tokens: int = 0) -> bool:
        """Write down what became of a call, or with the outcome `started` how far it is. A call that was settled stays
        as it is: then, False. `tokens` is what was given to `reserve`."""
        async with self._database.transaction() as connection:
            written = await connection.fetchval(_SETTLE, *_values(record)) is not None
            if written and tokens and record.outcome != "started":
                await give_back(connection, self._rules, record, tokens)
            return written

    async def tried(
        self, session_id: str, operation_id: str, execution: int, attempt: int, call_number: int | None
    ) -> list[tuple[str, str, str | None]]:
        """(provider, model, error code) of the calls that ended the attempts before `attempt`, oldest first: those that
        did not succeed, and whatever became of the call with the same number. Without a number: the former only."""
        rows = await self._database.pool.fetch(
            """
            SELECT provider, model, error_code FROM model_attempts
            WHERE session_id = $1 AND operation_id = $2 AND execution = $3 AND attempt < $4
              AND (outcome <> 'succeeded' OR call_number = $5)
            ORDER BY attempt, call_number
            """,
            session_id,
            operation_id,
            execution,
            attempt,
            call_number,
        )
        return [(row["provider"], row["model"], row["error_code"]) for row in rows]

    async def session_totals(self, session_id: str) -> UsageTotals:
        """What a session has used, failed, cancelled and running calls included."""
        row = await self._database.pool.fetchrow(
            """
            SELECT count(*) AS calls, coalesce(sum(input_tokens), 0) AS input_tokens,
              coalesce(sum(cached_input_tokens), 0) AS cached_tokens,
              coalesce(sum(output_tokens), 0) AS output_tokens,
              coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens,
              coalesce(sum(price), 0) AS cost_usd
            FROM model_attempts WHERE session_id = $1
            """,
            session_id,
        )
        totals = dict(row) if row is not None else {}
        return UsageTotals.model_validate(
            {
                # Plain digits: a sum of nothing would read 0E-10.
                name: Decimal(f"{value.normalize():f}") if name == "cost_usd" else int(value)
                for name, value in totals.items()
            }
        )

    async def operation_cost(self, session_id: str, operation_id: str) -> Decimal:
        """US dollars that all attempts at an operation cost, as far as prices are known."""
        amount: Decimal = await self._database.pool.fetchval(
            "SELECT coalesce(sum(price), 0) FROM model_attempts WHERE session_id = $1 AND operation_id = $2",
            session_id,
            operation_id,
        )
        return Decimal(f"{amount.normalize():f}")

    async def attempts(self, session_id: str, limit: int = 1_000) -> list[AttemptRecord]:
        """The calls of a session, oldest first."""
        rows = await self._database.pool.fetch(
            f"SELECT {', '.join(_COLUMNS)} FROM model_attempts WHERE session_id = $1"
            " ORDER BY started_at, operation_id, execution, attempt, call_number LIMIT $2",
            session_id,
            limit,
        )
        return [_record(row) for row in rows]

    async def newest(self, session_id: str, limit: int) -> list[AttemptRecord]:
        """The latest calls of a session, the newest first."""
        rows = await self._database.pool.fetch(
            f"SELECT {', '.join(_COLUMNS)} FROM model_attempts WHERE session_id = $1"
            " ORDER BY started_at DESC, call_number DESC LIMIT $2",
            session_id,
            limit,
        )
        return [_record(row) for row in rows]

    async def speeds(self, hours: float = 24) -> dict[str, Speed]:
        """How fast each model was of late, by `provider/model`: medians over its successful calls.

        An answer that came in one burst was written before it was sent: its rate is over the whole time.
        """
        rows = await self._database.pool.fetch(
            """
            SELECT provider || '/' || model AS key, count(*) AS samples,
              percentile_cont(0.5) WITHIN GROUP (ORDER BY time_to_first_token) AS first_token,
              percentile_cont(0.5) WITHIN GROUP (
                ORDER BY output_tokens / greatest(0.001, CASE
                  WHEN duration - time_to_first_token < duration / 10 THEN duration
                  ELSE duration - time_to_first_token END)) AS rate
            FROM model_attempts
            WHERE outcome = 'succeeded' AND NOT estimated AND output_tokens >= 20 AND time_to_first_token IS NOT NULL
              AND started_at > now() - make_interval(secs => $1 * 3600)
            GROUP BY 1
            """,
            float(hours),
        )
        return {
            row["key"]: Speed(
                tokens_per_second=row["rate"], time_to_first_token=row["first_token"], samples=row["samples"]
            )
            for row in rows
            if row["rate"] > 0
        }


def _values(record: AttemptRecord) -> list[object]:
    values = record.model_dump()
    values["action"] = record.action.value
    values["context_parts"] = json.dumps(record.context_parts)
    return [values[name] for name in _COLUMNS]


def _record(row: asyncpg.Record) -> AttemptRecord:
    values = dict(row)
    if isinstance(values["context_parts"], str):
        values["context_parts"] = json.loads(values["context_parts"])
    return AttemptRecord.model_validate(values)
