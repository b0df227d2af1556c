"""The OpenAI chat-completions dialect, as OpenAI, Cerebras, Groq, OpenRouter, Workers AI and local servers speak it."""

from typing import Any

import orjson

from inference.errors import ServerError
from inference.structured import OutputMode, instruction, strict_schema
from inference.wire import AnswerReader, Json, Target, WireRequest, number
from schemas.inference import (
    FinishReason,
    ImagePart,
    Message,
    ModelCall,
    ReasoningBlock,
    TextPart,
    ToolSpec,
    Usage,
)

_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "eos": "stop",
    "end_turn": "stop",
    "length": "length",
    "max_tokens": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "tool_use": "tool_calls",
    "content_filter": "content_filter",
    "refusal": "content_filter",
}
_BROKEN = ("error", "insufficient_system_resource")
"""Finish reasons that mean that the provider gave up."""


# --- the request -----------------------------------------------------------------------------------------------------


def build(call: ModelCall, messages: list[Message], target: Target, mode: OutputMode) -> WireRequest:
    """The request for `call` with `messages`."""
    provider, model = target.provider, target.model
    body: Json = {"model": target.wire_id, "messages": _messages(call, messages, target), "stream": target.stream}
    body[provider.limit_field] = target.max_output_tokens
    if target.stream and provider.stream_usage:
        body["stream_options"] = {"include_usage": True}
    _reasoning(body, target)
    if target.temperature is not None and (model.samples or provider.id == "openrouter"):
        body["temperature"] = target.temperature
    _tools(body, call, target, mode)
    if mode == "native" and call.output_schema is not None:
        schema, strict = strict_schema(call.output_schema)
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": call.output_name, "schema": schema, "strict": strict},
        }
    elif mode == "instruction" and call.output_schema is not None:
        body["messages"].append({"role": "user", "content": instruction(call.output_schema)})
    if provider.id == "openai" and target.cache_key:
        body["prompt_cache_key"] = target.cache_key
    if provider.id == "openrouter":
        body["usage"] = {"include": True}
    return WireRequest(provider.path, orjson.dumps(body))


def _reasoning(body: Json, target: Target) -> None:
    model, effort = target.model, target.effort
    if model.thinking == "none":
        return
    match target.provider.reasoning:
        case "openrouter":
            body["reasoning"] = {"enabled": False} if effort == "none" else {"effort": effort}
            if effort == "none" and model.always_thinks:
                del body["reasoning"]
        case "effort":
            if effort != "none":
                body["reasoning_effort"] = effort
            elif model.none_effort:
                body["reasoning_effort"] = "none"
        case "none":
            pass


def _tools(body: Json, call: ModelCall, target: Target, mode: OutputMode) -> None:
    tools = [_tool(tool, target) for tool in call.tools]
    if mode == "tool" and call.output_schema is not None:
        spec = ToolSpec(name=call.output_name, description="Give the answer.", parameters=call.output_schema)
        tools.append(_tool(spec, target))
        body["tool_choice"] = {"type": "function", "function": {"name": call.output_name}}
    elif call.tools:
        body["tool_choice"] = call.tool_choice
    if tools:
        body["tools"] = tools


def _tool(tool: ToolSpec, target: Target) -> Json:
    function: Json = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    if tool.strict and target.provider.strict_tools:
        schema, strict = strict_schema(tool.parameters)
        if strict:
            function |= {"parameters": schema, "strict": True}
    return {"type": "function", "function": function}


def _messages(call: ModelCall, messages: list[Message], target: Target) -> list[Json]:
    out: list[Json] = []
    marks = target.provider.id == "openrouter" and target.model.name.startswith("anthropic/")
    for position, message in enumerate(messages, start=1):
        wire: Json
        match message.role:
            case "assistant":
                wire = _assistant(message, target)
            case "tool":
                wire = {"role": "tool", "tool_call_id": message.tool_call_id, "content": message.text}
            case _:
                wire = {"role": message.role, "content": _content(message)}
        if marks and position == call.cacheable_prefix and message.role != "tool":
            wire["content"] = _marked(wire.get("content") or "")
        out.append(wire)
        if message.role == "tool" and (images := _images(message)):
            out.append({"role": "user", "content": [{"type": "text", "text": "Images of the result:"}, *images]})
    return out


def _assistant(message: Message, target: Target) -> Json:
    wire: Json = {"role": "assistant", "content": message.text or None}
    if message.tool_calls:
        wire["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    elif wire["content"] is None:
        wire["content"] = ""
    if target.provider.id == "openrouter":
        details = [
            block.payload["detail"]
            for block in message.reasoning
            if block.dialect == "openai" and block.model == target.wire_id and "detail" in block.payload
        ]
        if details:
            wire["reasoning_details"] = details
    return wire


def _content(message: Message) -> str | list[Json]:
    if isinstance(message.content, str):
        return message.content
    return [
        {"type": "text", "text": part.text} if isinstance(part, TextPart) else _image(part) for part in message.content
    ]


def _images(message: Message) -> list[Json]:
    return [] if isinstance(message.content, str) else [_image(p) for p in message.content if isinstance(p, ImagePart)]


def _image(part: ImagePart) -> Json:
    return {"type": "image_url", "image_url": {"url": part.url or f"data:{part.media_type};base64,{part.data}"}}


def _marked(content: str | list[Json]) -> list[Json]:
    parts: list[Json] = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
    if parts:
        parts[-1] = {**parts[-1], "cache_control": {"type": "ephemeral"}}
    return parts


# --- the answer ------------------------------------------------------------------------------------------------------


class OpenAIReader(AnswerReader):
    """Reads chat-completion chunks and whole chat completions."""

    dialect = "openai"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._slots: dict[object, int] = {}
        self._wire_ids: dict[int, str | None] = {}
        self._refusal: list[str] = []
        self._details: dict[object, Json] = {}
        self._think: _ThinkTags | None = _ThinkTags()

    def read_event(self, name: bytes, event: Json) -> None:
        choices = event.get("choices")
        if choices:
            choice = choices[0]
            delta = choice.get("delta")
            if delta:
                content = delta.get("content")
                if content:
                    self._content(content)
                thought = delta.get("reasoning_content") or delta.get("reasoning")
                if thought:
                    self._thought(thought)
                if not content or len(delta) > 1:
                    self._rarely(delta)
            if (raw := choice.get("finish_reason")) is not None:
                self._finished(str(raw))
        if not self.served_model:
            self.served_model = event.get("model") or ""
            self.response_id = event.get("id") or ""
        if (usage := event.get("usage")) is not None or (
            "x_groq" in event and (usage := (event["x_groq"] or {}).get("usage"))
        ):
            self._counted(usage)
        if event.get("error") or name == b"error":
            raise self.fault_in(event)
        if choices and choices[0].get("error"):
            raise self.fault_in(choices[0])
        if self.raw_reason in _BROKEN:
            raise self.error(ServerError, f"the provider ended the answer with {self.raw_reason}")

    def read_whole(self, body: Json) -> None:
        choices = body.get("choices")
        if not choices:
            raise ValueError("no choices")
        choice = choices[0]
        self.served_model, self.response_id = body.get("model") or "", body.get("id") or ""
        if isinstance(usage := body.get("usage"), dict):
            self._counted(usage)
        if choice.get("error"):
            raise self.fault_in(choice)
        message = choice.get("message") or {}
        thought = message.get("reasoning_content") or message.get("reasoning")
        if thought:
            self._thought(thought)
        if message.get("content"):
            self._content(message["content"])
        for index, each in enumerate(message.get("tool_calls") or ()):
            self._fragment({**each, "index": index})
        self._rarely({"reasoning": thought, **{key: message.get(key) for key in ("refusal", "reasoning_details")}})
        self._finished(str(choice.get("finish_reason") or "stop"))
        if self.raw_reason in _BROKEN:
            raise self.error(ServerError, f"the provider ended the answer with {self.raw_reason}")

    def refusal(self) -> str:
        return "".join(self._refusal)

    def _finished(self, raw: str) -> None:
        self.raw_reason = raw
        self.reason = _REASONS.get(raw.lower(), "stop")
        if self._think is not None:
            thought, text = self._think.rest()
            self._think = None
            self._emit(thought, text)
        if self._refusal and self.reason == "stop":
            self.reason = "content_filter"
        if self._details and not self.blocks:
            self.blocks = [
                ReasoningBlock(dialect="openai", model=self.model, payload={"detail": detail})
                for detail in self._details.values()
            ]

    def _content(self, content: object) -> None:
        if type(content) is str:
            if self._think is None:
                self._text(content)
                return
            thought, text = self._think.feed(content)
            if self._think.decided:
                self._think = None
            self._emit(thought, text)
            return
        if isinstance(content, list):  # Mistral's form: a list of text and thinking parts
            for part in content:
                if part.get("type") == "thinking":
                    self._thought(part.get("thinking") or "")
                elif part.get("text"):
                    self._text(part["text"])

    def _emit(self, thought: str, text: str) -> None:
        if thought:
            self._reasoning(thought)
        if text:
            self._text(text)

    def _thought(self, thought: object) -> None:
        if isinstance(thought, dict):
            thought = thought.get("text") or thought.get("content") or ""
        if isinstance(thought, list):
            thought = "".join(part.get("text") or "" for part in thought)
        if thought:
            self._reasoning(str(thought))

    def _rarely(self, delta: Json) -> None:
        calls = delta.get("tool_calls")
        if calls:
            for each in calls:
                self._fragment(each)
        if refusal := delta.get("refusal"):
            self._refusal.append(refusal)
        if details := delta.get("reasoning_details"):
            for detail in details:
                self._detail(detail)
            if not (delta.get("reasoning") or delta.get("reasoning_content")):
                for detail in details:
                    if thought := detail.get("summary") or detail.get("text"):
                        self._reasoning(thought)

    def _detail(self, detail: Json) -> None:
        """Reasoning details stream in fragments of one index; they must go back whole and signed."""
        key = (detail.get("type"), detail.get("index", len(self._details)))
        whole = self._details.setdefault(key, {})
        for name, value in detail.items():
            if name in ("text", "summary", "data") and isinstance(value, str):
                whole[name] = whole.get(name, "") + value
            elif value is not None and value != "":
                whole[name] = value

    def _fragment(self, each: Json) -> None:
        """One fragment of a tool call. Some servers omit the index, or give every parallel call the same one."""
        function = each.get("function") or {}
        wire_id, name = each.get("id"), function.get("name")
        slot = each.get("index")
        if slot is None:
            slot = wire_id or (next(reversed(self._slots)) if self._slots else 0)
        index = self._slots.get(slot)
        if index is not None and wire_id and name and self._wire_ids[index] not in (None, wire_id):
            index = None  # another id: a new call
        if index is None:
            index = len(self._calls)
            self._slots[slot] = index
            self._call_open(index, wire_id or "", name or "")
            self._calls[index].signature = _signature(each)
            self._wire_ids[index] = wire_id
        elif name and not self._calls[index].name:
            self._calls[index].name = name
        arguments = function.get("arguments")
        if arguments:
            self._call_more(index, arguments if type(arguments) is str else orjson.dumps(arguments).decode())

    def usage_of(self, raw: Json) -> Usage:
        prompt_details = raw.get("prompt_tokens_details") or {}
        details = raw.get("completion_tokens_details") or {}
        cached = number(prompt_details.get("cached_tokens")) or number(raw.get("prompt_cache_hit_tokens"))
        return Usage(
            input_tokens=number(raw.get("prompt_tokens")),
            cached_input_tokens=cached,
            cache_write_tokens=number(prompt_details.get("cache_write_tokens")),
            output_tokens=number(raw.get("completion_tokens")),
            reasoning_tokens=number(details.get("reasoning_tokens")),
        )


def _signature(each: Json) -> str | None:
    """Google's thought signature, where its models are reached through this dialect."""
    extra = (each.get("extra_content") or {}).get("google") or {}
    signature = extra.get("thought_signature")
    return signature if isinstance(signature, str) else None


class _ThinkTags:
    """Splits `<think>...</think>` off the beginning of a text: local servers send reasoning that way."""

    OPEN, CLOSE = "<think>", "</think>"

    def __init__(self) -> None:
        self._held = ""
        self._inside = False
        self.decided = False

    def feed(self, text: str) -> tuple[str, str]:
        """(reasoning, text) of this fragment. Once `decided`, all that follows is text."""
        held = self._held + text
        if not self._inside:
            start = held.lstrip()
            if start.startswith(self.OPEN):
                self._inside, held = True, start[len(self.OPEN) :]
            elif self.OPEN.startswith(start):
                self._held = held
                return "", ""
            else:
                self.decided, self._held = True, ""
                return "", held
        thought, closed, rest = held.partition(self.CLOSE)
        if closed:
            self.decided, self._held = True, ""
            return thought, rest
        keep = next((n for n in range(len(self.CLOSE) - 1, 0, -1) if held.endswith(self.CLOSE[:n])), 0)
        self._held = held[len(held) - keep :]
        return held[: len(held) - keep], ""

    def rest(self) -> tuple[str, str]:
        """What was held back when the answer ended."""
        return (self._held, "") if self._inside else ("", self._held)
