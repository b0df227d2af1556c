"""What operators look at, over all users: read only, bounded, and each answer one query."""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from schemas.overview import ErrorCount, OperatorSession
from schemas.session import State
from storage.database import Database


class ProviderCalls(NamedTuple):
    """The calls that went to a provider; `first_token` is a median in seconds."""

    provider: str
    calls: int
    failed: int
    first_token: float | None
    errors: list[ErrorCount]


class Overview:
    """Queries over sessions and model calls of everybody."""

    def __init__(self, database: Database) -> None:
        self._pool = database.pool

    async def sessions(self, states: Sequence[State], limit: int) -> list[OperatorSession]:
        """Sessions in one of these states, or in any where none is given; the one that changed last first."""
        rows = await self._pool.fetch(
            """SELECT s.id, coalesce(nullif(s.title, ''), left(s.prompt, 80)) AS title, s.user_id,
                 coalesce(u.name, '') AS user_name, u.email AS user_email, s.mode, s.state, s.state_reason AS reason,
                 s.state_since AS since, s.updated_at, coalesce((s.progress->>'demo')::bool, false) AS demo,
                 coalesce((SELECT sum(price) FROM model_attempts a WHERE a.session_id = s.id), 0) AS cost_usd
               FROM sessions s LEFT JOIN users u ON u.id = s.user_id
               WHERE cardinality($1::text[]) = 0 OR s.state = ANY ($1)
               ORDER BY s.updated_at DESC, s.id LIMIT $2""",
            list(states),
            limit,
        )
        plain = [{**row, "cost_usd": Decimal(f"{row['cost_usd'].normalize():f}")} for row in map(dict, rows)]
        return [OperatorSession.model_validate(row) for row in plain]

    async def counts(self) -> dict[State, int]:
        """How many sessions are in each state."""
        rows = await self._pool.fetch("SELECT state, count(*) AS count FROM sessions GROUP BY state")
        return {row["state"]: row["count"] for row in rows}

    async def provider_calls(self, hours: int) -> list[ProviderCalls]:
        """What became of the calls of the last hours, by provider. Calls that users cancelled did not fail."""
        rows = await self._pool.fetch(
            """SELECT provider, count(*) AS calls, count(*) FILTER (WHERE outcome IN ('failed', 'lost')) AS failed,
                 percentile_cont(0.5) WITHIN GROUP (ORDER BY time_to_first_token) AS first_token
               FROM model_attempts WHERE started_at > now() - make_interval(hours => $1) GROUP BY provider""",
            hours,
        )
        errors = await self._pool.fetch(
            """SELECT provider, error_code AS code, count(*) AS count FROM model_attempts
               WHERE started_at > now() - make_interval(hours => $1)
                 AND outcome IN ('failed', 'lost') AND error_code IS NOT NULL
               GROUP BY provider, error_code ORDER BY count DESC, code""",
            hours,
        )
        return [
            ProviderCalls(
                row["provider"],
                row["calls"],
                row["failed"],
                row["first_token"],
                [ErrorCount(code=e["code"], count=e["count"]) for e in errors if e["provider"] == row["provider"]],
            )
            for row in rows
        ]
