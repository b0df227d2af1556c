"""Recorded model sessions: the data behind the demo model and the files `stich record` writes.

One recording is a folder with `recording.json` (a `Recording`) and the text files it names; `docs/recordings.md` is the
description for people.
"""

from pathlib import PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, field_validator, model_validator

FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]
Text = Annotated[str, StringConstraints(min_length=1)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class _Strict(BaseModel):
    """A misspelt key in a recording is an error, not a silently ignored wish."""

    model_config = ConfigDict(extra="forbid")


class RecordedUsage(_Strict):
    """Token counts of one exchange; `cached_tokens` are part of the prompt, `reasoning_tokens` of the completion."""

    prompt_tokens: int = Field(ge=0)
    completion_tokens: int = Field(ge=0)
    cached_tokens: int = Field(default=0, ge=0)
    reasoning_tokens: int = Field(default=0, ge=0)


class RecordedToolCall(_Strict):
    """A tool call of the model; `arguments` as an object, or as the raw text where it was no valid JSON object."""

    id: Text
    name: Text
    arguments: dict[str, JsonValue] | str


class RecordedError(_Strict):
    """An HTTP error answer: status, the fields of the OpenAI error object, and headers such as `retry-after`."""

    status: int = Field(ge=400, le=599)
    message: str
    type: str = "server_error"
    code: str | None = None
    headers: dict[str, str] = {}


class Match(_Strict):
    """What a request must show for an exchange to answer it; everything given must hold.

    contains: texts that occur in the messages (case matters).
    phase: the phase the request is about, the `id` of its newest `<phase id="...">` line.
    user_message: at least one of these phrases occurs in a `<user_message>` of the request (case does not matter).
    after_tool_call: the id of the tool call whose result came last; "" means no tool has answered yet.
    messages_sha256: the hash of the messages, as `stich record` writes it; an exact hit wins over every other match.
    fingerprint: what an exported session was asked, the same on every machine; a hit wins likewise.
    operation: the step of the session that asks.
    """

    contains: list[Text] = []
    phase: Text | None = None
    user_message: list[Text] = []
    after_tool_call: str | None = None
    messages_sha256: Sha256 | None = None
    fingerprint: Sha256 | None = None
    operation: Text | None = None


class Reply(_Strict):
    """What the model answered: text (inline or in a file of the folder), reasoning, tool calls; or an error.

    ends: `cut` where the connection broke after the text, `left` where the caller went away before the answer's end.
    """

    text: str | None = None
    text_file: str | None = None
    reasoning: str | None = None
    tool_calls: list[RecordedToolCall] = []
    finish_reason: FinishReason | None = None
    usage: RecordedUsage | None = None
    error: RecordedError | None = None
    ends: Literal["cut", "left"] | None = None

    @field_validator("text_file")
    @classmethod
    def _inside_the_folder(cls, value: str | None) -> str | None:
        if value is None:
            return None
        path = PurePosixPath(value)
        if not value or path.is_absolute() or ".." in path.parts or "\\" in value or "\0" in value:
            raise ValueError(f"text_file must be a path inside the recording's folder, not {value!r}")
        return value

    @model_validator(mode="after")
    def _one_answer(self) -> Self:
        if self.text is not None and self.text_file is not None:
            raise ValueError("give text or text_file, not both")
        has_answer = self.text is not None or self.text_file is not None or bool(self.tool_calls)
        if self.error is not None and has_answer:
            raise ValueError("a reply is an answer or an error, not both")
        if self.error is None and not has_answer:
            raise ValueError("a reply needs text, text_file, tool_calls or error")
        return self

    @property
    def finish(self) -> FinishReason:
        return self.finish_reason or ("tool_calls" if self.tool_calls else "stop")


class Exchange(_Strict):
    """One request the recording knows and the reply to it."""

    action: Text
    match: Match = Match()
    reply: Reply


class RecordedImage(_Strict):
    """A picture that somebody sent along, in base64."""

    id: Text
    media_type: Text
    data: Text


class Moment(_Strict):
    """Something that happened, in the order of a session's moments.

    begin, end: the exchange of this number was asked for, was answered. message: somebody said `text`. edit: the file
    `path` became `text`, or was deleted without one. stop, resume, check: somebody asked for that; choose, retry: for
    the candidate, the phase `id`; restore: that everything, or the file `path`, be what it was at `version`, which the
    step `step` had made.
    files: how many files had been completed by then. phases: how many phases were over. state: the session's, at that
        time. images: ids of the message's pictures.
    """

    kind: Literal["begin", "end", "message", "stop", "resume", "edit", "restore", "choose", "retry", "check"]
    exchange: int | None = Field(default=None, ge=0)
    id: str | None = None
    text: str | None = None
    path: str | None = None
    version: int | None = Field(default=None, ge=1)
    step: str | None = None
    interrupt: bool = False
    images: list[str] = []
    files: int = Field(default=0, ge=0)
    phases: int = Field(default=0, ge=0)
    state: str | None = None


class RecordedSession(_Strict):
    """A whole session, to be played again: how it began, what happened, and what came of it.

    request: the body of `POST /api/sessions`. files: the hashes of the project's files at the end, by path. missing:
    how many answers of models were no longer kept. left_out: what happened in the session that is not played, in plain
    words. version: of the stich that exported it.
    """

    request: dict[str, JsonValue]
    images: list[RecordedImage] = []
    moments: list[Moment]
    files: dict[str, Sha256]
    state: Text
    reason: str = ""
    models: list[str] = []
    cost_usd: str = "0"
    missing: int = Field(default=0, ge=0)
    left_out: list[str] = []
    version: Text


class Recording(_Strict):
    """A recorded session.

    match: phrases, one of which must occur in the user's request (as whole words, any case) for this recording to
        answer at all; empty means any request.
    follow_ups: messages the recording has an answer for, offered to people who ask for something else.
    by_order: when nothing else matches, answer the k-th different request of an action with its k-th exchange
        (recordings of real sessions, whose prompts change with the code that writes them).
    session: where it is a session's export, all that is needed to play the session again.
    """

    title: Text
    example_prompt: Text
    match: list[Text] = []
    follow_ups: list[Text] = []
    by_order: bool = False
    exchanges: list[Exchange]
    session: RecordedSession | None = None
