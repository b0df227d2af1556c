"""Reading a provider's chat-completions answer back into a recorded reply."""

import json

from pydantic import BaseModel, ConfigDict, JsonValue, TypeAdapter

from schemas.recording import FinishReason, RecordedToolCall, RecordedUsage, Reply

_FINISH: TypeAdapter[FinishReason] = TypeAdapter(FinishReason)


class _Wire(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Function(_Wire):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(_Wire):
    index: int | None = None
    id: str | None = None
    function: _Function = _Function()


class _Said(_Wire):
    content: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(_Wire):
    delta: _Said | None = None
    message: _Said | None = None
    finish_reason: str | None = None


class _Cached(_Wire):
    cached_tokens: int | None = None


class _Reasoned(_Wire):
    reasoning_tokens: int | None = None


class _Usage(_Wire):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: _Cached | None = None
    completion_tokens_details: _Reasoned | None = None


class _Frame(_Wire):
    choices: list[_Choice] = []
    usage: _Usage | None = None
    error: JsonValue = None


class AnswerReader:
    """Puts the parts of one answer together.

    Raises (all methods): ValueError for what is no answer, or one without its end.
    """

    def __init__(self) -> None:
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._calls: dict[int, RecordedToolCall] = {}
        self._finish: str | None = None
        self._usage: _Usage | None = None

    def read_whole(self, body: str) -> None:
        self._read_frame(body)

    def read_stream(self, body: str) -> None:
        for line in body.split("\n"):  # not splitlines: an answer may hold other line separators
            if line.startswith("data:") and (data := line[5:].strip()) != "[DONE]":
                self._read_frame(data)

    def reply(self) -> Reply:
        usage = self._usage
        if self._finish is None:
            raise ValueError("the answer ended without a finish reason")
        finish = _FINISH.validate_python(self._finish)
        calls = [_parsed(self._calls[index]) for index in sorted(self._calls)]
        text = "".join(self._text)
        return Reply(
            text=text if text or not calls else None,
            reasoning="".join(self._reasoning) or None,
            tool_calls=calls,
            finish_reason=None if finish == ("tool_calls" if calls else "stop") else finish,
            usage=RecordedUsage(
                prompt_tokens=usage.prompt_tokens,
                completion_tokens=usage.completion_tokens,
                cached_tokens=(usage.prompt_tokens_details or _Cached()).cached_tokens or 0,
                reasoning_tokens=(usage.completion_tokens_details or _Reasoned()).reasoning_tokens or 0,
            )
            if usage
            else None,
        )

    def _read_frame(self, data: str) -> None:
        frame = _Frame.model_validate_json(data)
        if frame.error:
            raise ValueError("the answer is an error")
        self._usage = frame.usage or self._usage
        for choice in frame.choices[:1]:
            self._finish = choice.finish_reason or self._finish
            said = choice.delta or choice.message or _Said()
            self._text.append(said.content or "")
            self._reasoning.append(said.reasoning_content or said.reasoning or "")
            for position, call in enumerate(said.tool_calls or []):
                self._add_call(position if call.index is None else call.index, call)

    def _add_call(self, index: int, call: _ToolCall) -> None:
        known = self._calls.get(index)
        said = call.function.arguments or ""
        if known is None:
            name = call.function.name or ""
            self._calls[index] = RecordedToolCall(id=call.id or f"call_{index}", name=name, arguments=said)
        else:
            self._calls[index] = known.model_copy(update={"arguments": f"{known.arguments}{said}"})


def _parsed(call: RecordedToolCall) -> RecordedToolCall:
    """The arguments as an object where writing them again gives the same text, so that recordings read well."""
    if not isinstance(call.arguments, str):
        return call
    try:
        value = json.loads(call.arguments)
    except ValueError:
        return call
    same = isinstance(value, dict) and json.dumps(value, ensure_ascii=False) == call.arguments
    return call.model_copy(update={"arguments": value}) if same else call
