"""What a chat-completions request is about, read from its header and its messages.

The demo model keeps no state: everything that decides an answer is in the request, so that a retry after a crash, or
another server, gives the same one.
"""

import hashlib
import json
import re
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

_REQUEST = re.compile(r"<request(-[0-9a-f]+|)>(?P<text>.*?)</request\1>", re.DOTALL)
_USER_MESSAGE = re.compile(r"<user_message(-[0-9a-f]+|)>(?P<text>.*?)</user_message\1>", re.DOTALL)
_PHASE = re.compile(r'^[ \t]*<phase(?:-[0-9a-f]+)? id="([^"\n]+)"', re.MULTILINE)
_ALREADY_WRITTEN = re.compile(r"^[ \t]*<already_written(-[0-9a-f]+|)>(?P<text>.*?)</already_written\1>", re.S | re.M)
_WRITE_ONLY = re.compile(r"^[ \t]*<write_only(-[0-9a-f]+|)>(?P<text>.*?)</write_only\1>", re.S | re.M)


class ContentPart(BaseModel):
    """One part of a message's content; only text is read."""

    model_config = ConfigDict(extra="allow")
    type: str
    text: str | None = None


class Message(BaseModel):
    """A chat message in the OpenAI shape."""

    model_config = ConfigDict(extra="allow")
    role: str
    content: str | list[ContentPart] | None = None
    tool_call_id: str | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content if part.text)
        return self.content or ""

    @property
    def pictures(self) -> int:
        return sum(part.type == "image_url" for part in self.content) if isinstance(self.content, list) else 0


class StreamOptions(BaseModel):
    include_usage: bool = False


class ChatRequest(BaseModel):
    """The part of a chat-completions request the demo model reads; the rest is accepted and ignored."""

    model_config = ConfigDict(extra="ignore")
    model: str
    messages: list[Message]
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    tools: list[dict[str, JsonValue]] = []


class Metadata(BaseModel):
    """The `x-stich-metadata` header."""

    session: str = ""
    operation: str = ""
    action: str = ""
    fingerprint: str = ""


@dataclass(frozen=True)
class Prompt:
    """What matching needs to know of one request.

    text: all messages' text. request: the user's prompt, "" if none is marked. phase: id of the phase asked about.
    pictures: how many came along. beginning: of the answer, which is to be gone on with.
    """

    action: str
    session: str
    text: str
    request: str
    user_messages: tuple[str, ...]
    phase: str | None
    last_tool_call: str
    already_written: frozenset[str]
    write_only: frozenset[str]
    messages_sha256: str
    operation: str = ""
    fingerprint: str = ""
    pictures: int = 0
    beginning: str = ""


def read_metadata(header: str | None) -> Metadata:
    """The fields of the metadata header; a plain OpenAI client sends none, and a malformed one counts as none."""
    try:
        return Metadata.model_validate_json(header or "{}")
    except ValidationError:
        return Metadata()


def read_prompt(request: ChatRequest, metadata: Metadata) -> Prompt:
    """Collect what matching looks at."""
    text = "\n".join(message.text for message in request.messages)
    from_user = "\n".join(m.text for m in request.messages if m.role == "user")
    # instructions may explain these tags, so they count only in what came as the user's turn
    asked = _REQUEST.search(from_user)
    tool_calls = [m.tool_call_id or "" for m in request.messages if m.role == "tool"]
    user_messages = tuple(found["text"].strip() for found in _USER_MESSAGE.finditer(from_user))
    phase = _newest_phase(from_user)
    return Prompt(
        action=metadata.action or _infer_action(request, text, bool(user_messages), phase),
        session=metadata.session,
        text=text,
        request=asked["text"].strip() if asked else "",
        user_messages=user_messages,
        phase=phase,
        last_tool_call=tool_calls[-1] if tool_calls else "",
        already_written=_paths(_ALREADY_WRITTEN, from_user),
        write_only=_paths(_WRITE_ONLY, from_user),
        messages_sha256=hash_messages(request.messages),
        operation=metadata.operation,
        fingerprint=metadata.fingerprint,
        pictures=sum(message.pictures for message in request.messages),
        beginning=request.messages[-1].text if request.messages[-1].role == "assistant" else "",
    )


def _paths(section: re.Pattern[str], text: str) -> frozenset[str]:
    """The lines of a section of the prompt."""
    found = section.search(text)
    return frozenset(line.strip() for line in found["text"].split("\n") if line.strip()) if found else frozenset()


def hash_messages(messages: list[Message]) -> str:
    """SHA-256 of the messages, independent of key order and spacing."""
    plain = [message.model_dump(exclude_none=True) for message in messages]
    return hashlib.sha256(json.dumps(plain, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _newest_phase(text: str) -> str | None:
    """The phase with the highest number: prompts list earlier ones before or after it as context. One that was begun
    anew (phase-2r1) is what it was before."""
    ids: list[str] = [re.sub(r"(?<=\d)r\d+$", "", id_) for id_ in _PHASE.findall(text)]
    if not ids:
        return None
    numbered = [(int(match.group()), id_) for id_ in ids if (match := re.search(r"\d+$", id_))]
    return max(numbered)[1] if numbered else ids[-1]


def _infer_action(request: ChatRequest, text: str, has_user_message: bool, phase: str | None) -> str:
    """A guess for clients that do not say which operation they call for."""
    names = {function.get("name") for tool in request.tools if isinstance(function := tool.get("function"), dict)}
    if {"write_file", "complete"} <= names:
        return "smart_builder"
    if "first_phase" in text and "colour_palette" in text:
        return "blueprint"
    if "project_type" in text:
        return "template_selection"
    if re.search(r"\berror TS\d+", text) or "<issues>" in text or "<errors>" in text:
        return "fast_code_fixer"
    if phase is not None and re.search(r"<<\s*'?\w+", text):
        return "first_phase_implementation" if phase == "phase-1" else "phase_implementation"
    if phase is not None and not (has_user_message and "JSON" not in text):
        return "phase_generation"
    return "conversation"
