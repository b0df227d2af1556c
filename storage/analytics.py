"""Sums over the ledger, in as many ways as people ask for, in one pass."""

from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

import asyncpg

from schemas.analytics import ErrorPattern, Part, Percentiles, Tally
from storage.database import Database

MOST_PARTS: Final = 100

_WHERE: Final = """
    WHERE started_at >= $1 AND ($2::text IS NULL OR user_id = $2) AND ($3::text IS NULL OR session_id = $3)"""
_SUMS: Final = """
    count(*) AS calls,
    count(*) FILTER (WHERE outcome = 'succeeded') AS succeeded,
    count(*) FILTER (WHERE outcome IN ('failed', 'lost')) AS failed,
    count(*) FILTER (WHERE outcome = 'cancelled') AS stopped,
    count(*) FILTER (WHERE outcome = 'started') AS running,
    coalesce(sum(input_tokens), 0)::bigint AS input_tokens,
    coalesce(sum(cached_input_tokens), 0)::bigint AS cached_tokens,
    coalesce(sum(output_tokens), 0)::bigint AS output_tokens,
    coalesce(sum(reasoning_tokens), 0)::bigint AS reasoning_tokens,
    coalesce(sum(price) FILTER (WHERE credential <> 'user'), 0) AS cost_usd,
    coalesce(sum(price) FILTER (WHERE credential = 'user'), 0) AS own_keys_usd,
    count(*) FILTER (WHERE price IS NULL AND outcome = 'succeeded') AS unpriced_calls,
    percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY duration)
      FILTER (WHERE outcome = 'succeeded') AS duration,
    percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY time_to_first_token)
      FILTER (WHERE outcome = 'succeeded') AS first_token"""


class Sums(NamedTuple):
    """A whole and its parts. Names of `models` are (provider, model)."""

    totals: Tally
    actions: list[Part]
    models: list[tuple[tuple[str, str], Tally]]
    providers: list[Part]
    days: list[Part]
    sessions: list[Part]
    users: list[Part]


class LedgerSums:
    """Reads the ledger for people."""

    def __init__(self, database: Database) -> None:
        self._pool = database.pool

    async def sums(self, since: datetime, *, user_id: str | None = None, session_id: str | None = None) -> Sums:
        """The calls since a time: a user's, a session's, or all."""
        rows = await self._pool.fetch(
            f"""SELECT GROUPING(action, provider, model, day, session_id, user_id) AS set,
                  action, provider, model, day, session_id, user_id, {_SUMS}
                FROM (SELECT *, to_char(started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day
                      FROM model_attempts {_WHERE}) AS calls
                GROUP BY GROUPING SETS ((), (action), (provider), (provider, model), (day), (session_id), (user_id))
                ORDER BY sum(price) DESC NULLS LAST, count(*) DESC""",
            since,
            user_id,
            session_id,
        )
        sets: dict[int, list[asyncpg.Record]] = {}
        for row in rows:
            sets.setdefault(row["set"], []).append(row)

        def parts(column: str, bits: int) -> list[Part]:
            return [Part(name=row[column] or "", tally=_tally(row)) for row in sets.get(bits, [])]

        whole = sets.get(0b111111, [])
        return Sums(
            totals=_tally(whole[0]) if whole else Tally(),
            actions=parts("action", 0b011111),
            models=[((row["provider"], row["model"]), _tally(row)) for row in sets.get(0b100111, [])],
            providers=parts("provider", 0b101111),
            days=sorted(parts("day", 0b111011), key=lambda part: part.name),
            sessions=[part for part in parts("session_id", 0b111101) if part.name][:MOST_PARTS],
            users=parts("user_id", 0b111110)[:MOST_PARTS],
        )

    async def errors(self, since: datetime, *, user_id: str | None = None, limit: int = 100) -> list[ErrorPattern]:
        """Failures by kind and place, the most frequent first."""
        rows = await self._pool.fetch(
            f"""WITH ended AS (SELECT * FROM model_attempts {_WHERE} AND outcome IN ('succeeded', 'failed', 'lost')),
                  places AS (SELECT provider, model, count(*) AS ended FROM ended GROUP BY 1, 2)
                SELECT coalesce(error_code, outcome) AS code, provider, model, count(*) AS count,
                  count(*)::float8 / max(places.ended) AS share, count(DISTINCT session_id) AS sessions,
                  array_agg(DISTINCT action) AS actions, min(started_at) AS first_at, max(started_at) AS last_at
                FROM ended JOIN places USING (provider, model)
                WHERE outcome <> 'succeeded'
                GROUP BY 1, 2, 3 ORDER BY 4 DESC, 9 DESC LIMIT $4""",
            since,
            user_id,
            None,
            limit,
        )
        return [ErrorPattern.model_validate(dict(row)) for row in rows]


def _tally(row: asyncpg.Record) -> Tally:
    values = {name: row[name] for name in Tally.model_fields if name in row}
    for name in ("cost_usd", "own_keys_usd"):
        values[name] = Decimal(f"{values[name].normalize():f}")  # plain digits: a sum of nothing would read 0E-10
    for name in ("duration", "first_token"):
        values[name] = Percentiles(**dict(zip(("p50", "p95", "p99"), row[name] or (), strict=False)))
    ended = row["succeeded"] + row["failed"]
    return Tally(**values, success_rate=row["succeeded"] / ended if ended else None)
