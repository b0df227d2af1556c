"""Circuit breakers that all workers share: who found a provider broken spares the others finding out.

Closed, failures in a row are counted; the third within a minute opens the breaker, a limit with a time to wait opens it
at once and until then. Open, nobody calls unless there is nowhere else to go. When the time is up one worker probes
(half open): its success closes the breaker, its failure opens it for twice as long.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from schemas.inference import BreakerState
from storage.database import Database

THRESHOLD = 3
WINDOW = timedelta(seconds=60)
"""Failures further apart than this are not in a row."""

HOLD = timedelta(seconds=15)
LONGEST = timedelta(minutes=5)
PROBE = timedelta(seconds=30)
"""How long a probe keeps others away; after that the next one may try."""

State = Literal["closed", "open", "half_open"]


@dataclass(frozen=True, slots=True)
class Breaker:
    """One breaker, as stored."""

    state: State = "closed"
    failures: int = 0
    opens: int = 0
    last_failure_at: datetime | None = None
    opened_at: datetime | None = None
    retry_at: datetime | None = None


def after_failure(breaker: Breaker, now: datetime, wait: timedelta | None) -> Breaker:
    """The breaker after one more failure at `now`; `wait` is what the provider asked for, if it did."""
    recent = breaker.last_failure_at is not None and now - breaker.last_failure_at <= WINDOW
    failures = breaker.failures + 1 if recent or breaker.state != "closed" else 1
    if breaker.state == "closed" and failures < THRESHOLD and wait is None:
        return Breaker("closed", failures, breaker.opens if recent else 0, now, breaker.opened_at, None)
    if breaker.state == "open" and wait is None:
        return Breaker("open", failures, breaker.opens, now, breaker.opened_at, breaker.retry_at)
    opens = breaker.opens + (breaker.state != "open")
    hold = min(HOLD * 2 ** min(opens - 1, 10), LONGEST) if wait is None else wait
    retry_at = now + hold
    if breaker.state == "open" and breaker.retry_at is not None:
        retry_at = max(retry_at, breaker.retry_at)
    return Breaker("open", failures, opens, now, breaker.opened_at if breaker.state == "open" else now, retry_at)


class Breakers:
    """Rows of `provider_breakers`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def failed(self, key: str, error: str, retry_after: float | None = None) -> BreakerState:
        """Count a failure with the code `error` against `key`; `retry_after` in seconds. Returns what became of it."""
        wait = None if retry_after is None else timedelta(seconds=retry_after)
        async with self._database.transaction() as connection:
            await connection.execute("INSERT INTO provider_breakers (key) VALUES ($1) ON CONFLICT DO NOTHING", key)
            row = await connection.fetchrow(
                "SELECT *, now() AS now FROM provider_breakers WHERE key = $1 FOR UPDATE", key
            )
            assert row is not None
            now: datetime = row["now"]
            before = Breaker(
                row["state"],
                row["failures"],
                row["opens"],
                row["last_failure_at"],
                row["opened_at"],
                row["retry_at"],
            )
            after = after_failure(before, now, wait)
            await connection.execute(
                """
                UPDATE provider_breakers SET state = $2, failures = $3, opens = $4, last_failure_at = $5,
                  opened_at = $6, retry_at = $7, last_error = $8 WHERE key = $1
                """,
                key,
                after.state,
                after.failures,
                after.opens,
                after.last_failure_at,
                after.opened_at,
                after.retry_at,
                error,
            )
        return BreakerState(
            key=key,
            state=after.state,
            failures=after.failures,
            last_error=error,
            opened_at=after.opened_at,
            retry_at=after.retry_at,
        )

    async def succeeded(self, keys: Iterable[str], took: float | None = None) -> None:
        """A call that took `took` seconds went well. A breaker that opened while it ran stays open; one that was open
        before is closed: the call went there because there was nowhere else to go. None: it may have run for long."""
        await self._database.pool.execute(
            """
            UPDATE provider_breakers SET state = 'closed', failures = 0, opens = 0, retry_at = NULL
            WHERE key = ANY($1) AND (state = 'half_open' OR (state = 'closed' AND failures > 0)
              OR (state = 'open' AND opened_at < now() - make_interval(secs => $2)))
            """,
            list(keys),
            took,
        )

    async def avoided(self, wanted: Iterable[str] = ()) -> frozenset[str]:
        """Keys to keep away from. A breaker of `wanted` whose time is up is given to this caller to probe, to one
        caller at a time."""
        rows = await self._database.pool.fetch(
            "SELECT key, retry_at <= now() AS due FROM provider_breakers WHERE state <> 'closed'"
        )
        unhealthy = {row["key"]: bool(row["due"]) for row in rows}
        due = [key for key in wanted if unhealthy.get(key)]
        if due:
            probes = await self._database.pool.fetch(
                """
                UPDATE provider_breakers SET state = 'half_open', retry_at = now() + $2
                WHERE key = ANY($1) AND state <> 'closed' AND retry_at <= now() RETURNING key
                """,
                due,
                PROBE,
            )
            for row in probes:
                del unhealthy[row["key"]]
        return frozenset(unhealthy)

    async def states(self) -> list[BreakerState]:
        """Every breaker that has ever counted a failure, for people to look at."""
        rows = await self._database.pool.fetch(
            "SELECT key, state, failures, last_error, opened_at, retry_at FROM provider_breakers ORDER BY key"
        )
        return [BreakerState.model_validate(dict(row)) for row in rows]
