"""Model calls as activities make them: routed, on record, stopped at once, typed when they fail."""

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

import pytest
from pydantic import BaseModel, SecretStr
from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.heartbeat import heartbeat
from activities.model_access import ModelAccess
from activities.model_call import complete_model, stream_model, use_tools
from inference import Inference
from inference.settings import InferenceSettings, ProviderSettings
from inference.tools import Tool
from inference.wire import gather
from schemas.failures import Failure
from schemas.inference import ActionKey, Delta, Message, ModelOverrides, TextDelta
from storage.breakers import Breakers
from storage.database import Database
from storage.keyring import KeyRing, KeySource, new_key
from storage.ledger import Ledger
from storage.vault import Vault
from tests.fault_server import TEXT, FaultServer
from tests.inference.conftest import KEY, shared_client

MESSAGES = (Message(role="user", content="Tell a story."),)
ONE = ModelOverrides(model="openai/gpt-4.1", fallback="openai/gpt-4.1")
TWO = ModelOverrides(model="openai/gpt-4.1", fallback="anthropic/claude-haiku-4.5")


@dataclass
class Given:
    user_id: str = "u1"
    execution: int = 1


@dataclass
class Rooms:
    database: Database
    inference: Inference
    ledger: Ledger
    vault: Vault


@dataclass
class Step:
    rooms: Rooms
    given: Given
    session_id: str = "s1"
    id: str = "o1"
    access: ModelAccess = field(default_factory=ModelAccess)

    async def model_access(self) -> ModelAccess:
        return self.access


@pytest.fixture
async def server() -> AsyncIterator[FaultServer]:
    async with FaultServer() as server:
        yield server


def step_with(database: Database, server: FaultServer, **faults: str) -> Step:
    providers = {
        name: ProviderSettings(base_url=server.url(fault), key=SecretStr(KEY)) for name, fault in faults.items()
    }
    inference = Inference(InferenceSettings(providers=providers, stall_timeout=60), client=shared_client())
    vault = Vault(database, KeySource.given(KeyRing([new_key()]).text()))
    return Step(Rooms(database, inference, Ledger(database), vault), Given())


def environment(attempt: int = 1) -> ActivityEnvironment:
    made = ActivityEnvironment()
    made.info = dataclasses.replace(made.info, attempt=attempt, heartbeat_timeout=timedelta(seconds=0.3))
    return made


async def ask(step: Step, overrides: ModelOverrides = ONE) -> list[Delta]:
    return [delta async for delta in stream_model(step, ActionKey.CODE_REVIEW, MESSAGES, overrides=overrides)]


async def test_an_answer_is_on_record_with_its_price(database: Database, server: FaultServer) -> None:
    step = step_with(database, server, openai="ok")
    deltas = await environment().run(ask, step)
    assert gather(deltas).text == "".join(TEXT)
    (row,) = await step.rooms.ledger.attempts("s1")
    assert (row.outcome, row.finish_reason, row.provider, row.model) == (
        "succeeded", "stop", "openai", "openai/gpt-4.1",
    )  # fmt: skip
    assert (row.input_tokens, row.output_tokens, row.estimated) == (12, 4, False)
    assert row.price == Decimal("0.000056") and row.price_source.startswith("genai-prices ")
    assert row.reserved > row.price
    assert row.time_to_first_token is not None and row.duration >= row.time_to_first_token
    assert row.context_parts["user"] > 0
    assert (row.action, row.execution, row.attempt, row.user_id) == (ActionKey.CODE_REVIEW, 1, 1, "u1")


async def test_the_same_attempt_is_charged_once(database: Database, server: FaultServer) -> None:
    step = step_with(database, server, openai="ok")
    await environment().run(ask, step)
    await environment().run(ask, step)
    assert (await step.rooms.ledger.session_totals("s1")).calls == 1


async def test_a_failure_is_typed_recorded_and_waits_as_told(database: Database, server: FaultServer) -> None:
    step = step_with(database, server, openai="429_seconds")
    with pytest.raises(ApplicationError) as caught:
        await environment().run(ask, step)
    error = caught.value
    assert (error.type, error.non_retryable, error.next_retry_delay) == ("RateLimited", False, timedelta(seconds=2))
    failure = Failure.model_validate(error.details[0])
    assert (failure.code, failure.retry_after) == ("rate_limited", 2.0)
    (row,) = await step.rooms.ledger.attempts("s1")
    assert (row.outcome, row.error_code, row.output_tokens) == ("failed", "rate_limited", 0)
    (state,) = await Breakers(database).states()
    assert (state.key, state.state) == ("openai/openai/gpt-4.1", "open")


async def test_a_long_wait_is_left_to_the_workflow(database: Database, server: FaultServer) -> None:
    step = step_with(database, server, openai="429_long")
    with pytest.raises(ApplicationError) as caught:
        await environment().run(ask, step)
    assert caught.value.non_retryable
    assert Failure.model_validate(caught.value.details[0]).retry_after == 600


async def test_a_bad_key_is_not_tried_again_and_not_shown(database: Database, server: FaultServer) -> None:
    step = step_with(database, server, openai="401")
    with pytest.raises(ApplicationError) as caught:
        await environment().run(ask, step)
    assert caught.value.non_retryable
    shown = f"{caught.value!r} {caught.value.details} {caught.value.__cause__!r}"
    assert "sk-" not in shown
    assert await Breakers(database).states() == [], "a bad key says nothing about the provider's health"


async def test_attempts_walk_the_route(database: Database, server: FaultServer) -> None:
    step = step_with(database, server, openai="503", openrouter="503", anthropic="ok")
    for attempt in (1, 2):
        with pytest.raises(ApplicationError) as caught:
            await environment(attempt).run(ask, step, TWO)
        assert not caught.value.non_retryable and caught.value.next_retry_delay is None
    assert gather(await environment(3).run(ask, step, TWO)).text == "".join(TEXT)
    rows = await step.rooms.ledger.attempts("s1")
    assert [(row.provider, row.route_reason) for row in rows] == [
        ("openai", "configured model"),
        ("openrouter", "configured model at another provider"),
        ("anthropic", "fallback model"),
    ]


async def test_an_open_breaker_sends_traffic_elsewhere(database: Database, server: FaultServer) -> None:
    step = step_with(database, server, openai="ok", openrouter="ok")
    for _ in range(3):
        await Breakers(database).failed("openai", "provider_overloaded")
    await environment().run(ask, step)
    (row,) = await step.rooms.ledger.attempts("s1")
    assert row.provider == "openrouter"


async def test_a_stop_closes_the_connection_and_records_what_was_seen(database: Database, server: FaultServer) -> None:
    step = step_with(database, server, openai="hang_middle")
    env = environment()

    async def read() -> None:
        async for delta in stream_model(step, ActionKey.CODE_REVIEW, MESSAGES, overrides=ONE):
            assert not isinstance(delta, TextDelta) or texts.append(delta.text) is None

    texts: list[str] = []
    task = asyncio.ensure_future(env.run(read))
    async with asyncio.timeout(10):
        while len(texts) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    started = time.monotonic()
    env.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(server.seen[0].closed.wait(), 2)
    assert server.seen[0].closed_at is not None and server.seen[0].closed_at - started < 1
    (row,) = await step.rooms.ledger.attempts("s1")
    assert (row.outcome, row.estimated, row.error_code) == ("cancelled", True, "cancelled")
    assert row.input_tokens > 0 and row.output_tokens > 0


async def test_a_stop_closes_the_connection_of_a_busy_consumer_too(database: Database, server: FaultServer) -> None:
    step = step_with(database, server, openai="endless")
    env = environment()
    busy = asyncio.Event()

    async def read() -> None:
        stream = stream_model(step, ActionKey.CODE_REVIEW, MESSAGES, overrides=ONE)
        async for _ in stream:
            busy.set()
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                await asyncio.wait_for(server.seen[0].closed.wait(), 1)
                raise

    task = asyncio.ensure_future(env.run(read))
    await asyncio.wait_for(busy.wait(), 10)
    env.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert server.seen[0].closed.is_set()
    async with asyncio.timeout(5):
        while (await step.rooms.ledger.attempts("s1"))[0].outcome == "started":  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert (await step.rooms.ledger.attempts("s1"))[0].outcome == "cancelled"


async def test_a_consumer_that_shrugs_off_a_stop_gets_no_quiet_end(database: Database, server: FaultServer) -> None:
    step = step_with(database, server, openai="endless")
    env = environment()
    busy = asyncio.Event()

    async def read() -> str:
        async for _ in stream_model(step, ActionKey.CODE_REVIEW, MESSAGES, overrides=ONE):
            busy.set()
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(60)
            await server.seen[0].closed.wait()
        return "complete"

    task = asyncio.ensure_future(env.run(read))
    await asyncio.wait_for(busy.wait(), 10)
    env.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 10)


class Fruit(BaseModel):
    name: str
    count: int


async def test_a_structured_answer_is_repaired_on_record(database: Database, server: FaultServer) -> None:
    step = step_with(database, server, openai="answers")
    server.answers = ['{"name": "plum"}', '{"name": "plum", "count": 3}']
    seen: list[str] = []

    async def complete() -> Fruit:
        return await complete_model(step, ActionKey.CODE_REVIEW, MESSAGES, Fruit, overrides=ONE, on_text=seen.append)

    assert await environment().run(complete) == Fruit(name="plum", count=3)
    assert seen == ['{"name": "plum"}']
    first, second = await step.rooms.ledger.attempts("s1")
    assert (first.call_number, second.call_number) == (0, 1)
    assert second.model == "openai/gpt-5-mini", "the repair goes to a cheaper model"
    request = server.seen[1].body
    assert "count" in str(request["messages"]) and "Tell a story" not in str(request["messages"])


async def test_an_answer_out_of_form_twice_is_a_retryable_failure(database: Database, server: FaultServer) -> None:
    step = step_with(database, server, openai="answers")
    server.answers = ["I would rather not.", "Sorry."]

    async def complete() -> Fruit:
        return await complete_model(step, ActionKey.CODE_REVIEW, MESSAGES, Fruit, overrides=ONE)

    with pytest.raises(ApplicationError) as caught:
        await environment().run(complete)
    assert (caught.value.type, caught.value.non_retryable) == ("MalformedOutput", False)


async def test_every_turn_of_a_tool_loop_is_on_record(database: Database, server: FaultServer) -> None:
    step = step_with(database, server, openai="answers")
    server.answers = ["No tool is needed."]

    async def work() -> str:
        tool = Tool("count", "Count.", Fruit, lambda fruit: asyncio.sleep(0, fruit.count), "none")
        result = await use_tools(step, ActionKey.CODE_REVIEW, MESSAGES, [tool], overrides=ONE, call_number=5)
        return f"{result.stopped}: {result.text}"

    assert await environment().run(work) == "answered: No tool is needed."
    assert [row.call_number for row in await step.rooms.ledger.attempts("s1")] == [5]
    assert server.seen[0].body["tools"][0]["function"]["name"] == "count"


async def test_nothing_configured_says_what_to_set(database: Database, server: FaultServer) -> None:
    step = step_with(database, server)
    with pytest.raises(ApplicationError) as caught:
        await environment().run(ask, step)
    assert caught.value.type == "NotConfigured" and caught.value.non_retryable
    assert "OPENAI_API_KEY" in str(caught.value)


async def test_an_override_that_is_not_allowed_is_refused(database: Database, server: FaultServer) -> None:
    step = step_with(database, server, openai="ok")

    async def converse() -> None:
        async for _ in stream_model(step, ActionKey.CONVERSATION, MESSAGES, overrides=ONE):
            pass

    with pytest.raises(ApplicationError) as caught:
        await environment().run(converse)
    assert caught.value.type == "ModelNotAllowed" and caught.value.non_retryable


async def test_the_beat_goes_on_while_an_activity_waits() -> None:
    env = environment()
    beats: list[object] = []
    env.on_heartbeat = lambda *details: beats.append(details)

    async def work() -> None:
        async with heartbeat("start") as beat:
            await asyncio.sleep(0.25)
            beat.details = ("end",)

    await env.run(work)
    assert len(beats) >= 3
    assert beats[0] == ("start",) and beats[-1] == ("end",)
    assert activity.in_activity() is False


class TestBreakersAndAttempts:
    async def test_a_limit_that_opens_its_breaker_does_not_bring_the_call_back(
        self, database: Database, server: FaultServer
    ) -> None:
        step = step_with(database, server, openai="429_seconds", anthropic="ok")
        with pytest.raises(ApplicationError) as caught:
            await environment(1).run(ask, step, TWO)
        assert caught.value.next_retry_delay is None and not caught.value.non_retryable
        assert gather(await environment(2).run(ask, step, TWO)).text == "".join(TEXT)

    async def test_a_breaker_that_opens_between_attempts_leaves_the_route_whole(
        self, database: Database, server: FaultServer
    ) -> None:
        for _ in range(2):
            await Breakers(database).failed("openai", "provider_error")
        step = step_with(database, server, openai="500", anthropic="ok")
        with pytest.raises(ApplicationError):
            await environment(1).run(ask, step, TWO)
        assert gather(await environment(2).run(ask, step, TWO)).text == "".join(TEXT)

    async def test_every_step_is_tried_before_one_is_tried_again(self, database: Database, server: FaultServer) -> None:
        await Breakers(database).failed("openai", "rate_limited", 60)
        step = step_with(database, server, openai="500", openrouter="500", anthropic="500")
        for attempt in (1, 2, 3, 4):
            with pytest.raises(ApplicationError):
                await environment(attempt).run(ask, step, TWO)
        tried = [(row.provider, row.model) for row in await step.rooms.ledger.attempts("s1")]
        assert len(set(tried)) == 4 and tried[0][0] == "openrouter" and tried[3][0] == "openai"

    async def test_a_long_wait_sends_the_call_to_another_model_of_the_provider(
        self, database: Database, server: FaultServer
    ) -> None:
        step = step_with(database, server, openai="429_long,ok")
        flash = ModelOverrides(model="openai/gpt-4.1", fallback="openai/gpt-5-mini")
        with pytest.raises(ApplicationError) as caught:
            await environment(1).run(ask, step, flash)
        assert not caught.value.non_retryable and caught.value.next_retry_delay is None
        assert gather(await environment(2).run(ask, step, flash)).text == "".join(TEXT)

    async def test_the_only_way_there_is_closes_its_breaker(self, database: Database, server: FaultServer) -> None:
        breakers = Breakers(database)
        for _ in range(3):
            await breakers.failed("openai", "provider_error")
        await database.pool.execute("UPDATE provider_breakers SET opened_at = now() - interval '10 s'")
        await environment().run(ask, step_with(database, server, openai="ok"))
        assert [state.state for state in await breakers.states()] == ["closed"]

    async def test_a_repair_begins_its_own_route_at_every_attempt(
        self, database: Database, server: FaultServer
    ) -> None:
        step = step_with(database, server, openai="answers", anthropic="answers", google="answers")
        server.answers = ["no", "no", "no", '{"name": "plum", "count": 3}']

        async def complete() -> Fruit:
            return await complete_model(step, ActionKey.CODE_REVIEW, MESSAGES, Fruit, overrides=TWO)

        with pytest.raises(ApplicationError):
            await environment(1).run(complete)
        assert await environment(2).run(complete) == Fruit(name="plum", count=3)
        rows = [(row.attempt, row.call_number, row.model) for row in await step.rooms.ledger.attempts("s1")]
        assert rows == [
            (1, 0, "openai/gpt-4.1"), (1, 1, "google/gemini-2.5-flash-lite"),
            (2, 0, "anthropic/claude-haiku-4.5"), (2, 1, "google/gemini-2.5-flash-lite"),
        ]  # fmt: skip
