"""Limits on a real Postgres: as many as are allowed and not one more, however many come at once."""

import asyncio
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from schemas.inference import AttemptRecord
from schemas.limits import LimitRules, Rate
from storage.database import Database
from storage.keyring import KeyRing, KeySource, new_key
from storage.ledger import Ledger
from storage.limits import LimitReached, Limits, release_session
from storage.vault import Vault
from tests.storage.test_ledger import record


async def test_a_hundred_requests_at_once_never_exceed_a_limit(database: Database) -> None:
    limits = Limits(database, LimitRules.parse("requests=7/hour"))
    outcomes = await asyncio.gather(*(limits.take_request("u1") for _ in range(100)), return_exceptions=True)
    admitted = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, LimitReached)]
    assert (len(admitted), len(refused)) == (7, 93)
    assert sorted(standing.remaining for standing in admitted if standing) == list(range(7))
    assert all(500 < error.retry_after <= 3600 / 7 + 1 for error in refused)
    assert await limits.take_request("u2") is not None, "each user has a limit of their own"


async def test_a_limit_admits_again_when_it_said_so(database: Database) -> None:
    limits = Limits(database, LimitRules(rates={"requests": Rate(4, 1)}))
    for _ in range(4):
        await limits.take_request("u1")
    with pytest.raises(LimitReached) as caught:
        await limits.take_request("u1")
    await asyncio.sleep(caught.value.retry_after)
    assert await limits.take_request("u1")


async def test_calls_are_counted_by_user_provider_and_model_or_not_at_all(database: Database) -> None:
    rules = LimitRules.parse("calls=off, provider_calls=3/hour, model_calls:openai/gpt-5=2/hour")
    ledger = Ledger(database, rules)

    async def reserve(number: int, **changes: object) -> None:
        now = datetime.now(UTC)
        await ledger.reserve(record(operation_id=f"o{number}", outcome="started", started_at=now, **changes))

    await reserve(1)
    await reserve(2)
    with pytest.raises(LimitReached, match="2 per hour"):
        await reserve(3)
    await reserve(4, model="openai/gpt-4.1")
    with pytest.raises(LimitReached):
        await reserve(5, model="openai/gpt-4.1")
    await reserve(6, credential="user")
    assert len(await ledger.attempts("s1")) == 4, "what was refused is not on record"


async def test_a_user_s_own_key_has_the_limits_that_its_user_gave_it(database: Database) -> None:
    vault = Vault(database, KeySource.given(KeyRing([new_key()]).text()))
    await vault.put("u1", "openai", SecretStr("a key of the user"))
    assert await vault.set_limits("u1", "groq", 1, 1) is None
    limited = await vault.set_limits("u1", "openai", 2, 1_000)
    assert limited is not None and (limited.calls_per_minute, limited.tokens_per_minute) == (2, 1_000)
    again = await vault.put("u1", "openai", SecretStr("another key of the user"))
    assert again.calls_per_minute == 2, "a newer key keeps the limits"
    ledger = Ledger(database)

    async def reserve(name: str, tokens: int = 0, **changes: object) -> AttemptRecord:
        call = record(
            operation_id=name,
            outcome="started",
            started_at=datetime.now(UTC),
            credential="user",
            user_id="u1",
            **changes,
        )
        await ledger.reserve(call, tokens)
        return call

    outcomes = await asyncio.gather(*(reserve(f"o{number}") for number in range(20)), return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, LimitReached)]
    assert len(refused) == 18 and all(0 < error.retry_after <= 31 for error in refused)
    assert "2 per minute for calls of your key of openai" in refused[0].sentence
    await reserve("other key", provider="groq")
    await vault.set_limits("u1", "openai", None, 1_000)
    call = await reserve("many tokens", 900)
    with pytest.raises(LimitReached, match="tokens of your key"):
        await reserve("more tokens", 200)
    await ledger.settle(call.model_copy(update={"outcome": "succeeded", "input_tokens": 50, "output_tokens": 50}), 900)
    await reserve("more tokens", 200)
    await vault.set_limits("u1", "openai", None, None)
    await reserve("no limit", 10**9)


async def test_tokens_are_reserved_and_given_back(database: Database) -> None:
    ledger = Ledger(database, LimitRules.parse("tokens=1000/hour"))
    now = datetime.now(UTC)
    await ledger.reserve(record(outcome="started", started_at=now), tokens=900)
    with pytest.raises(LimitReached):
        await ledger.reserve(record(operation_id="o2", outcome="started", started_at=now), tokens=200)
    await ledger.settle(record(started_at=now), tokens=900)  # it took 150
    assert await ledger.reserve(record(operation_id="o2", outcome="started", started_at=now), tokens=800)


async def test_only_so_many_sessions_of_a_user_work_at_once(database: Database) -> None:
    rules = LimitRules.parse("concurrent_sessions=5")
    limits, ledger = Limits(database, rules), Ledger(database, rules)
    outcomes = await asyncio.gather(*(limits.take_start("u1", f"s{n}") for n in range(100)), return_exceptions=True)
    assert sum(isinstance(outcome, LimitReached) for outcome in outcomes) == 95
    working = [row["session_id"] for row in await database.pool.fetch("SELECT session_id FROM working_sessions")]
    await limits.take_start("u1", working[0])
    await ledger.reserve(record(session_id=working[0], outcome="started", started_at=datetime.now(UTC)))
    another = record(session_id="other", outcome="started", started_at=datetime.now(UTC))
    with pytest.raises(LimitReached, match="5 of your sessions"):
        await ledger.reserve(another)
    await release_session(database, working[0])
    assert await ledger.reserve(another)


@pytest.mark.parametrize(
    "text", ["requests", "requests=5", "requests=0/minute", "requests=5/week", "many=5/minute", "calls:one=5/minute"]
)
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"limit|needs"):
        LimitRules.parse(text)


def test_limits_are_read_over_the_defaults() -> None:
    rules = LimitRules.parse("requests=off, calls=60/minute, concurrent_sessions=off")
    assert rules.rate("requests") is None and rules.rate("calls") == Rate(60, 60)
    assert rules.rate("session_starts") == LimitRules().rate("session_starts")
    assert rules.concurrent_sessions is None
