"""What the three dialects share: the resolved call, the request on the wire, and the reader of an answer."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, cast
from uuid import uuid4

import orjson

from inference.catalogue import Model
from inference.errors import ContentRefused, InferenceError, StreamBroken, UnreadableAnswer, UnusableAnswer
from inference.faults import fault
from inference.providers import Provider
from inference.sse import EventReader, EventTooLong
from schemas.inference import (
    Answer,
    Delta,
    Dialect,
    Effort,
    Finish,
    FinishReason,
    ReasoningBlock,
    ReasoningDelta,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    ToolCallDone,
    Usage,
    UsageDelta,
)

Json = dict[str, Any]
"""A JSON object as orjson reads it: what providers send is read with care, not with types."""

BODY_LIMIT = 64 * 1024 * 1024
"""Bytes of an answer that is not a stream."""

_MARK = b"\xef\xbb\xbf"
_FIELDS = (b"data:", b"event:", b"id:", b"retry:", b":")
"""What the first line of a stream begins with."""


@dataclass(frozen=True, slots=True)
class Target:
    """One resolved call: which model at which provider, with which parameters."""

    provider: Provider
    model: Model
    wire_id: str
    effort: Effort
    max_output_tokens: int
    temperature: float | None
    stream: bool = True
    cache_key: str = ""


@dataclass(frozen=True, slots=True)
class WireRequest:
    """An HTTP request but for its base URL and credentials: the path after the base URL, and the JSON body."""

    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _OpenCall:
    id: str
    name: str
    fragments: list[str] = field(default_factory=list)
    signature: str | None = None
    done: bool = False


class AnswerReader(ABC):
    """Reads one answer, streamed or whole, from bytes in chunks of any size.

    `feed` returns the deltas that a chunk completes, `end` the last ones, with `Finish` at the very end; both raise
    the typed error that the answer amounts to. A subclass reads one dialect's events (`read_event`) and whole answers
    (`read_whole`), calling `_text`, `_reasoning`, `_call_*` as it goes. `usage` is current at any time.
    """

    dialect: ClassVar[Dialect]
    content_types: ClassVar[tuple[str, ...]] = ("text/event-stream",)

    def __init__(self, provider: str, model: str, *, status: int, content_type: str, headers: Mapping[str, str]):
        self.provider = provider
        self.model = model
        self.status = status
        self.headers = headers
        self.usage = Usage()
        self._raw_usage: Json = {}
        self.reason: FinishReason | None = None
        self.raw_reason = ""
        self.served_model = ""
        self.response_id = ""
        self.blocks: list[ReasoningBlock] = []
        self.characters = 0
        self._calls: dict[int, _OpenCall] = {}
        self._ids: set[str] = set()
        self._out: list[Delta] = []
        self._events = EventReader()
        self._ended = False
        media_type = content_type.partition(";")[0].strip().lower()
        self._streams = status < 400 and media_type in self.content_types
        self._media_type = media_type
        self._begun = False
        self._first = b""
        self._whole: list[bytes] = []
        self._whole_size = 0

    # --- for the transport -------------------------------------------------------------------------------------------

    def feed(self, chunk: bytes) -> list[Delta]:
        """Deltas that `chunk` completes. Raises InferenceError."""
        self._out = out = list[Delta]()
        if not self._begun and not (chunk := self._begin(chunk)):
            return []
        if not self._streams:
            self._whole.append(chunk)
            self._whole_size += len(chunk)
            if self._whole_size > BODY_LIMIT:
                raise self.error(UnreadableAnswer, f"an answer of more than {BODY_LIMIT} bytes")
            return []
        try:
            events = self._events.feed(chunk)
        except EventTooLong as caught:
            raise self.error(UnreadableAnswer, str(caught)) from None
        for name, data in events:
            self._read(name, data)
        return out

    def end(self) -> list[Delta]:
        """The last deltas; the connection has been read to its end. Raises InferenceError."""
        self._out = out = list[Delta]()
        if self._streams:
            self._read_rest()
        else:
            self._read_body(b"".join(self._whole) or self._first)
        self._close_calls()
        if self.reason is None:
            raise self.error(StreamBroken, "no finish reason was sent")
        if self._calls and self.reason == "stop":
            self.reason = "tool_calls"
        if self.reason == "content_filter":
            raise self.error(ContentRefused, self.refusal(), reason=self.raw_reason)
        out.append(
            Finish(
                reason=self.reason,
                raw_reason=self.raw_reason,
                usage=self.usage,
                model=self.model,
                provider=self.provider,
                served_model=self.served_model,
                response_id=self.response_id,
                reasoning=tuple(self.blocks),
            )
        )
        return out

    def taken(self) -> list[Delta]:
        """Deltas that were read before the error that `feed` or `end` raised, tool calls closed if need be."""
        return self._out

    def error(self, kind: type[InferenceError], detail: str = "", **facts: Any) -> InferenceError:
        """An error of this call."""
        return kind(detail, provider=self.provider, model=self.model, status=self.status, **facts)

    # --- for the dialects --------------------------------------------------------------------------------------------

    @abstractmethod
    def read_event(self, name: bytes, event: Json) -> None:
        """Take in one event of the stream."""

    @abstractmethod
    def read_whole(self, body: Json) -> None:
        """Take in an answer that came in one piece."""

    @abstractmethod
    def usage_of(self, raw: Json) -> Usage:
        """The count so far, `raw` in stich's words."""

    def refusal(self) -> str:
        """What the provider said when it declined."""
        return ""

    def fault_in(self, event: Json | str) -> InferenceError:
        """The typed error of an error object, or of an error's text, inside an answer."""
        return fault(self.status, event, self.headers, provider=self.provider, model=self.model)

    def _finish_as(self, raw: str, reasons: Mapping[str, FinishReason]) -> None:
        """The provider says why the answer ended. A reason that nobody knows is no success: the answer may be half
        of one. Raises UnusableAnswer."""
        self.raw_reason = raw
        reason = reasons.get(raw)
        if reason is None:
            raise self.error(UnusableAnswer, f"the answer ended for the reason {raw!r}", reason=raw)
        self.reason = reason

    def _text(self, text: str) -> None:
        self.characters += len(text)
        self._out.append(TextDelta(text))

    def _reasoning(self, text: str) -> None:
        self.characters += len(text)
        self._out.append(ReasoningDelta(text))

    def _counted(self, raw: Json) -> None:
        """Take in a count in the vendor's words. Many repeat it with every event."""
        if raw != self._raw_usage:
            self._raw_usage = raw
            usage = self.usage_of(raw)
            if usage.input_tokens or usage.output_tokens:  # zeros after a count are none
                self.usage = usage
                self._out.append(UsageDelta(usage))

    def _call_open(self, index: int, call_id: str, name: str, signature: str | None = None) -> None:
        """A tool call begins. Ids that are missing or that repeat are replaced: results are matched by id."""
        if not call_id or call_id in self._ids:
            call_id = f"call_{uuid4().hex[:24]}"
        self._ids.add(call_id)
        self._calls[index] = _OpenCall(call_id, name, signature=signature)
        self._out.append(ToolCallDelta(index, call_id, name, ""))

    def _call_more(self, index: int, fragment: str) -> None:
        call = self._calls[index]
        call.fragments.append(fragment)
        self.characters += len(fragment)
        self._out.append(ToolCallDelta(index, call.id, call.name, fragment))

    def _call_close(self, index: int) -> None:
        call = self._calls[index]
        if not call.done:
            call.done = True
            arguments = "".join(call.fragments).strip() or "{}"
            self._out.append(ToolCallDone(index, ToolCall(
                id=call.id, name=call.name, arguments=arguments, signature=call.signature
            )))  # fmt: skip

    def _close_calls(self) -> None:
        for index in sorted(self._calls):
            self._call_close(index)

    # --- reading -----------------------------------------------------------------------------------------------------

    def _begin(self, chunk: bytes) -> bytes:
        """What there is to read, once the first bytes tell what it is. Content types are wrong at times: what begins
        with a bracket is one JSON body (an error, as a rule), what begins as events do is a stream, but for a page."""
        start = self._first = (self._first + chunk).lstrip().removeprefix(_MARK).lstrip()
        if len(start) < len(b"retry:") and not start.startswith((b"{", b"[", b"<")):
            return b""
        self._begun = True
        if start.startswith((b"{", b"[")):
            self._streams = False
        elif self.status < 400 and start.startswith(_FIELDS) and self._media_type != "text/html":
            self._streams = True
        return start

    def _read(self, name: bytes, data: bytes) -> None:
        if data == b"[DONE]" or self._ended:
            self._ended = True
            return
        try:
            event = orjson.loads(data)
        except orjson.JSONDecodeError:
            event = _with_half_characters(data)
        if event is None:
            if name == b"error":
                raise self.fault_in(data.decode(errors="replace"))
            raise self.error(UnreadableAnswer, f"malformed JSON in the stream: {_glimpse(data)}")
        if type(event) is not dict:
            raise self.error(UnreadableAnswer, f"an event that is not an object: {_glimpse(data)}")
        try:
            self.read_event(name, event)
        except (KeyError, TypeError, AttributeError, ValueError, IndexError) as caught:
            raise self.error(UnreadableAnswer, f"an event of an unknown form: {_glimpse(data)}") from caught

    def _read_rest(self) -> None:
        """What was left without its blank line: a whole event counts, the half of one is a broken stream."""
        for name, data in self._events.end():
            try:
                orjson.loads(data)
            except orjson.JSONDecodeError:
                if data != b"[DONE]" and self.reason is None:
                    raise self.error(StreamBroken, "the stream was cut in the middle of an event") from None
                continue
            self._read(name, data)

    def _read_body(self, data: bytes) -> None:
        try:
            body = orjson.loads(data)
        except orjson.JSONDecodeError:
            body = None
        if isinstance(body, list) and len(body) == 1:
            body = body[0]  # Google wraps errors of a streaming call in a list, and without SSE all of its answers
        elif isinstance(body, list) and body and self.status < 400:
            for each in body:
                self._read(b"", orjson.dumps(each))
            return
        if self.status >= 400:
            text = body if isinstance(body, dict) else data[:2000].decode(errors="replace")
            raise fault(self.status, text, self.headers, provider=self.provider, model=self.model)
        if not isinstance(body, dict):
            kind = self._media_type or "no content type"
            raise self.error(UnreadableAnswer, f"{kind} instead of an answer: {_glimpse(data)}")
        if body.get("error"):
            raise self.fault_in(body)
        try:
            self.read_whole(body)
        except (KeyError, TypeError, AttributeError, ValueError, IndexError) as caught:
            raise self.error(UnreadableAnswer, f"an answer of an unknown form: {_glimpse(data)}") from caught


def gather(deltas: Sequence[Delta], answer: Answer | None = None) -> Answer:
    """The whole answer out of its deltas, added to `answer` where one is given."""
    answer = answer or Answer()
    text, reasoning = [answer.text], [answer.reasoning]
    for delta in deltas:
        match delta:
            case TextDelta():
                text.append(delta.text)
            case ReasoningDelta():
                reasoning.append(delta.text)
            case ToolCallDone():
                answer.tool_calls.append(delta.call)
            case UsageDelta():
                answer.usage = delta.usage
            case Finish():
                answer.finish = delta
                answer.usage = delta.usage
            case ToolCallDelta():
                pass
    answer.text, answer.reasoning = "".join(text), "".join(reasoning)
    return answer


def number(value: object) -> int:
    """A token count as providers send it: missing, null and floats happen."""
    return max(int(value), 0) if isinstance(value, (int, float)) else 0


def loads_object(text: str) -> Json:
    """The JSON object in `text`, or an empty one: history may hold arguments that a model wrote badly."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return cast(Json, value) if isinstance(value, dict) else {}


def object_text(text: str) -> str:
    """`text` where it is a JSON object, else an empty one: servers parse the arguments of earlier calls, and refuse
    the whole request for one that does not parse."""
    try:
        return text if isinstance(orjson.loads(text), dict) else "{}"
    except orjson.JSONDecodeError:
        return "{}"


def _with_half_characters(data: bytes) -> object:
    """JSON with halves of surrogate pairs, as proxies leave them that cut text between UTF-16 units; None for what is
    no JSON all the same. The halves are lost."""
    if b"\\ud" not in data.lower():
        return None
    try:
        return orjson.loads(json.dumps(json.loads(data), ensure_ascii=False).encode(errors="replace"))
    except ValueError:
        return None


def _glimpse(data: bytes) -> str:
    return data[:120].decode(errors="replace")
