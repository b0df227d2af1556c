"""What prompts are made of: the request, the blueprint, the template, the files as they stand, the messages."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from activities.context import Rooms
from codegen.context import select_files
from sandbox.specs import requirements_in
from schemas.blueprint import Blueprint
from schemas.checks import Issue
from schemas.templates import TemplateInfo, matches
from storage.blueprints import Blueprints
from storage.messages import MessageRecord

CONTEXT_TOKENS = 60_000  # of project files in one prompt
BLUEPRINT = "blueprint"  # the id of the step that writes it


@dataclass(frozen=True)
class Material:
    """The parts of a session that most prompts show. `files` are whole; `shown` those that fit the context."""

    request: str
    blueprint: str
    template: TemplateInfo
    files: dict[str, str]
    shown: dict[str, str]
    omitted: list[str]


async def gather(
    rooms: Rooms,
    session_id: str,
    template: str,
    focus: list[str],
    line: str | None = None,
    *,
    tokens: int = CONTEXT_TOKENS,
) -> Material:
    """Load the material of a session from storage. `focus` names the files that matter most now; with `line`, the files
    are those of a candidate; `tokens` bounds what is shown of the files."""
    session = await rooms.sessions.get(session_id)
    blueprint = await blueprint_of(rooms, session_id)
    info = template_named(rooms, template)
    files = await rooms.files.contents(line or session_id)
    showable = {path: text for path, text in files.items() if not matches(path, info.redacted_files)}
    important = [path for path in showable if matches(path, info.important_files)]
    shown, omitted = select_files(showable, [*focus, *important], tokens)
    return Material(
        request=session.prompt,
        blueprint=blueprint.model_dump_json(indent=1) if blueprint else "none",
        template=info,
        files=files,
        shown=shown,
        omitted=omitted,
    )


async def blueprint_of(rooms: Rooms, session_id: str) -> Blueprint | None:
    """The blueprint as it stands, once it is written."""
    if (changed := await Blueprints(rooms.database).latest(session_id)) is not None:
        return changed
    begun = await rooms.operations.begin(session_id, BLUEPRINT)
    return None if begun.result is None else Blueprint.model_validate_json(begun.result)


def template_named(rooms: Rooms, name: str) -> TemplateInfo:
    """The template of this name. Raises KeyError."""
    return {template.name: template for template in rooms.sandbox.templates()}[name]


async def message_texts(rooms: Rooms, session_id: str, message_ids: list[str]) -> list[str]:
    """What users wrote, in the order of `message_ids`, with what they meant where their words alone do not say it."""
    turns = {turn.message.id: turn for turn in await rooms.messages.list(session_id)}
    return [asked_for(turns[message_id]) for message_id in message_ids if message_id in turns]


def asked_for(turn: MessageRecord) -> str:
    """A message with its meaning."""
    text = turn.message.text
    return f"{text}\n(What is asked for: {turn.meaning})" if turn.meaning else text


def packages_of(files: Mapping[str, str]) -> set[str]:
    """Names of the packages that a project asks for."""
    if "package.json" not in files:
        return set(requirements_in(files.get("requirements.txt", "")))
    package = json.loads(files["package.json"])
    return {*package.get("dependencies", {}), *package.get("devDependencies", {})}


def describe(issues: list[Issue]) -> list[str]:
    """Issues as a model reads them, one line each."""
    return [
        f"{issue.file or 'project'}:{issue.line or 0} {issue.severity} {issue.code}: {issue.message}"
        for issue in issues
    ]
