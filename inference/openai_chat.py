"""Requests in the OpenAI chat-completions dialect, as Cerebras, Groq, OpenRouter, Workers AI and local servers take it
too."""

import orjson

from inference.history import unthought
from inference.structured import OutputMode, instruction, strict_schema
from inference.wire import Json, Target, WireRequest, object_text
from schemas.inference import (
    ImagePart,
    Message,
    ModelCall,
    TextPart,
    ToolSpec,
)


def build(call: ModelCall, messages: list[Message], target: Target, mode: OutputMode) -> WireRequest:
    """The request for `call` with `messages`."""
    provider, model = target.provider, target.model
    body: Json = {"model": target.wire_id, "messages": _messages(call, messages, target), "stream": target.stream}
    body[provider.limit_field] = target.max_output_tokens
    if target.stream and provider.stream_usage:
        body["stream_options"] = {"include_usage": True}
    forced = mode == "tool" or (bool(call.tools) and call.tool_choice == "required")
    _reasoning(body, target, barred=forced or unthought(messages, "openai", target.model.name))
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


def _reasoning(body: Json, target: Target, *, barred: bool) -> None:
    """Ask for as much reasoning as `target` says. `barred`: a tool is forced, or the turn began without reasoning,
    which Claude's thinking budget does not go with, whoever serves it."""
    model = target.model
    if model.thinking == "none":
        return
    effort: str = model.least_effort if target.effort == "none" and model.always_thinks else target.effort
    match target.provider.reasoning:
        case "openrouter":
            if barred and model.thinking == "budget" and model.name.startswith("anthropic/"):
                effort = "none"
            body["reasoning"] = {"enabled": False} if effort == "none" else {"effort": effort}
        case "effort":
            if effort != "none" or model.none_effort:
                body["reasoning_effort"] = effort
        case "none":
            pass


def _tools(body: Json, call: ModelCall, target: Target, mode: OutputMode) -> None:
    tools = [_tool(tool, target) for tool in call.tools]
    if mode == "tool" and call.output_schema is not None:
        spec = ToolSpec(name=call.output_name, description="Give the answer.", parameters=call.output_schema)
        tools.append(_tool(spec, target))
        body["tool_choice"] = {"type": "function", "function": {"name": call.output_name}}
    elif call.tools and call.tool_choice != "auto":  # which holds by itself, and which DeepSeek does not let one say
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
    mine = [b.payload for b in message.reasoning if b.dialect == "openai" and b.model == target.model.name]
    signatures = [payload["call"] for payload in mine if "call" in payload]
    signed = {call.id for call in message.tool_calls if call.signature in signatures}
    if message.tool_calls:
        wire["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": object_text(call.arguments)},
                **({"extra_content": {"google": {"thought_signature": call.signature}}} if call.id in signed else {}),
            }
            for call in message.tool_calls
        ]
    elif wire["content"] is None:
        wire["content"] = ""
    details = [payload["detail"] for payload in mine if "detail" in payload]
    if details and target.provider.id == "openrouter":
        wire["reasoning_details"] = details
    thoughts = next((payload["thoughts"] for payload in mine if payload.get("provider") == target.provider.id), None)
    if message.tool_calls and (thoughts is not None or target.provider.thoughts == "required"):
        wire["reasoning_content"] = thoughts or ""  # of another model's turn there is nothing to give
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
