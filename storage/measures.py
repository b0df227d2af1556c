"""What there is to measure in the database: sessions, steps, model calls, the event log."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from storage.database import Database

STEP_BUCKETS: Final = (1.0, 5.0, 15.0, 60.0, 300.0, 1200.0)
"""Seconds."""


class ModelTotals(NamedTuple):
    """All calls of a model that had an outcome; the cost in US dollars."""

    provider: str
    model: str
    outcome: str
    calls: int
    input_tokens: int
    output_tokens: int
    cost: Decimal


class Measures:
    """Totals since the installation began. Each reads whole tables: ask seldom."""

    def __init__(self, database: Database) -> None:
        self._pool = database.pool

    async def sessions(self) -> dict[str, int]:
        """How many sessions are in each state."""
        rows = await self._pool.fetch("SELECT state, count(*) AS found FROM sessions GROUP BY state")
        return {row["state"]: row["found"] for row in rows}

    async def model_calls(self) -> list[ModelTotals]:
        rows = await self._pool.fetch(
            """SELECT provider, model, outcome, count(*) AS calls, sum(input_tokens)::bigint AS input_tokens,
                 sum(output_tokens)::bigint AS output_tokens, coalesce(sum(price), 0) AS cost
               FROM model_attempts GROUP BY provider, model, outcome"""
        )
        return [ModelTotals(**dict(row)) for row in rows]

    async def steps(self) -> tuple[Sequence[int], float, int]:
        """Of the finished steps: how many took at most each of STEP_BUCKETS, seconds of all, and how many."""
        counts = ", ".join(
            f"count(*) FILTER (WHERE seconds <= {bound}) AS bucket_{number}"
            for number, bound in enumerate(STEP_BUCKETS)
        )
        row = await self._pool.fetchrow(
            f"""SELECT {counts}, coalesce(sum(seconds), 0)::float8 AS seconds, count(*) AS found
                FROM (SELECT extract(epoch FROM finished_at - begun_at) AS seconds
                      FROM operations WHERE finished_at IS NOT NULL) AS steps"""
        )
        assert row is not None, "an aggregate has a row"
        return [row[f"bucket_{number}"] for number in range(len(STEP_BUCKETS))], row["seconds"], row["found"]
