"""What models that work with tools can do: one class per tool, in modules by concern."""

from collections.abc import Mapping

from pydantic import ValidationError

from activities.tools.diagnosis import Report
from activities.tools.files import DeleteFile, EditFile, ListFiles, ReadFile, SearchFiles, WriteFile
from activities.tools.generation import GenerateFiles, RegenerateFile, ReviewCode
from activities.tools.history import DiffVersions, ListVersions, RestoreFile
from activities.tools.planning import ChangeBlueprint, ReadBlueprint, WriteBlueprint
from activities.tools.running import InstallPackages, RunChecks, RunCommand
from activities.tools.talking import AskUser, Complete
from activities.tools.tool import Bench, Result, Tool, ToolFailed
from activities.tools.watching import ReadLogs, TakeScreenshot, UsePreview
from activities.tools.web import FetchPage
from inference.structured import problems
from schemas.inference import ToolCall

Tools = Mapping[str, type[Tool]]


def _by_name(*tools: type[Tool]) -> Tools:
    return {tool.name: tool for tool in tools}


BUILDER_TOOLS: Tools = _by_name(
    ListFiles, ReadFile, SearchFiles, WriteFile, EditFile, DeleteFile, GenerateFiles, RegenerateFile, ReviewCode,
    ReadBlueprint, WriteBlueprint, ChangeBlueprint, InstallPackages, RunChecks, RunCommand, ReadLogs, TakeScreenshot,
    UsePreview, ListVersions, DiffVersions, RestoreFile, FetchPage, AskUser, Complete,
)  # fmt: skip


READING_TOOLS: Tools = _by_name(ListFiles, ReadFile, SearchFiles, ReadBlueprint, ListVersions, DiffVersions)

DEBUGGER_TOOLS: Tools = _by_name(
    ListFiles, ReadFile, SearchFiles, EditFile, RunChecks, RunCommand, ReadLogs, TakeScreenshot, ListVersions,
    DiffVersions, RestoreFile, Report,
)  # fmt: skip


def parse(call: ToolCall, tools: Tools) -> Tool:
    """The tool that a call means. Raises ToolFailed with a sentence for the model."""
    kind = tools.get(call.name)
    if kind is None:
        raise ToolFailed(f"There is no tool {call.name[:100]!r}. The tools are: {', '.join(tools)}.")
    try:
        return kind.model_validate_json(call.arguments or "{}")
    except ValidationError as error:
        raise ToolFailed(f"These arguments of {call.name} cannot be used:\n{problems(error)}") from error


def summary_of(call: ToolCall, tools: Tools) -> str:
    """A call in a few plain words, for people who watch."""
    try:
        return parse(call, tools).summary()[:200]
    except ToolFailed:
        return f"Trying {call.name[:60]}"


__all__ = [
    "BUILDER_TOOLS",
    "DEBUGGER_TOOLS",
    "READING_TOOLS",
    "Bench",
    "Result",
    "Tool",
    "ToolFailed",
    "Tools",
    "parse",
    "summary_of",
]
