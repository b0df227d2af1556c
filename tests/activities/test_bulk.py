"""Calls of bulk sessions go by batch endpoints: once, at half the price, and the usual way where that fails."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr
from temporalio.exceptions import ApplicationError

from activities import bulk
from activities.model_call import stream_model
from activities.step import running
from inference import Inference
from inference.settings import InferenceSettings, ProviderSettings
from schemas.inference import ActionKey, AttemptRecord, Message, ModelOverrides, TextDelta
from schemas.operations import OperationInput
from schemas.session import SessionRequest
from storage.batches import Batches
from storage.sessions import SessionRecord, Sessions
from tests.activities.conftest import ModelRooms
from tests.batch_server import BatchServer
from tests.inference.conftest import KEY, shared_client

PROMPT = [Message(role="user", content="Plan a board.")]
SESSION = "bulk-1"


class Bulk:
    """A bulk session, and the server that takes its batches."""

    def __init__(self, rooms: ModelRooms, server: BatchServer) -> None:
        self.rooms = rooms.rooms
        self.server = server
        self._model_rooms = rooms
        self._execution = 0

    async def ask(self, action: ActionKey = ActionKey.BLUEPRINT, model: str = "openai/gpt-4.1") -> str:
        """What one run of the step comes to: the answer, or the code of its failure."""
        self._execution += 1
        common: dict[str, Any] = self._model_rooms.common("blueprint", action.value)
        given = OperationInput(**common | {"session_id": SESSION, "execution": self._execution})

        async def activity(given: OperationInput) -> str:
            async with running(self.rooms, given) as step:
                overrides = ModelOverrides(model=model)
                deltas = stream_model(step, action, PROMPT, overrides=overrides)
                return "".join([delta.text async for delta in deltas if isinstance(delta, TextDelta)])

        try:
            return await self._model_rooms.run(activity, given)
        except ApplicationError as error:
            return str(error.type)

    async def ledger(self) -> list[AttemptRecord]:
        found: list[AttemptRecord] = await self.rooms.ledger.attempts(SESSION)
        return found


@pytest.fixture
async def session(model_rooms: ModelRooms) -> AsyncIterator[Bulk]:
    server = BatchServer("Half the price.")
    async with server.listening() as url:
        providers = {
            "openai": ProviderSettings(base_url=f"{url}/v1", key=SecretStr(KEY)),
            "anthropic": ProviderSettings(base_url=url, key=SecretStr(KEY)),
        }
        settings = InferenceSettings(providers=providers, model="openai/gpt-4.1")
        model_rooms.rooms.inference = Inference(settings, client=shared_client())
        request = SessionRequest(prompt="A board", bulk=True)
        record = SessionRecord(id=SESSION, prompt="A board", mode="deterministic", request=request, state="planning")
        await model_rooms.rooms.sessions.create(record)
        yield Bulk(model_rooms, server)


async def test_a_call_waits_for_its_batch_and_costs_half(session: Bulk) -> None:
    assert await session.ask() == "batch_pending"
    assert await session.ask() == "batch_pending"
    assert len(session.server.batches) == 1, "it is handed in once, however often it is asked for"
    [waiting] = await session.ledger()
    assert (waiting.outcome, waiting.execution) == ("started", 1)
    assert waiting.reserved > 0, "it is reserved until it is there"
    session.server.away = True
    assert await session.ask() == "batch_pending", "a provider that does not answer is asked later"
    session.server.away = False
    session.server.finish()
    assert await session.ask() == "Half the price."
    [settled] = await session.ledger()
    assert (settled.outcome, settled.execution, settled.input_tokens) == ("succeeded", 1, 1_000)
    assert settled.price == Decimal("0.0028") / 2, "1,000 tokens at 2 dollars and 100 at 8 per million"
    assert settled.price_source.endswith("batch")
    assert await session.ask() == "Half the price.", "a worker that died then finds it again"
    assert len(await session.ledger()) == 1 and session.server.direct == 0
    assert session.server.batches["batch_1"]["body"]["stream"] is False


@pytest.mark.parametrize("end", ["failed", "expired", "cancelled", "call_failed"])
async def test_a_batch_without_an_answer_goes_the_usual_way(session: Bulk, end: Any) -> None:
    assert await session.ask() == "batch_pending"
    session.server.finish(end)
    assert await session.ask() == "Half the price."
    assert session.server.direct == 1
    lost, made = sorted(await session.ledger(), key=lambda record: record.execution)
    assert (lost.outcome, lost.error_code, lost.price) == ("failed", "batch_failed", Decimal(0))
    assert (made.outcome, made.price) == ("succeeded", Decimal("0.0028"))
    assert await session.ask() == "Half the price.", "and is not handed in again"
    assert len(session.server.batches) == 1


async def test_what_does_not_suit_goes_the_usual_way(session: Bulk) -> None:
    assert await session.ask(ActionKey.DEEP_DEBUGGER) == "Half the price."
    session.server.refuses = True
    assert await session.ask() == "Half the price."
    assert session.server.batches == {} and session.server.direct == 2
    await session.rooms.database.pool.execute("UPDATE sessions SET request = NULL")
    session.server.refuses = False
    assert await session.ask() == "Half the price."
    assert session.server.batches == {}


async def test_a_stop_gives_the_batch_up_and_a_resume_hands_it_in_again(session: Bulk) -> None:
    assert await session.ask() == "batch_pending"
    batches = Batches(session.rooms.database)
    assert await batches.unwanted() == []
    await Sessions(session.rooms.database).set_state(SESSION, "stopped")
    for batch in await batches.unwanted():
        await bulk.give_up(session.rooms, batch)
    assert session.server.cancelled == ["batch_1"] and await batches.unwanted() == []
    [given_up] = await session.ledger()
    assert (given_up.outcome, given_up.price) == ("cancelled", Decimal(0))
    await Sessions(session.rooms.database).set_state(SESSION, "planning")
    assert await session.ask() == "batch_pending"
    assert list(session.server.batches) == ["batch_1", "batch_2"]
    session.server.finish()
    assert await session.ask() == "Half the price."


async def test_anthropic(session: Bulk) -> None:
    model = "anthropic/claude-haiku-4-5"
    assert await session.ask(model=model) == "batch_pending"
    assert await session.ask(model=model) == "batch_pending"
    assert "max_tokens" in session.server.batches["batch_1"]["body"]
    session.server.finish()
    assert await session.ask(model=model) == "Half the price."
    [settled] = await session.ledger()
    assert settled.price == Decimal("0.0015") / 2, "1,000 tokens at 1 dollar and 100 at 5 per million"


def test_the_pauses_grow_with_the_wait() -> None:
    first = bulk.pending(None)
    assert first.non_retryable and first.details[0]["retry_after"] == bulk.SHORTEST_PAUSE
