"""What the demo model answers, written short, and what a fault consists of."""

import json
from dataclasses import dataclass, field

from schemas.recording import Exchange, Match, RecordedToolCall, Reply

CLEAN_REVIEW: dict[str, object] = {"summary": "It does what was asked.", "files": []}
CLEAN_LOOK: dict[str, object] = {"matches": True, "summary": "What was planned is to be seen.", "issues": []}
README: dict[str, object] = {"summary": "A small application.", "features": ["It does what was asked."]}


@dataclass(frozen=True)
class Fault:
    """A component of an application, and what is wrong with it.

    `found` is the code of the error that must be found, if a program finds it; `mended` a text of the file `path` once
    it is right. `fix` is the answer to the fixer, `review` what a reviewer finds and `look` what whoever looks at
    pictures does; `more` are further answers of the deterministic mode, `talk` those to a person, by mode. `right` are
    files as they should be, where that does not follow from `fix`. `dependencies` are those of the blueprint.
    """

    name: str
    component: str
    path: str
    mended: str
    files: dict[str, str]
    found: str = ""
    fix: str = ""
    review: tuple[dict[str, object], ...] = ()
    look: dict[str, object] | None = None
    more: tuple[Exchange, ...] = ()
    talk: dict[str, tuple[Exchange, ...]] = field(default_factory=dict)
    right: dict[str, str] = field(default_factory=dict)
    dependencies: tuple[str, ...] = ()


def says(action: str, answer: str | dict[str, object], **match: object) -> Exchange:
    text = answer if isinstance(answer, str) else json.dumps(answer)
    return Exchange(action=action, match=Match.model_validate(match), reply=Reply(text=text))


def calls(action: str, text: str, *tools: RecordedToolCall, **match: object) -> Exchange:
    reply = Reply(text=text, tool_calls=list(tools))
    return Exchange(action=action, match=Match.model_validate(match), reply=reply)


def call(call_id: str, name: str, **arguments: object) -> RecordedToolCall:
    return RecordedToolCall.model_validate({"id": call_id, "name": name, "arguments": arguments})


def turn(after: str, tools: list[RecordedToolCall], **match: object) -> Exchange:
    """A turn of the model that drives a session, after the call with this id."""
    return calls("smart_builder", "I go on.", *tools, after_tool_call=after, **match)


def scof(files: dict[str, str]) -> str:
    return "\n".join(f"# {path}: part of the page\ncat > {path} << 'EOF'\n{text}EOF\n" for path, text in files.items())


def patch(path: str, old: str, new: str) -> str:
    removed = "".join(f"-{line}\n" for line in old.splitlines())
    added = "".join(f"+{line}\n" for line in new.splitlines())
    return f"cat << 'EOF' | patch {path}\n@@\n{removed}{added}EOF\n"


def block(old: str, new: str) -> str:
    return f"<<<<<<< SEARCH\n{old}\n=======\n{new}\n>>>>>>> REPLACE\n"
