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
from typing import TypeVar

from pydantic import BaseModel
from temporalio import activity

from activities import bulk
from activities.call_entry import Entry, ModelStep
from activities.model_access import ModelAccess, not_allowed
from codegen.prompts import parts_of
from inference import Inference, Plan, tokens
from inference.agents import NotAllowed
from inference.completion import complete
from inference.errors import InferenceError, rejects, to_application_error
from inference.routing import Tried
from inference.tools import LoopResult, OnResult, OnStart, Tool, loop
from schemas.inference import ActionKey, Delta, Finish, Message, ModelCall, ModelOverrides, ToolSpec
from storage.breakers import Breakers

A = TypeVar("A", bound=BaseModel)
T = TypeVar("T", bound=BaseModel)

WORTH_CACHING = 1_024
"""Tokens: the smallest prefix that providers cache."""

BREAKER_SECONDS = 2.0
"""How long a call waits to learn the providers' health; without an answer it goes ahead."""


class CannotContinue(Exception):
    """The model, which it names, takes no beginning of an answer as its own."""


async def stream_model(
    step: ModelStep,
    action: ActionKey,
    messages: Sequence[Message],
    *,
    tools: Sequence[ToolSpec] = (),
    call_number: int = 0,
    cacheable_prefix: int | None = None,
    overrides: ModelOverrides | None = None,
    beginning: str = "",
) -> AsyncGenerator[Delta, None]:
    """The answer of the model that serves `action`, delta by delta, with `Finish` as the last.

    With a `beginning`, which may not end in white space, what follows it; raises CannotContinue, before anything is
    sent, where the model takes none.

    `call_number` tells apart several calls of one attempt; `cacheable_prefix` counts the leading messages that stay the
    same from call to call, by default the system messages. A stop of the activity closes the connection at once, even
    while the consumer is busy with a delta. Raises ApplicationError; what was yielded before it is not an answer.
    """
    access = await step.model_access()
    if beginning:
        messages = (*messages, Message(role="assistant", content=beginning))
    call = _call(step, access, action, messages, call_number, cacheable_prefix, overrides).model_copy(
        update={"tools": tuple(tools)}
    )
    async with aclosing(_attempted(step, call, access, goes_on=bool(beginning))) as deltas:
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
        completion = await complete(
            step.rooms.inference, call, schema, run=run, repair=repair, user=access.user, on_text=on_text
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
    step: ModelStep, call: ModelCall, access: ModelAccess, *, repair: bool = False, goes_on: bool = False
) -> AsyncGenerator[Delta, None]:
    """One call to a provider, on record from before its first byte. `goes_on`: its last message begins the answer."""
    plan = await _plan(step, call, access, repair)
    if goes_on and not plan.step.model.continues:
        raise CannotContinue(plan.step.model.name)
    entry = Entry(step, plan)
    if not repair and (whole := await bulk.answer(step, plan, entry)) is not None:
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


async def _close_when_stopped(deltas: AsyncGenerator[Delta, None], entry: Entry) -> None:
    """Close the connection when the activity is told to stop while its consumer holds a delta. (While the call itself
    is awaited, the cancellation arrives there.)"""
    await activity.wait_for_cancelled()
    with suppress(RuntimeError):  # it is running: then it is being cancelled itself
        await deltas.aclose()
        await entry.settle("cancelled")
