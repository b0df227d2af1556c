"""The end of what is old: sessions that nobody uses are put away, rows that nothing needs any more are deleted.

Everything goes in batches, each in a statement of its own, and may be repeated or broken off anywhere.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Final, NamedTuple

from schemas.retention import OldSession, RetentionRules
from schemas.session import RESTING_STATES
from storage.database import Database

BATCH: Final = 2_000
AT_ONCE: Final = 20
"""How many sessions are deleted side by side."""

Beat = Callable[[], None]
"""Told after each batch."""


class _Old(NamedTuple):
    """Rows of a table whose time is over: the rule that says when ($1 is its time), and which they are."""

    rule: str
    table: str
    which: str


_ROWS: Final = (
    # The newest use of a limit is all that it remembers; what lies behind says nothing any more.
    _Old("", "rate_limits", "tat < now()"),
    _Old("", "working_sessions", "until < now()"),
    _Old("", "sign_in_attempts", "last_at < now() - interval '2 hours'"),
    _Old("", "one_time_tokens", "expires_at < now() - interval '7 days'"),
    _Old("sign_ins", "sign_ins", "coalesce(revoked_at, expires_at) < now() - $1::interval"),
    _Old("sign_ins", "refresh_tokens", "used_at < now() - $1::interval"),
    _Old("sign_ins", "api_keys", "coalesce(revoked_at, expires_at) < now() - $1::interval"),
    _Old(
        "sign_ins",
        "session_shares",
        """link_id IN (SELECT id FROM share_links
                       WHERE coalesce(revoked_at, expires_at) < now() - $1::interval)""",
    ),
    _Old("sign_ins", "share_links", "coalesce(revoked_at, expires_at) < now() - $1::interval"),
    # A notice is given once: those of a session or of all time would come again.
    _Old("notices", "budget_notices", "at < now() - $1::interval AND kind IN ('day', 'month')"),
    # What a session has cost stays known while the session is there.
    _Old(
        "ledger",
        "model_attempts",
        """started_at < now() - $1::interval AND outcome <> 'started'
           AND NOT EXISTS (SELECT FROM sessions s WHERE s.id = model_attempts.session_id)""",
    ),
    _Old("audit", "audit_log", "at < now() - $1::interval"),
)


class Retention:
    """Carries the rules out."""

    def __init__(self, database: Database) -> None:
        self._pool = database.pool

    async def archive(self, days: int, beat: Beat) -> int:
        """Put sessions away that rest and were not touched for so long. Returns how many."""
        return await self._repeat(
            """UPDATE sessions SET archived_at = now() WHERE id IN (
                 SELECT id FROM sessions WHERE archived_at IS NULL AND state = ANY ($1)
                   AND updated_at < now() - $2::interval AND state_since < now() - $2::interval
                 LIMIT $3 FOR UPDATE SKIP LOCKED)""",
            (sorted(RESTING_STATES), timedelta(days=days)),
            beat,
        )

    async def expired(self, days: int) -> list[OldSession]:
        """Some sessions that were put away so long ago."""
        rows = await self._pool.fetch(
            """SELECT id, user_id FROM sessions WHERE archived_at < now() - $1::interval AND state = ANY ($2)
                 AND updated_at < now() - $1::interval  -- one that is used again is not old
               ORDER BY archived_at, id LIMIT $3""",
            timedelta(days=days),
            sorted(RESTING_STATES),
            AT_ONCE,
        )
        return [OldSession.model_validate(dict(row)) for row in rows]

    async def forget(self, rules: RetentionRules, beat: Beat) -> dict[str, int]:
        """Delete the rows whose time is over. Returns how many, by table."""
        counts = {}
        for old in _ROWS:
            days = getattr(rules, old.rule) if old.rule else None
            if old.rule and days is None:
                continue
            times = (timedelta(days=days),) if days is not None else ()
            counts[old.table] = await self._repeat(
                f"DELETE FROM {old.table} WHERE ctid IN"
                f" (SELECT ctid FROM {old.table} WHERE {old.which} LIMIT ${len(times) + 1} FOR UPDATE SKIP LOCKED)",
                times,
                beat,
            )
        return {table: count for table, count in counts.items() if count}

    async def _repeat(self, statement: str, values: tuple[object, ...], beat: Beat) -> int:
        total = 0
        while True:
            status: str = await self._pool.execute(statement, *values, BATCH)
            beat()
            done = int(status.rpartition(" ")[2])
            total += done
            if done < BATCH:
                return total
