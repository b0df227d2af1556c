"""The Anthropic messages dialect."""

from typing import Any

import orjson

from inference.history import unthought
from inference.structured import OutputMode, instruction, strict_schema
from inference.wire import AnswerReader, Json, Target, WireRequest, loads_object, number
from schemas.inference import FinishReason, ImagePart, Message, ModelCall, ReasoningBlock, TextPart, Usage

VERSION = "2023-06-01"
BUDGETS = {"low": 5_000, "medium": 20_000, "high": 60_000}
"""Thinking tokens by effort."""

SMALLEST_BUDGET = 1_024
ROOM = 4_000
CACHED = {"cache_control": {"type": "ephemeral"}}

_REASONS: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "length",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


# --- the request -----------------------------------------------------------------------------------------------------


def thinking_budget(effort: str, max_output_tokens: int) -> int:
    """Tokens of thinking for `effort`. The output limit covers both thinking and answer: where it leaves less than
    `ROOM` beside the full budget, thinking gets three quarters of it; 0 where that is too little to think."""
    budget = BUDGETS.get(effort, 0)
    if budget + ROOM > max_output_tokens:
        budget = min(budget, max_output_tokens * 3 // 4)
    return budget if budget >= SMALLEST_BUDGET else 0


def build(call: ModelCall, messages: list[Message], target: Target, mode: OutputMode) -> WireRequest:
    """The request for `call` with `messages`."""
    body: Json = {"model": target.wire_id, "max_tokens": target.max_output_tokens, "stream": target.stream}
    system, turns = _turns(call, messages, target)
    if mode == "instruction" and call.output_schema is not None:
        turns.append({"role": "user", "content": [{"type": "text", "text": instruction(call.output_schema)}]})
    if system:
        body["system"] = system
    body["messages"] = _alternating(turns)
    forced = mode == "tool" or (bool(call.tools) and call.tool_choice == "required")
    thinks = _thinking(body, target, forced=forced, unthought=unthought(messages, "anthropic", target.model.name))
    if target.temperature is not None and target.model.samples and not thinks:
        body["temperature"] = min(target.temperature, 1.0)
    _tools(body, call, mode)
    if mode == "native" and call.output_schema is not None:
        schema, _ = strict_schema(call.output_schema)
        body.setdefault("output_config", {})["format"] = {"type": "json_schema", "schema": schema}
    return WireRequest("/v1/messages", orjson.dumps(body), {"anthropic-version": VERSION})


def _thinking(body: Json, target: Target, *, forced: bool, unthought: bool) -> bool:
    """Ask for reasoning as the model wants it; the answer is whether it will reason. It does not where a tool is
    forced, nor, with a budget, where the turn began without: both would be refused."""
    model, effort = target.model, target.effort
    if model.thinking == "adaptive":
        if effort == "none" or (forced and not model.always_thinks):
            if model.always_thinks:
                body["output_config"] = {"effort": "low"}
            return model.always_thinks
        body["thinking"] = {"type": "adaptive"}
        body["output_config"] = {"effort": effort}
        return True
    able = model.thinking == "budget" and not forced and not unthought
    budget = thinking_budget(effort, target.max_output_tokens) if able else 0
    if budget:
        body["thinking"] = {"type": "enabled", "budget_tokens": budget}
    return bool(budget)


def _tools(body: Json, call: ModelCall, mode: OutputMode) -> None:
    tools: list[Json] = [
        {"name": tool.name, "description": tool.description, "input_schema": tool.parameters} for tool in call.tools
    ]
    if mode == "tool" and call.output_schema is not None:
        tools.append({"name": call.output_name, "description": "Give the answer.", "input_schema": call.output_schema})
        body["tool_choice"] = {"type": "tool", "name": call.output_name}
    elif tools and call.tool_choice != "auto":
        body["tool_choice"] = {"type": {"none": "none", "required": "any"}[call.tool_choice]}
    if tools:
        if call.cacheable_prefix:
            tools[-1] |= CACHED
        body["tools"] = tools


def _turns(call: ModelCall, messages: list[Message], target: Target) -> tuple[list[Json], list[Json]]:
    """(system blocks, turns). The markers: the last system block, the end of the stable prefix, the last turn."""
    system: list[Json] = []
    turns: list[Json] = []
    for position, message in enumerate(messages, start=1):
        leading = message.role == "system" and not turns
        blocks: list[Json] = [{"type": "text", "text": message.text}]
        if message.role != "system":
            blocks = _blocks(message, target)
        blocks = [block for block in blocks if block.get("text", True)]
        if not blocks:
            continue
        if position == call.cacheable_prefix and _markable(blocks[-1]):
            blocks[-1] = blocks[-1] | CACHED
        if leading:
            system.extend(blocks)
        else:
            turns.append({"role": "assistant" if message.role == "assistant" else "user", "content": blocks})
    if call.cacheable_prefix and system and not any("cache_control" in block for block in system):
        system[-1] |= CACHED
    return system, turns


def _markable(block: Json) -> bool:
    return block["type"] not in ("thinking", "redacted_thinking")


def _alternating(turns: list[Json]) -> list[Json]:
    """Neighbouring turns of one role become one: tool results of parallel calls must share a turn."""
    merged: list[Json] = []
    for turn in turns:
        if merged and merged[-1]["role"] == turn["role"]:
            merged[-1]["content"] = merged[-1]["content"] + turn["content"]
        else:
            merged.append(turn)
    return merged


def _blocks(message: Message, target: Target) -> list[Json]:
    if message.role == "tool":
        result: Json = {
            "type": "tool_result",
            "tool_use_id": message.tool_call_id,
            "content": _parts(message) or [{"type": "text", "text": "(empty)"}],
        }
        return [result | {"is_error": True} if message.is_error else result]
    blocks: list[Json] = [dict(block.payload) for block in message.reasoning if _mine(block, target)]
    blocks += _parts(message)
    blocks += [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": loads_object(call.arguments)}
        for call in message.tool_calls
    ]
    return blocks


def _mine(block: ReasoningBlock, target: Target) -> bool:
    return block.dialect == "anthropic" and block.model in ("", target.model.name)


def _parts(message: Message) -> list[Json]:
    if isinstance(message.content, str):
        return [{"type": "text", "text": message.content}] if message.content else []
    return [
        {"type": "text", "text": part.text} if isinstance(part, TextPart) else _image(part) for part in message.content
    ]


def _image(part: ImagePart) -> Json:
    if part.url:
        return {"type": "image", "source": {"type": "url", "url": part.url}}
    return {"type": "image", "source": {"type": "base64", "media_type": part.media_type, "data": part.data}}


# --- the answer ------------------------------------------------------------------------------------------------------


class AnthropicReader(AnswerReader):
    """Reads message events and whole messages. Blocks of tools that run at the vendor are not tool calls of ours."""

    dialect = "anthropic"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._open: dict[int, Json] = {}
        self._index_of: dict[int, int] = {}
        self._given: dict[int, Json] = {}
        self._refused = ""

    def read_event(self, name: bytes, event: Json) -> None:
        kind = event.get("type")
        if kind == "content_block_delta":
            self._delta(event["index"], event["delta"])
        elif kind == "content_block_start":
            self._start(event["index"], event["content_block"])
        elif kind == "content_block_stop":
            self._stop(event["index"])
        elif kind == "message_start":
            message = event["message"]
            self.served_model, self.response_id = message.get("model") or "", message.get("id") or ""
            self._counted(message.get("usage") or {})
        elif kind == "message_delta":
            self._counted(event.get("usage") or {})
            self._finished(event.get("delta") or {})
        elif kind == "error" or name == b"error":
            raise self.fault_in(event)

    def _delta(self, position: int, delta: Json) -> None:
        match delta["type"]:
            case "text_delta":
                self._text(delta["text"])
            case "thinking_delta":
                if (block := self._open.get(position)) is not None:
                    block.setdefault("fragments", []).append(delta["thinking"])
                if delta["thinking"]:
                    self._reasoning(delta["thinking"])
            case "input_json_delta":
                if (index := self._index_of.get(position)) is not None and delta["partial_json"]:
                    self._call_more(index, delta["partial_json"])
            case "signature_delta":
                block = self._open[position]
                block["signature"] = block.get("signature", "") + delta["signature"]
            case _:
                pass

    def read_whole(self, body: Json) -> None:
        if body.get("type") == "error":
            raise self.fault_in(body)
        self.served_model, self.response_id = body.get("model") or "", body.get("id") or ""
        self._counted(body.get("usage") or {})
        for position, block in enumerate(body["content"]):
            self._start(position, block)
            self._stop(position)
        self._finished(body)

    def refusal(self) -> str:
        return self._refused

    def _finished(self, delta: Json) -> None:
        raw = delta.get("stop_reason")
        if not raw:
            return
        self._finish_as(str(raw), _REASONS)
        details = delta.get("stop_details")
        if isinstance(details, dict):
            self._refused = str(details.get("explanation") or details.get("category") or "")

    def _start(self, position: int, block: Json) -> None:
        match block.get("type"):
            case "text":
                if block.get("text"):
                    self._text(block["text"])
            case "thinking":
                self._open[position] = dict(block)
                if block.get("thinking"):
                    self._reasoning(block["thinking"])
            case "redacted_thinking":
                self._open[position] = dict(block)
            case "tool_use":
                index = len(self._calls)
                self._index_of[position] = index
                self._call_open(index, block.get("id") or "", block["name"])
                self._given[index] = block.get("input") or {}
            case _:
                pass

    def _stop(self, position: int) -> None:
        if (index := self._index_of.get(position)) is not None:
            given = self._given.pop(index, None)
            if given and not self._calls[index].fragments:  # proxies give all of it at the start, and some again after
                self._call_more(index, orjson.dumps(given).decode())
            self._call_close(index)
        if (block := self._open.pop(position, None)) is None:
            return
        fragments = block.pop("fragments", None)
        if fragments:
            block["thinking"] = block.get("thinking", "") + "".join(fragments)
        self.blocks.append(ReasoningBlock(dialect="anthropic", model=self.model, payload=block))

    def usage_of(self, raw: Json) -> Usage:
        """Anthropic counts cached tokens apart from input tokens, and repeats, omits or nulls counts in later events:
        only a number replaces what was seen."""
        seen = self.usage
        read = _count(raw, "cache_read_input_tokens", seen.cached_input_tokens)
        written = _count(raw, "cache_creation_input_tokens", seen.cache_write_tokens)
        fresh = _count(raw, "input_tokens", seen.input_tokens - seen.cached_input_tokens - seen.cache_write_tokens)
        details = raw.get("output_tokens_details") or {}
        return Usage(
            input_tokens=fresh + read + written,
            cached_input_tokens=read,
            cache_write_tokens=written,
            output_tokens=_count(raw, "output_tokens", seen.output_tokens),
            reasoning_tokens=_count(details, "thinking_tokens", seen.reasoning_tokens),
        )


def _count(raw: Json, name: str, seen: int) -> int:
    value = raw.get(name)
    return seen if value is None else number(value)
