"""Tools that a model may call, and the loop of calls and results.

Whatever a call does, the model gets exactly one result for it: a tool that does not exist, arguments that do not fit,
a handler that raises are results too, marked as errors. Calls that touch the same resource run in the order in which
they were asked for, the others at once.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from inference import agents
from inference.errors import redact
from inference.structured import problems, schema_of
from inference.wire import gather
from schemas.inference import Answer, Delta, Message, ModelCall, SideEffect, ToolCall, ToolSpec, Usage

A = TypeVar("A", bound=BaseModel)

RESULT_LIMIT = 20_000
"""Characters of a result; what is longer is cut in the middle."""

IDENTICAL = 3
"""The call that stops the loop when it is made for this many times with the same arguments."""

EVERYTHING = ("*",)


class ToolError(Exception):
    """Raised by a handler to tell the model, in its own words, that and why the call failed."""


@dataclass(frozen=True, slots=True)
class Tool(Generic[A]):
    """One tool. `resources` names what a call touches (`file:src/a.ts`); a name that ends in `*` covers all that
    begin alike. `ends` marks a tool that completes the loop. A handler's result is text, or is sent as JSON."""

    name: str
    description: str
    arguments: type[A]
    handler: Callable[[A], Awaitable[object]]
    effect: SideEffect = "exclusive"
    resources: Callable[[A], Iterable[str]] = lambda _: EVERYTHING
    ends: bool = False
    limit: int = RESULT_LIMIT

    def spec(self) -> ToolSpec:
        """The tool as the model sees it."""
        schema = schema_of(self.arguments)
        schema.pop("title", None)
        return ToolSpec(name=self.name, description=self.description, parameters=schema)


@dataclass(slots=True)
class _Planned(Generic[A]):
    """A call with its tool and arguments, or with the error it amounts to."""

    call: ToolCall
    tool: Tool[A] | None = None
    arguments: A | None = None
    error: str = ""
    touches: tuple[str, ...] = ()

    @property
    def effect(self) -> SideEffect:
        return self.tool.effect if self.tool is not None and not self.error else "none"


OnStart = Callable[[ToolCall], None]
OnResult = Callable[[ToolCall, Message], None]


async def execute(
    calls: Sequence[ToolCall],
    tools: Iterable[Tool[A]],
    *,
    on_start: OnStart | None = None,
    on_result: OnResult | None = None,
) -> list[Message]:
    """The results of `calls`, in their order, one each. `on_start` and `on_result` are told of every one of them.

    Only cancellation is raised; handlers that run are cancelled with it.
    """
    by_name = {tool.name: tool for tool in tools}
    planned = [_plan(call, by_name) for call in calls]
    done = [asyncio.Event() for _ in planned]

    async def one(position: int) -> Message:
        me = planned[position]
        for earlier in range(position):
            if conflict(planned[earlier].effect, planned[earlier].touches, me.effect, me.touches):
                await done[earlier].wait()
        try:
            if on_start is not None:
                on_start(me.call)
            result = await _run(me)
            if on_result is not None:
                on_result(me.call, result)
            return result
        finally:
            done[position].set()

    tasks = [asyncio.ensure_future(one(position)) for position in range(len(planned))]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def conflict(effect: SideEffect, touches: Sequence[str], other: SideEffect, others: Sequence[str]) -> bool:
    """Whether two calls must not run at the same time."""
    if "exclusive" in (effect, other):
        return True
    if "none" in (effect, other) or effect == other == "reads":
        return False
    return any(_overlap(one, two) for one in touches for two in others)


def _overlap(one: str, two: str) -> bool:
    if one.endswith("*") and two.endswith("*"):
        return one[:-1].startswith(two[:-1]) or two[:-1].startswith(one[:-1])
    if one.endswith("*"):
        return two.startswith(one[:-1])
    return one.startswith(two[:-1]) if two.endswith("*") else one == two


def _plan(call: ToolCall, tools: dict[str, Tool[A]]) -> _Planned[A]:
    tool = tools.get(call.name)
    if tool is None:
        known = ", ".join(sorted(tools)) or "none"
        return _Planned(call, error=f"There is no tool {call.name[:100]!r}. The tools are: {known}.")
    try:
        value = orjson.loads(call.arguments or "{}")
    except orjson.JSONDecodeError:
        return _Planned(call, error="The arguments are not valid JSON. Call the tool again with one JSON object.")
    try:
        arguments = tool.arguments.model_validate(value)
    except ValidationError as error:
        return _Planned(call, error=f"The arguments do not fit:\n{problems(error)}")
    return _Planned(call, tool, arguments, touches=tuple(tool.resources(arguments)))


async def _run(planned: _Planned[A]) -> Message:
    if planned.tool is None or planned.arguments is None:
        return _result(planned.call, planned.error, error=True)
    try:
        value = await planned.tool.handler(planned.arguments)
    except ToolError as error:
        return _result(planned.call, str(error), error=True)
    except Exception as error:
        return _result(planned.call, f"The tool failed: {type(error).__name__}: {redact(str(error), 300)}", error=True)
    text = value if isinstance(value, str) else _as_json(value)
    return _result(planned.call, bounded(text, planned.tool.limit))


def _as_json(value: object) -> str:
    if value is None:
        return "done"
    if isinstance(value, BaseModel):
        return value.model_dump_json()
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def _result(call: ToolCall, text: str, *, error: bool = False) -> Message:
    return Message(role="tool", tool_call_id=call.id, name=call.name, content=text or "(empty)", is_error=error)


def bounded(text: str, limit: int) -> str:
    """`text` cut in the middle to `limit` characters, with a note of how much is missing."""
    if len(text) <= limit:
        return text
    head = limit * 2 // 3
    tail = limit - head
    return f"{text[:head]}\n[... {len(text) - limit} characters left out ...]\n{text[-tail:]}"


# --- the loop --------------------------------------------------------------------------------------------------------

Stopped = Literal["answered", "completed", "repeated_call", "depth", "length"]
Ask = Callable[[ModelCall], AsyncGenerator[Delta, None]]


@dataclass(slots=True)
class LoopResult:
    """What a loop came to. `stopped` says why it ended: the model answered without a call, a tool that `ends` ran,
    the same call was made a third time with nothing new changed in between, the depth was reached, or the output limit
    cut an answer."""

    stopped: Stopped
    text: str
    messages: list[Message] = field(default_factory=list)
    turns: int = 0
    usage: Usage = field(default_factory=Usage)
    detail: str = ""


async def loop(
    ask: Ask,
    call: ModelCall,
    tools: Sequence[Tool[A]],
    *,
    depth: int | None = None,
    on_delta: Callable[[Delta], None] | None = None,
    on_start: OnStart | None = None,
    on_result: OnResult | None = None,
) -> LoopResult:
    """Call the model with `tools` until it stops asking for them. `ask` makes one call; call numbers count up from
    the one of `call`. `depth` defaults to the action's. The messages of the result are the new turns."""
    depth = agents.depth(call.action) if depth is None else depth
    specs = tuple(tool.spec() for tool in tools)
    ending = {tool.name for tool in tools if tool.ends}
    changing = {tool.name for tool in tools if tool.effect in ("writes", "exclusive")}
    seen: Counter[str] = Counter()
    done: set[str] = set()
    result = LoopResult("depth", "")
    for turn in range(depth):
        asked = call.model_copy(
            update={
                "tools": specs,
                "messages": (*call.messages, *result.messages),
                "call_number": call.call_number + turn,
                "cacheable_prefix": len(call.messages) + len(result.messages),
            }
        )
        answer = await _answer(ask(asked), on_delta)
        result.turns, result.text, result.usage = turn + 1, answer.text, result.usage + answer.usage
        if answer.finish is not None and answer.finish.reason == "length":
            result.messages.append(Message(role="assistant", content=answer.text))  # its calls may be cut: not run
            result.stopped = "length"
            return result
        result.messages.append(answer.message())
        if not answer.tool_calls:
            result.stopped = "answered"
            return result
        if repeated := _repeated(answer.tool_calls, seen):
            result.stopped, result.detail = "repeated_call", f"{repeated.name} was called {IDENTICAL} times alike"
            unrun = f"Not run: {result.detail}."
            result.messages += [_result(each, unrun, error=True) for each in answer.tool_calls]
            return result
        results = await execute(answer.tool_calls, tools, on_start=on_start, on_result=on_result)
        result.messages += results
        for each, its_result in zip(answer.tool_calls, results, strict=True):
            if each.name in changing and not its_result.is_error and (key := _key(each)) not in done:
                done.add(key)
                seen = Counter({key: seen[key]})  # things are not as they were: asking again is not repeating
        ended = [each for each in results if each.name in ending and not each.is_error]
        if ended:
            result.stopped, result.detail = "completed", ended[-1].text
            return result
    result.detail = f"{depth} turns of tool calls"
    return result


async def _answer(deltas: AsyncGenerator[Delta, None], on_delta: Callable[[Delta], None] | None) -> Answer:
    seen: list[Delta] = []
    async with aclosing(deltas):
        async for delta in deltas:
            seen.append(delta)
            if on_delta is not None:
                on_delta(delta)
    return gather(seen)


def _repeated(calls: Iterable[ToolCall], seen: Counter[str]) -> ToolCall | None:
    """The first call that is now made for the third time since something new was changed."""
    for call in calls:
        key = _key(call)
        seen[key] += 1
        if seen[key] >= IDENTICAL:
            return call
    return None


def _key(call: ToolCall) -> str:
    """What makes two calls alike: arguments are compared as values, not as text."""
    try:
        arguments = json.dumps(json.loads(call.arguments), sort_keys=True)
    except ValueError:
        arguments = call.arguments
    return f"{call.name}\0{arguments}"
