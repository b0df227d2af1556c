"""Without Postgres nothing is admitted: no request reaches a provider, and what was to be admitted stays bounded."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import SecretStr
from temporalio.exceptions import ApplicationError

from api.model_calls import ModelCalls
from inference.custom import UserCredentials
from schemas.inference import ActionKey
from schemas.limits import LimitRules
from storage.budgets import Budgets
from storage.database import Database
from storage.ledger import Ledger
from tests.activities.test_model_call import ONE, Step, ask, environment, server, step_with  # noqa: F401
from tests.fault_server import FaultServer
from tests.fragile_postgres import FragilePostgres

MANY = 5
AWAY = 1.0


@pytest.fixture(scope="module")
def fragile() -> Iterator[FragilePostgres]:
    postgres = FragilePostgres(Path(tempfile.mkdtemp(prefix="stich-fragile-")))
    yield postgres
    postgres.remove()


@pytest.fixture
async def fragile_database(fragile: FragilePostgres) -> AsyncIterator[Database]:
    database = await Database.connect(fragile.dsn, timeout=3)
    await database.migrate()
    yield database
    database.pool.terminate()


async def away(fragile: FragilePostgres, how: str) -> None:
    {"killed": fragile.kill, "stopped": fragile.stop, "frozen": fragile.freeze}[how]()


async def back(fragile: FragilePostgres, how: str) -> None:
    if how == "frozen":
        fragile.thaw()
    else:
        await fragile.start()


@pytest.mark.parametrize("how", ["killed", "stopped", "frozen"])
async def test_no_call_leaves_while_postgres_is_away_and_the_budget_holds_afterwards(
    fragile: FragilePostgres,
    fragile_database: Database,
    server: FaultServer,  # noqa: F811
    how: str,
) -> None:
    step = step_with(fragile_database, server, openai="ok")
    step.given.user_id, step.session_id = f"who-{how}", f"session-{how}"
    await environment().run(ask, step)
    (first,) = await step.rooms.ledger.attempts(step.session_id)
    assert first.price is not None
    budget = first.price + first.reserved * Decimal("1.5")  # one more call fits, two side by side do not
    await Budgets(fragile_database).set(step.given.user_id, "user", {"day": budget})
    before = len(server.seen)

    await away(fragile, how)
    steps = [Step(step.rooms, step.given, step.session_id, f"{how}-{number}") for number in range(MANY)]
    calls = [asyncio.create_task(environment().run(ask, each)) for each in steps]
    try:
        await asyncio.sleep(AWAY)
        assert len(server.seen) == before, "a call was made that is not on record"
        assert not any(call.done() for call in calls)
    finally:
        await back(fragile, how)
    ends = await asyncio.gather(*calls, return_exceptions=True)
    refused = [end for end in ends if isinstance(end, ApplicationError)]
    assert all(end.type == "OverBudget" for end in refused) and len(refused) <= MANY - 1, ends
    rows = await step.rooms.ledger.attempts(step.session_id)
    assert len(server.seen) == len(rows) == 1 + MANY - len(refused)
    assert sum(row.price or Decimal(0) for row in rows) <= budget


@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_a_limit_admits_nothing_while_postgres_is_away(
    fragile: FragilePostgres,
    fragile_database: Database,
    server: FaultServer,  # noqa: F811
    how: str,
) -> None:
    step = step_with(fragile_database, server, openai="ok")
    step.given.user_id, step.session_id = f"limited-{how}", f"limited-{how}"
    step.rooms.ledger = Ledger(fragile_database, LimitRules.parse("calls=1/hour"))
    await away(fragile, how)
    steps = [Step(step.rooms, step.given, step.session_id, f"{how}-{number}") for number in range(MANY)]
    calls = [asyncio.create_task(environment().run(ask, each)) for each in steps]
    try:
        await asyncio.sleep(AWAY)
        assert not server.seen
    finally:
        await back(fragile, how)
    ends = await asyncio.gather(*calls, return_exceptions=True)
    refused = [end for end in ends if isinstance(end, ApplicationError) and end.type == "LimitReached"]
    assert (len(server.seen), len(refused)) == (1, MANY - 1), ends


@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_a_key_is_not_tried_off_the_record(
    fragile: FragilePostgres,
    fragile_database: Database,
    server: FaultServer,  # noqa: F811
    how: str,
) -> None:
    rooms = step_with(fragile_database, server, openai="ok").rooms
    trying = ModelCalls(rooms.inference, rooms.ledger)
    user = UserCredentials("u1", keys={"openai": SecretStr("a key of the user")})
    await away(fragile, how)
    try:
        call = asyncio.create_task(trying.ask("try-key", "u1", user, ActionKey.CODE_REVIEW, ONE))
        ended, _ = await asyncio.wait([call], timeout=AWAY)
        assert not ended or call.exception() is not None
        assert not server.seen
        call.cancel()
    finally:
        await back(fragile, how)
