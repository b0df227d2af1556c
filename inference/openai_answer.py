"""Answers in the OpenAI chat-completions dialect, and in what its many speakers made of it."""

from typing import Any

import orjson

from inference.errors import MalformedToolCall, ServerError
from inference.providers import PROVIDERS
from inference.think_tags import ThinkTags
from inference.wire import AnswerReader, Json, number, object_text
from schemas.inference import FinishReason, ReasoningBlock, Usage

_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "complete": "stop",
    "completed": "stop",
    "length": "length",
    "max_tokens": "length",
    "max_length": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "tool_use": "tool_calls",
    "content_filter": "content_filter",
    "refusal": "content_filter",
    "safety": "content_filter",
    "sensitive": "content_filter",
    "prohibited_content": "content_filter",
    "recitation": "content_filter",
    "blocklist": "content_filter",
    "spii": "content_filter",
}
_BROKEN = ("error", "abort", "aborted", "cancelled", "network_error", "insufficient_system_resource")
"""Finish reasons that mean that the provider gave up."""


class OpenAIReader(AnswerReader):
    """Reads chat-completion chunks and whole chat completions."""

    dialect = "openai"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._slots: dict[object, int] = {}
        self._wire_ids: dict[int, str] = {}
        self._refusal: list[str] = []
        self._details: dict[object, Json] = {}
        self._thoughts: list[str] = []
        self._think: ThinkTags | None = ThinkTags()
        self._index: int | None = None

    def read_event(self, name: bytes, event: Json) -> None:
        choice = self._choice(event)
        if choice is not None:
            delta = choice.get("delta") or choice.get("message")
            if delta:
                content = delta.get("content")
                if content or type(content) is int:
                    self._content(content)
                thought = delta.get("reasoning_content")
                if thought:
                    self._thoughts.append(str(thought))
                else:
                    thought = delta.get("reasoning")
                if thought:
                    self._thought(thought)
                if not content or len(delta) > 1:
                    self._rarely(delta)
            raw = choice.get("finish_reason")
        else:
            raw = None
            if _is_fault(event):
                raise self.fault_in(event)
        if not self.served_model:
            self.served_model = event.get("model") or ""
            self.response_id = event.get("id") or ""
        if (usage := event.get("usage")) is not None:
            self._counted(usage)
        if event.get("error") or name == b"error":
            raise self.fault_in(event)
        if choice is not None and choice.get("error"):
            raise self.fault_in(choice)
        if "x_groq" in event:
            self._of_groq(event["x_groq"] or {})
        if choice is not None and raw:
            self._finished(str(raw), choice)

    def _choice(self, event: Json) -> Json | None:
        """What a chunk holds of the answer that is read: of several that a request asked for, the one that began."""
        choices = event.get("choices")
        if not choices:
            return None
        choice: Json = choices[0]
        index = choice.get("index") or 0
        if self._index is None:
            self._index = index
        return choice if index == self._index else None

    def _of_groq(self, extra: Json) -> None:
        """Groq puts the count, and an error in the middle of a stream, beside the choices."""
        if usage := extra.get("usage"):
            self._counted(usage)
        if extra.get("error"):
            raise self.fault_in(extra)

    def read_whole(self, body: Json) -> None:
        choices = body.get("choices")
        if not choices:
            raise self.fault_in(body) if _is_fault(body) else ValueError("no choices")
        choice = choices[0]
        self.served_model, self.response_id = body.get("model") or "", body.get("id") or ""
        if isinstance(usage := body.get("usage"), dict):
            self._counted(usage)
        if choice.get("error"):
            raise self.fault_in(choice)
        message = choice.get("message") or {}
        self._thoughts.append(str(message.get("reasoning_content") or ""))
        thought = message.get("reasoning_content") or message.get("reasoning")
        if thought:
            self._thought(thought)
        if message.get("content") is not None:
            self._content(message["content"])
        for index, each in enumerate(message.get("tool_calls") or ()):
            self._fragment({**each, "index": index})
        rest = {key: message.get(key) for key in ("function_call", "refusal", "reasoning_details")}
        self._rarely({"reasoning": thought, **rest})
        self._finished(str(choice.get("finish_reason") or "stop"), choice)

    def refusal(self) -> str:
        return "".join(self._refusal)

    def _finished(self, raw: str, choice: Json) -> None:
        """The reason of this answer's end. Words differ in case, and some servers add their own after a colon."""
        word = raw.partition(":")[0].strip().lower()
        self.raw_reason = raw
        vendors = f"{raw} {choice.get('native_finish_reason')}".lower()
        if "malformed_function_call" in vendors or "unexpected_tool_call" in vendors:
            raise self.error(MalformedToolCall, "", reason=raw)
        if word in _BROKEN:
            raise self.error(ServerError, f"the provider ended the answer with {raw}", reason=raw)
        self._finish_as(word, _REASONS)
        self.raw_reason = raw
        if self._think is not None:
            thought, text = self._think.rest()
            self._think = None
            self._emit(thought, text)
        if self._refusal and self.reason == "stop":
            self.reason = "content_filter"
        signed: list[Json] = [{"detail": detail} for detail in self._details.values()]
        signed += [{"call": call.signature} for call in self._calls.values() if call.signature]
        known = PROVIDERS.get(self.provider)
        if self._calls and (thoughts := "".join(self._thoughts)) and (known is None or known.thoughts != "dropped"):
            signed.append({"thoughts": thoughts, "provider": self.provider})
        self.blocks = [ReasoningBlock(dialect="openai", model=self.model, payload=payload) for payload in signed]

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
        else:  # Workers AI streams a digit as a number, and may give a structured answer as an object
            self._content(orjson.dumps(content).decode())

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
        if legacy := delta.get("function_call"):
            self._fragment({"index": "function_call", "function": legacy})
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
        """One fragment of a tool call. Some servers omit the index or the id, or give every call the same one."""
        function = each.get("function") or each.get("custom") or {}
        wire_id, name, arguments = each.get("id") or "", function.get("name"), function.get("arguments")
        if arguments is None:
            arguments = function.get("input")  # of a tool that takes plain text
        slot = each.get("index")
        if slot is None:
            slot = wire_id or (next(reversed(self._slots)) if self._slots else 0)
        index = self._slots.get(slot)
        if index is not None and name and self._is_another(index, wire_id, name, arguments):
            index = None
        if index is None:
            index = len(self._calls)
            self._slots[slot] = index
            self._call_open(index, wire_id, name or "")
            self._wire_ids[index] = wire_id
        elif name and not self._calls[index].name:
            self._calls[index].name = name
        if signature := _signature(each):
            self._calls[index].signature = signature
        if arguments:
            self._call_more(index, arguments if type(arguments) is str else orjson.dumps(arguments).decode())

    def _is_another(self, index: int, wire_id: str, name: str, arguments: object) -> bool:
        """Whether a fragment with a name begins a new call in the place of call `index`, rather than repeat what that
        one is called. Another id tells, or another name; with neither, more arguments after complete ones do."""
        call, known_id = self._calls[index], self._wire_ids[index]
        if wire_id and known_id:
            return wire_id != known_id
        if call.name and name != call.name:
            return True
        written = "".join(call.fragments)
        return bool(arguments and written) and object_text(written) == written

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


def _is_fault(event: Json) -> bool:
    """Whether what has no choices is an error that stands bare, as vLLM and proxies send it."""
    return event.get("object") == "error" or "message" in event or "detail" in event


def _signature(each: Json) -> str | None:
    """Google's thought signature, where its models are reached through this dialect."""
    extra = (each.get("extra_content") or {}).get("google") or {}
    signature = extra.get("thought_signature")
    return signature if isinstance(signature, str) else None
