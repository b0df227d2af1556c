"""The one way activities call a model: routed by attempt, on record before and after, typed when it fails.

One attempt of an activity makes one call (and at most one repair of a structured answer). The row in the ledger is
written before the call, brought up to date while a long answer streams, and settled however it ends: success, failure,
stop, or the consumer walking away.
"""

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from typing import Protocol, TypeVar

import structlog
from pydantic import BaseModel
from temporalio import activity

from activities import bulk
from activities.admission import SHORT_WAIT, refusal
from activities.model_access import ModelAccess, not_allowed
from activities.traffic import Answered
from codegen.prompts import parts_of
from inference import Inference, Plan, tokens
from inference.agents import NotAllowed
from inference.bulk import BatchAway, BatchRefused, BatchResult
from inference.errors import InferenceError, rejects, to_application_error
from inference.records import attempt_record, most_tokens
from inference.routing import Tried
from inference.tools import LoopResult, OnResult, OnStart, Tool, loop
from schemas.inference import (
    ActionKey,
    AttemptRecord,
    Delta,
    Finish,
    Message,
    ModelCall,
    ModelOverrides,
    Outcome,
    ToolSpec,
)
from storage.batches import Batches
from storage.breakers import Breakers
from storage.budgets import OverBudget
from storage.database import Database, until_available
from storage.ledger import Ledger
from storage.limits import LimitReached
from storage.traffic import Traffic
from storage.vault import Vault

log = structlog.get_logger(__name__)

A = TypeVar("A", bound=BaseModel)
T = TypeVar("T", bound=BaseModel)

PROGRESS_SECONDS = 5.0
"""How often a running call's tokens are written down: what a killed worker can leave uncounted."""

WORTH_CACHING = 1_024
"""Tokens: the smallest prefix that providers cache."""

BREAKER_SECONDS = 2.0
"""How long a call waits to learn the providers' health; without an answer it goes ahead."""

_settling: set[asyncio.Task[None]] = set()
"""Rows that are still being written when their activity is gone; held so that they are not collected."""


class ModelRooms(Protocol):
    """What a model call needs of the worker's rooms."""

    @property
    def database(self) -> Database: ...
    @property
    def inference(self) -> Inference: ...
    @property
    def ledger(self) -> Ledger: ...
    @property
    def vault(self) -> Vault: ...


class OperationFacts(Protocol):
    @property
    def user_id(self) -> str: ...
    @property
    def execution(self) -> int: ...


class ModelStep(Protocol):
    """The running step that a call belongs to; `activities.step.Step` is one."""

    @property
    def rooms(self) -> ModelRooms: ...
    @property
    def given(self) -> OperationFacts: ...
    @property
    def session_id(self) -> str: ...
    @property
    def id(self) -> str: ...
    async def model_access(self) -> ModelAccess: ...


async def stream_model(
    step: ModelStep,
    action: ActionKey,
    messages: Sequence[Message],
    *,
    tools: Sequence[ToolSpec] = (),
    call_number: int = 0,
    cacheable_prefix: int | None = None,
    overrides: ModelOverrides | None = None,
) -> AsyncGenerator[Delta, None]:
    """The answer of the model that serves `action`, delta by delta, with `Finish` as the last.

    `call_number` tells apart several calls of one attempt; `cacheable_prefix` counts the leading messages that stay the
    same from call to call, by default the system messages. A stop of the activity closes the connection at once, even
    while the consumer is busy with a delta. Raises ApplicationError; what was yielded before it is not an answer.
    """
    access = await step.model_access()
    call = _call(step, access, action, messages, call_number, cacheable_prefix, overrides).model_copy(
        update={"tools": tuple(tools)}
    )
    async with aclosing(_attempted(step, call, access)) as deltas:
        async for delta in deltas:
            yield delta


async def complete_model(
    step: ModelStep,
    action: ActionKey,
    messages: Sequence[Message],
    schema: type[T],
    *,
    on_text: Callable[[str], None] | None = None,
    call_number: int = 0,
    cacheable_prefix: int | None = None,
    overrides: ModelOverrides | None = None,
) -> T:
    """The answer as `schema`, repaired once by a cheaper model where it does not fit. `on_text` sees the text as it is
    written. The repair takes the call number after `call_number`. Raises ApplicationError."""
    access = await step.model_access()
    call = _call(step, access, action, messages, call_number, cacheable_prefix, overrides).model_copy(
        update={"output_name": action.value}
    )

    def run(call: ModelCall) -> AsyncGenerator[Delta, None]:
        return _attempted(step, call, access)

    def repair(call: ModelCall) -> AsyncGenerator[Delta, None]:
        return _attempted(step, call, access, repair=True)

    try:
        completion = await step.rooms.inference.complete_with(
            run, repair, call, schema, user=access.user, on_text=on_text
        )
    except InferenceError as error:  # the answer came, but not in form
        raise to_application_error(error, attempt=_attempt()) from None
    return completion.value


async def use_tools(
    step: ModelStep,
    action: ActionKey,
    messages: Sequence[Message],
    tools: Sequence[Tool[A]],
    *,
    depth: int | None = None,
    call_number: int = 0,
    cacheable_prefix: int | None = None,
    on_delta: Callable[[Delta], None] | None = None,
    on_start: OnStart | None = None,
    on_result: OnResult | None = None,
    overrides: ModelOverrides | None = None,
) -> LoopResult:
    """Let the model call `tools` until it is done (see `inference.tools.loop`). Each of its turns is one call on
    record, numbered from `call_number` on. Raises ApplicationError; what the tools did before it has been done."""
    access = await step.model_access()
    call = _call(step, access, action, messages, call_number, cacheable_prefix, overrides)
    return await loop(
        lambda asked: _attempted(step, asked, access),
        call,
        tools,
        depth=depth,
        on_delta=on_delta,
        on_start=on_start,
        on_result=on_result,
    )


def _call(
    step: ModelStep,
    access: ModelAccess,
    action: ActionKey,
    messages: Sequence[Message],
    call_number: int,
    cacheable_prefix: int | None,
    overrides: ModelOverrides | None,
) -> ModelCall:
    """What every call of a step has in common."""
    return ModelCall(
        action=action,
        messages=tuple(messages),
        session_id=step.session_id,
        operation_id=step.id,
        user_id=step.given.user_id,
        call_number=call_number,
        context_parts=parts_of(messages),
        cacheable_prefix=_stable(messages) if cacheable_prefix is None else cacheable_prefix,
        overrides=access.overrides(action, step.rooms.inference.settings, overrides),
    )


def _stable(messages: Sequence[Message]) -> int:
    """How many leading messages are worth caching at the provider: the system messages, if there is enough of them."""
    leading = list(itertools.takewhile(lambda message: message.role == "system", messages))
    return len(leading) if sum(map(tokens.of_message, leading)) >= WORTH_CACHING else 0


def _attempt() -> int:
    return activity.info().attempt


async def _attempted(
    step: ModelStep, call: ModelCall, access: ModelAccess, *, repair: bool = False
) -> AsyncGenerator[Delta, None]:
    """One call to a provider, on record from before its first byte."""
    plan = await _plan(step, call, access, repair)
    entry = _Entry(step, plan)
    if not repair and (whole := await _batched(step, plan, entry)) is not None:
        for delta in whole:
            yield delta
        return
    deltas = step.rooms.inference.run(plan)
    stop = asyncio.create_task(_close_when_stopped(deltas, entry))
    try:
        await entry.reserve()
        async with aclosing(deltas):
            async for delta in deltas:
                entry.answered.add(delta)
                if type(delta) is Finish:
                    entry.finish = delta
                    await entry.settle("succeeded")
                yield delta
                if time.monotonic() >= entry.next_progress:
                    await entry.progress()
        if entry.finish is None:  # closed by a stop while the consumer was busy: an end, but not of the answer
            raise asyncio.CancelledError
    except InferenceError as error:
        await entry.settle("failed", error)
        raise to_application_error(
            error,
            attempt=plan.attempt,
            waits=plan.waits(error),
            steps_left=plan.steps_left,
            then=plan.after(error),
        ) from None
    finally:
        stop.cancel()
        await entry.settle("cancelled")


async def _batched(step: ModelStep, plan: Plan, entry: "_Entry") -> list[Delta] | None:
    """The answer of a bulk session's call that came by a batch. None where the call goes the usual way: it does not
    suit, or the batch gave no answer. Raises ApplicationError while it is waited for."""
    batches = Batches(step.rooms.database)
    if not bulk.suits(plan) or not await until_available(lambda: batches.wanted(step.session_id), "looking for bulk"):
        return None
    client, inference = step.rooms.inference.bulk, step.rooms.inference
    path, body = inference.bulk_request(plan)
    key = bulk.key_of(plan, body)
    known = await until_available(lambda: batches.find(key), "looking for a batch")
    if known is None or known.state == "cancelled":
        await entry.reserve()
        name = bulk.name_of(key, known.batch_id if known else "")
        try:
            batch_id = await client.submit(plan.endpoint, path, name, body)
        except BatchRefused as error:
            log.warning("a call goes the usual way", provider=plan.step.provider, reason=str(error))
            return None
        user_id, sent = step.given.user_id, entry.leave_open()
        await until_available(
            lambda: batches.add(key, user_id, plan.step.provider, batch_id, name, sent), "noting a batch"
        )
        raise bulk.pending(None)
    if known.state == "failed":
        return None
    try:
        found = await client.look(plan.endpoint, known.batch_id, known.name)
    except BatchAway:
        found = BatchResult(working=True)
    except BatchRefused as error:
        found = BatchResult(reason=str(error))
    if found.working:
        entry.leave_open()
        raise bulk.pending(known.sent_at)
    try:
        if found.answer is None:
            raise BatchRefused(found.reason)
        deltas = inference.from_batch(plan, found.answer)
    except (BatchRefused, InferenceError) as error:
        log.warning("a batch gave no answer", provider=plan.step.provider, reason=str(error)[:200])
        await step.rooms.ledger.settle(bulk.unspent(known.record, "failed", "batch_failed"))
        await batches.end(key, "failed", str(error))
        return None
    await entry.settle_batch(deltas, known.record)
    await batches.end(key, "done")
    return deltas


async def _plan(step: ModelStep, call: ModelCall, access: ModelAccess, repair: bool) -> Plan:
    """The plan of this attempt. A repair has a route of its own: only failures take it off the first step."""
    inference, user, attempt = step.rooms.inference, access.user, _attempt()
    try:
        plan = inference.plan(call, attempt=attempt, user=user, tried=() if repair else None)
        if len(plan.steps) > 1:
            breakers = Breakers(step.rooms.database)
            with suppress(TimeoutError, OSError):
                async with asyncio.timeout(BREAKER_SECONDS):
                    tried = await _tried(step, call, attempt, repair)
                    speeds = await step.rooms.ledger.speeds() if _by_speed(inference, call) else None
                    plan = inference.plan(call, attempt=attempt, user=user, tried=tried, speeds=speeds)
                    avoid = await breakers.avoided(plan.step.keys)
                plan = inference.plan(call, attempt=attempt, user=user, tried=tried, avoid=avoid, speeds=speeds)
    except InferenceError as error:
        raise to_application_error(error, attempt=attempt) from None
    except NotAllowed as error:
        raise not_allowed(error) from None
    return plan


async def _tried(step: ModelStep, call: ModelCall, attempt: int, repair: bool) -> list[Tried]:
    """Where the attempts before this one went, as the ledger has it: breakers open and close between them."""
    if attempt == 1:
        return []
    number = None if repair else call.call_number
    rows = await step.rooms.ledger.tried(call.session_id, call.operation_id, step.given.execution, attempt, number)
    return [Tried(provider, model, rejects(code)) for provider, model, code in rows]


def _by_speed(inference: Inference, call: ModelCall) -> bool:
    return (call.overrides.policy or inference.settings.policy) == "speed"


async def _close_when_stopped(deltas: AsyncGenerator[Delta, None], entry: "_Entry") -> None:
    """Close the connection when the activity is told to stop while its consumer holds a delta. (While the call itself
    is awaited, the cancellation arrives there.)"""
    await activity.wait_for_cancelled()
    with suppress(RuntimeError):  # it is running: then it is being cancelled itself
        await deltas.aclose()
        await entry.settle("cancelled")


class _Entry:
    """The ledger's row of one call, and what its end says about the provider's health. Settles once."""

    def __init__(self, step: ModelStep, plan: Plan) -> None:
        self._ledger = step.rooms.ledger
        self._breakers = Breakers(step.rooms.database)
        self._vault = step.rooms.vault
        self._traffic = Traffic(step.rooms.database, step.rooms.vault)
        self._plan = plan
        self._execution = step.given.execution
        self._started_at = datetime.now(UTC)
        self._parts = tokens.breakdown(plan.call)
        self._tokens = most_tokens(plan)
        self._settled = False
        self._sent: AttemptRecord | None = None
        self.finish: Finish | None = None
        self.answered = Answered(plan)
        self.next_progress = time.monotonic() + PROGRESS_SECONDS

    async def reserve(self) -> None:
        """Put the call on record, with the most it can cost. Waits for Postgres: no call is made off the record.

        Waits a moment for a limit too. Raises ApplicationError where a budget or a limit does not admit the call, which
        then is not on record."""
        record = self._record("started", None)
        deadline = time.monotonic() + SHORT_WAIT
        try:
            while True:
                try:
                    await until_available(lambda: self._ledger.reserve(record, self._tokens), "reserving a model call")
                    return
                except LimitReached as error:
                    if time.monotonic() + error.retry_after > deadline:
                        raise
                    await asyncio.sleep(error.retry_after)
        except (LimitReached, OverBudget) as error:
            self._settled = True  # there is nothing to settle
            raise refusal(error) from None

    def leave_open(self) -> AttemptRecord:
        """The row as it is now. It stays so: the call goes on without this attempt."""
        self._settled = True
        return self._record("started", None)

    async def settle_batch(self, deltas: Sequence[Delta], sent: AttemptRecord) -> None:
        """Settle the row of the attempt that handed the call in, with the answer that came of it."""
        for delta in deltas:
            self.answered.add(delta)
            if type(delta) is Finish:
                self.finish = delta
        self._sent = sent
        await self.settle("succeeded")

    async def progress(self) -> None:
        """Write down how far the answer is. Losing one such note does no harm."""
        self.next_progress = time.monotonic() + PROGRESS_SECONDS
        try:
            async with asyncio.timeout(BREAKER_SECONDS):
                await self._ledger.settle(self._record("started", None))
        except Exception as error:
            log.warning("a running model call could not be noted", error=type(error).__name__)

    async def settle(self, outcome: Outcome, error: InferenceError | None = None) -> None:
        """Write the row as it will stay. Goes on in the background when the activity is cancelled meanwhile."""
        if self._settled:
            return
        self._settled = True
        record = self._record(outcome, error)
        if self._sent is not None:
            record = bulk.discounted(record, self._sent)
        task = asyncio.create_task(self._write(record, error))
        _settling.add(task)
        task.add_done_callback(_settling.discard)
        await asyncio.shield(task)

    async def _write(self, record: AttemptRecord, error: InferenceError | None) -> None:
        await until_available(lambda: self._ledger.settle(record, self._tokens), "settling a model call")
        await self.answered.keep(self._traffic, record)
        if self._plan.demo:
            return  # it has no rival
        try:
            if record.credential == "user":  # which has limits of its own
                await self._vault.used(record.user_id or "", [record.provider])
            elif record.outcome == "succeeded":
                await self._breakers.succeeded(self._plan.step.keys, record.duration)
            elif error is not None and (key := self._plan.breaker(error)) is not None:
                await self._breakers.failed(key, error.code, error.retry_after)
        except Exception as problem:
            log.warning(
                "the health of a provider, or the use of a key, could not be noted", error=type(problem).__name__
            )

    def _record(self, outcome: Outcome, error: InferenceError | None) -> AttemptRecord:
        return attempt_record(
            self._plan,
            outcome,
            started_at=self._started_at,
            execution=self._execution,
            error=error,
            finish=self.finish,
            parts=self._parts,
        )
