"""The ledger against the providers' own count: a thousand calls, retried, cut, refused, and with workers that die."""

import asyncio
import random
from collections import Counter

import pytest
from temporalio.exceptions import ApplicationError

from schemas.inference import AttemptRecord, ModelOverrides
from storage.database import Database
from storage.ledger import Ledger
from tests.activities.test_model_call import Step, ask, environment, server, step_with  # noqa: F401
from tests.fault_server import FaultServer

CALLS = 1_000
AT_ONCE = 25
MODELS = ("openai/gpt-4.1", "anthropic/claude-haiku-4.5", "google/gemini-2.5-flash")
"""One of each dialect."""
PROVIDERS = tuple(model.partition("/")[0] for model in MODELS)
FAULTS = {"ok": 0.7, "503": 0.1, "cut_mid_event": 0.1, "dies": 0.1}


class DeadHand(Ledger):
    """The ledger of a worker that dies before it can settle anything."""

    async def settle(self, record: AttemptRecord, tokens: int = 0) -> bool:
        return False


@pytest.mark.timeout(300)
async def test_every_call_the_provider_saw_is_on_record_once(
    database: Database,
    server: FaultServer,  # noqa: F811
) -> None:
    chance, sent, steps = random.Random(7), Counter[str](), asyncio.Semaphore(AT_ONCE)
    inference = {
        fault: step_with(
            database, server, **dict.fromkeys(PROVIDERS, "ok" if fault == "dies" else fault)
        ).rooms.inference
        for fault in FAULTS
    }
    base = step_with(database, server, openai="ok")
    dead = DeadHand(database)

    async def operation(number: int) -> None:
        model = MODELS[number % len(MODELS)]
        for attempt in range(1, 100):
            if sum(sent.values()) >= CALLS:
                return
            (fault,) = chance.choices(list(FAULTS), list(FAULTS.values()))
            sent[fault] += 1
            ledger = dead if fault == "dies" else base.rooms.ledger
            rooms = type(base.rooms)(database, inference[fault], ledger, base.rooms.vault)
            step = Step(rooms, base.given, session_id=f"s{number % 5}", id=f"o{number}")
            async with steps:
                try:
                    await environment(attempt).run(ask, step, ModelOverrides(model=model, fallback=model))
                except ApplicationError:
                    continue
            if fault == "ok":
                return

    await asyncio.gather(*(operation(number) for number in range(CALLS)))
    assert sum(sent.values()) == CALLS and min(sent.values()) > 50
    rows = await database.pool.fetch("SELECT provider, outcome, price, input_tokens, output_tokens FROM model_attempts")
    assert len(rows) == len(server.seen) == CALLS
    outcomes = Counter(row["outcome"] for row in rows)
    assert outcomes["succeeded"] == sent["ok"]
    assert outcomes["failed"] == sent["503"] + sent["cut_mid_event"]
    assert outcomes["lost"] + outcomes["started"] == sent["dies"]
    settled = [row for row in rows if row["outcome"] == "succeeded"]
    assert {(row["input_tokens"], row["output_tokens"]) for row in settled} == {(12, 4)}, "the provider's own count"
    prices = {(row["provider"], row["price"]) for row in settled}
    assert len(prices) == len(PROVIDERS) and all(price > 0 for _, price in prices)
