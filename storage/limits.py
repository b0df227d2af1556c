"""Limits, kept in Postgres so that every process counts the same: rates by GCRA, and the sessions that work at once.

GCRA keeps one time per limit, at which the next use would come if uses came evenly. A use is admitted unless it moves
that time further into the future than the limit's period; one statement decides and moves it under the row's lock.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from schemas.inference import AttemptRecord
from schemas.limits import LimitRules, Rate
from storage.database import Connection, Database

MINUTE: Final = 60
HOLD_SECONDS: Final = 120.0
"""How long a session holds its place after its last call of a model began."""
START_SECONDS: Final = 60.0
"""How long a session that was started holds its place until it makes its first call."""
ANOTHER_ENDS: Final = 60.0
"""Seconds after which it is worth asking whether another session has ended."""

_TAKE: Final = """
    INSERT INTO rate_limits AS held (key, tat) VALUES ($1, clock_timestamp() + $2 * interval '1 second')
    ON CONFLICT (key) DO UPDATE SET tat = greatest(held.tat, clock_timestamp()) + $2 * interval '1 second'
    WHERE greatest(held.tat, clock_timestamp()) + ($2 - $3) * interval '1 second' <= clock_timestamp()
    RETURNING extract(epoch FROM tat - clock_timestamp())::float8"""


class Use(NamedTuple):
    """Something that a limit counts: whose limit, which rate, how much of it. `what` names it for people."""

    key: str
    rate: Rate
    what: str
    amount: int = 1

    @property
    def seconds(self) -> float:
        """How far the use moves the limit's time. What is larger than the whole limit takes all of it."""
        return min(self.amount, self.rate.count) * self.rate.seconds / self.rate.count


class Standing(NamedTuple):
    """A limit after a use of it: how many more are admitted now, and the seconds until all are again."""

    rate: Rate
    remaining: int
    reset: float


class LimitReached(Exception):
    """A limit does not admit this now; `retry_after` in seconds. The sentence is for people."""

    def __init__(self, name: str, sentence: str, retry_after: float, rate: Rate | None = None) -> None:
        super().__init__(sentence)
        self.name = name
        self.sentence = sentence
        self.retry_after = max(retry_after, 0.1)
        self.rate = rate


class Limits:
    """Repository of limits."""

    def __init__(self, database: Database, rules: LimitRules) -> None:
        self._database = database
        self.rules = rules

    async def take_request(self, user_id: str) -> Standing | None:
        """Count a request of a user; None where requests have no limit. Raises LimitReached."""
        return await self._take_one("requests", user_id, "requests")

    async def take_start(self, user_id: str, session_id: str) -> Standing | None:
        """Count the start of a session, which takes a place among those that work. Raises LimitReached: then nothing
        is counted."""
        rate = self.rules.rate("session_starts")
        async with self._database.transaction() as connection:
            await hold_session(connection, self.rules, user_id, session_id, START_SECONDS)
            return await _take(connection, Use(f"session_starts:{user_id}", rate, "session starts")) if rate else None

    async def _take_one(self, name: str, owner: str, what: str) -> Standing | None:
        rate = self.rules.rate(name)
        if rate is None:
            return None
        async with self._database.pool.acquire() as connection:
            return await _take(connection, Use(f"{name}:{owner}", rate, what))


async def take_call(connection: Connection, rules: LimitRules, record: AttemptRecord, tokens: int) -> None:
    """Count a call of a model that may take `tokens`, before it is made. Raises LimitReached: the transaction has to be
    rolled back then, so that nothing is counted."""
    if record.session_id:
        await hold_session(connection, rules, record.user_id or "", record.session_id, HOLD_SECONDS)
    # In order of key, so that two calls never wait for each other in a circle.
    own = await _of_key(connection, record, {"calls": 1, "tokens": tokens})
    for use in sorted([*_calls(rules, record), *_tokens(rules, record, tokens), *own]):
        await _take(connection, use)


async def give_back(connection: Connection, rules: LimitRules, record: AttemptRecord, tokens: int) -> None:
    """Count the tokens that a call took instead of those it might have taken."""
    taken = record.input_tokens + record.output_tokens
    own = await _of_key(connection, record, {"tokens": tokens})
    for use in sorted([*_tokens(rules, record, tokens), *own]):
        seconds = use.seconds - taken * use.rate.seconds / use.rate.count
        await connection.execute(
            "UPDATE rate_limits SET tat = tat - $2 * interval '1 second' WHERE key = $1", use.key, seconds
        )


def _calls(rules: LimitRules, record: AttemptRecord) -> Sequence[Use]:
    return _uses(rules, record, "calls", 1)


def _tokens(rules: LimitRules, record: AttemptRecord, tokens: int) -> Sequence[Use]:
    return _uses(rules, record, "tokens", tokens)


def _uses(rules: LimitRules, record: AttemptRecord, counted: str, amount: int) -> list[Use]:
    """The limits of a call. A user's own key has limits of its own at the provider: only the user's count there."""
    found = [(counted, record.user_id or "", rules.rate(counted), f"your {counted}")]
    if record.credential != "user":
        for name, one in (("provider", record.provider), ("model", record.model)):
            kind = f"{name}_{counted}"
            found.append((kind, one, rules.rate(kind, one), f"{counted} of {one}"))
    return [Use(f"{kind}:{owner}", rate, what, amount) for kind, owner, rate, what in found if rate is not None]


async def _of_key(connection: Connection, record: AttemptRecord, amounts: Mapping[str, int]) -> list[Use]:
    """The limits that a user set for the own key that the call goes by."""
    if record.credential != "user":
        return []
    row = await connection.fetchrow(
        """SELECT calls_per_minute AS calls, tokens_per_minute AS tokens FROM vault_secrets
           WHERE user_id = $1 AND name = $2""",
        record.user_id or "",
        record.provider,
    )
    return [
        Use(
            f"key_{counted}:{record.user_id}:{record.provider}",
            Rate(row[counted], MINUTE),
            f"{counted} of your key of {record.provider}",
            amount,
        )
        for counted, amount in amounts.items()
        if row is not None and row[counted] is not None
    ]


async def _take(connection: Connection, use: Use) -> Standing:
    ahead: float | None = await connection.fetchval(_TAKE, use.key, use.seconds, float(use.rate.seconds))
    if ahead is None:
        standing: float | None = await connection.fetchval(
            "SELECT extract(epoch FROM tat - clock_timestamp())::float8 FROM rate_limits WHERE key = $1", use.key
        )
        wait = (standing or 0.0) + use.seconds - use.rate.seconds
        sentence = f"The limit of {use.rate} for {use.what} is reached."
        raise LimitReached(use.key.partition(":")[0], sentence, wait, use.rate)
    each = use.rate.seconds / use.rate.count
    return Standing(use.rate, max(math.floor((use.rate.seconds - ahead) / each + 1e-6), 0), max(ahead, 0.0))


async def hold_session(
    connection: Connection, rules: LimitRules, user_id: str, session_id: str, seconds: float
) -> None:
    """Take or keep a session's place among those of its user that work. Raises LimitReached."""
    if rules.concurrent_sessions is None:
        return
    kept = await connection.fetchval(
        """UPDATE working_sessions SET until = greatest(until, now() + $2 * interval '1 second')
           WHERE session_id = $1 AND until > now() RETURNING true""",
        session_id,
        seconds,
    )
    if kept:
        return
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 5051))", user_id)
    others: int = await connection.fetchval(
        "SELECT count(*) FROM working_sessions WHERE user_id = $1 AND until > now() AND session_id <> $2",
        user_id,
        session_id,
    )
    if others >= rules.concurrent_sessions:
        sentence = f"{others} of your sessions are at work, which is as many as may be at once."
        raise LimitReached("concurrent_sessions", sentence, ANOTHER_ENDS)
    await connection.execute(
        """INSERT INTO working_sessions (session_id, user_id, until) VALUES ($1, $2, now() + $3 * interval '1 second')
           ON CONFLICT (session_id) DO UPDATE SET user_id = $2, until = excluded.until""",
        session_id,
        user_id,
        seconds,
    )


async def release_session(database: Database, session_id: str) -> None:
    """The session rests or waits: its place is free."""
    await database.pool.execute("DELETE FROM working_sessions WHERE session_id = $1", session_id)
