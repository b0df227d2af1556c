"""The Google generateContent dialect."""

from typing import Any
from urllib.parse import quote

import orjson

from inference.errors import MalformedToolCall
from inference.structured import OutputMode, google_schema, instruction
from inference.wire import AnswerReader, Json, Target, WireRequest, loads_object, number
from schemas.inference import FinishReason, ImagePart, Message, ModelCall, ReasoningBlock, TextPart, Usage

BUDGETS = {"low": 5_000, "medium": 16_000, "high": 24_576}
"""Thinking tokens by effort; 24,576 is the largest budget that every thinking model accepts."""

LEAST_BUDGET = 128
"""What a model that cannot stop thinking takes at least."""

NO_SIGNATURE = "skip_thought_signature_validator"
"""What Google documents for function calls that its models did not make (history from another provider)."""

_REASONS: dict[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "LANGUAGE": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "MODEL_ARMOR": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
}
"""Any other (OTHER, MALFORMED_RESPONSE, ...) means that the answer is not what it was to be."""

_BAD_CALLS = {"MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE"}


# --- the request -----------------------------------------------------------------------------------------------------


def build(call: ModelCall, messages: list[Message], target: Target, mode: OutputMode) -> WireRequest:
    """The request for `call` with `messages`. Caching of the stable prefix is implicit here: no markers."""
    config: Json = {"maxOutputTokens": target.max_output_tokens}
    if target.temperature is not None and target.model.samples:
        config["temperature"] = target.temperature
    _thinking(config, target)
    system = [message.text for message in messages if message.role == "system" and message.text]
    contents = _contents([message for message in messages if message.role != "system"], target)
    body: Json = {"contents": contents, "generationConfig": config}
    if system:
        body["systemInstruction"] = {"parts": [{"text": text} for text in system]}
    _tools(body, call, mode)
    if mode == "native" and call.output_schema is not None:
        config["responseMimeType"] = "application/json"
        config["responseJsonSchema"] = google_schema(call.output_schema)
    elif mode == "instruction" and call.output_schema is not None:
        contents.append({"role": "user", "parts": [{"text": instruction(call.output_schema)}]})
    method = "streamGenerateContent?alt=sse" if target.stream else "generateContent"
    return WireRequest(f"/v1beta/models/{quote(target.wire_id, safe='')}:{method}", orjson.dumps(body))


def _thinking(config: Json, target: Target) -> None:
    model, effort = target.model, target.effort
    if model.thinking == "level":
        level = {"none": "low", "medium": "medium", "high": "high"}.get(effort, "low")
        config["thinkingConfig"] = {"thinkingLevel": level, "includeThoughts": effort != "none"}
    elif model.thinking == "budget":
        budget = min(BUDGETS.get(effort, 0), target.max_output_tokens * 3 // 4)
        if model.always_thinks:
            budget = max(budget, LEAST_BUDGET)
        config["thinkingConfig"] = {"thinkingBudget": budget, "includeThoughts": effort != "none" and budget > 0}


def _tools(body: Json, call: ModelCall, mode: OutputMode) -> None:
    declared: list[Json] = [
        {"name": tool.name, "description": tool.description, "parametersJsonSchema": google_schema(tool.parameters)}
        for tool in call.tools
    ]
    choice: Json = {"mode": {"auto": "AUTO", "none": "NONE", "required": "ANY"}[call.tool_choice]}
    if mode == "tool" and call.output_schema is not None:
        declared.append(
            {
                "name": call.output_name,
                "description": "Give the answer.",
                "parametersJsonSchema": google_schema(call.output_schema),
            }
        )
        choice = {"mode": "ANY", "allowedFunctionNames": [call.output_name]}
    if declared:
        body["tools"] = [{"functionDeclarations": declared}]
        body["toolConfig"] = {"functionCallingConfig": choice}


def _contents(messages: list[Message], target: Target) -> list[Json]:
    contents: list[Json] = []
    for message in messages:
        role = "model" if message.role == "assistant" else "user"
        parts = _parts(message, target)
        if not parts:
            continue
        if contents and contents[-1]["role"] == role:
            contents[-1]["parts"].extend(parts)
        else:
            contents.append({"role": role, "parts": parts})
    return contents


def _parts(message: Message, target: Target) -> list[Json]:
    if message.role == "tool":
        key = "error" if message.is_error else "result"
        response: Json = {"name": message.name or "tool", "response": {key: message.text}}
        if message.tool_call_id:
            response["id"] = message.tool_call_id
        return [{"functionResponse": response}, *_images(message)]
    parts: list[Json] = []
    if isinstance(message.content, str):
        if message.content:
            parts.append({"text": message.content})
    else:
        parts += [{"text": part.text} if isinstance(part, TextPart) else _image(part) for part in message.content]
    mine = [block for block in message.reasoning if block.dialect == "google" and block.model == target.model.name]
    signature = next((block.payload["signature"] for block in mine if "signature" in block.payload), None)
    if signature is not None and not message.tool_calls:
        if parts:
            parts[-1]["thoughtSignature"] = signature
        else:
            parts.append({"text": "", "thoughtSignature": signature})
    for position, call in enumerate(message.tool_calls):
        part: Json = {"functionCall": {"id": call.id, "name": call.name, "args": loads_object(call.arguments)}}
        if call.signature and mine:
            part["thoughtSignature"] = call.signature
        elif position == 0 and target.model.thinking == "level":
            part["thoughtSignature"] = NO_SIGNATURE
        parts.append(part)
    return parts


def _images(message: Message) -> list[Json]:
    return [] if isinstance(message.content, str) else [_image(p) for p in message.content if isinstance(p, ImagePart)]


def _image(part: ImagePart) -> Json:
    if part.url:
        return {"fileData": {"mimeType": part.media_type, "fileUri": part.url}}
    return {"inlineData": {"mimeType": part.media_type, "data": part.data}}


# --- the answer ------------------------------------------------------------------------------------------------------


class GoogleReader(AnswerReader):
    """Reads generateContent answers; a stream is a sequence of them."""

    dialect = "google"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._refused = ""

    def read_event(self, name: bytes, event: Json) -> None:
        if event.get("error"):
            raise self.fault_in(event)
        self.read_whole(event)

    def read_whole(self, body: Json) -> None:
        if not self.served_model:
            self.served_model = body.get("modelVersion") or ""
            self.response_id = body.get("responseId") or ""
        candidates = body.get("candidates")
        if candidates:
            candidate = candidates[0]
            for part in (candidate.get("content") or {}).get("parts") or ():
                self._part(part)
        if usage := body.get("usageMetadata"):
            self._counted(usage)
        if candidates and (raw := candidates[0].get("finishReason")) and raw != "FINISH_REASON_UNSPECIFIED":
            self._finished(str(raw), str(candidates[0].get("finishMessage") or ""))
        feedback = body.get("promptFeedback") or {}
        if blocked := feedback.get("blockReason"):
            self.raw_reason, self.reason = str(blocked), "content_filter"
            self._refused = str(feedback.get("blockReasonMessage") or "the prompt was blocked")

    def refusal(self) -> str:
        return self._refused or f"finish reason {self.raw_reason}"

    def _finished(self, raw: str, message: str) -> None:
        if raw in _BAD_CALLS:
            self.raw_reason = raw
            raise self.error(MalformedToolCall, message, reason=raw)
        self._finish_as(raw, _REASONS)
        self._refused = message

    def _part(self, part: Json) -> None:
        signature = part.get("thoughtSignature")
        if call := part.get("functionCall"):
            index = len(self._calls)
            self._call_open(index, call.get("id") or "", call["name"], signature)
            if args := call.get("args"):
                self._call_more(index, orjson.dumps(args).decode())
            self._call_close(index)
        elif text := part.get("text"):
            if part.get("thought"):
                self._reasoning(text)
            else:
                self._text(text)
        if signature:
            kind = "call" if part.get("functionCall") else "signature"
            self.blocks.append(ReasoningBlock(dialect="google", model=self.model, payload={kind: signature}))

    def usage_of(self, raw: Json) -> Usage:
        thoughts = number(raw.get("thoughtsTokenCount"))
        return Usage(
            input_tokens=number(raw.get("promptTokenCount")) + number(raw.get("toolUsePromptTokenCount")),
            cached_input_tokens=number(raw.get("cachedContentTokenCount")),
            output_tokens=number(raw.get("candidatesTokenCount")) + thoughts,
            reasoning_tokens=thoughts,
        )
