"""One issue under repair, and what all rules do with it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from codegen.fixes import imports
from codegen.fixes.project import Edit, Project
from codegen.fixes.syntax import Module
from schemas.checks import Issue

_MOST_TYPES = 100  # marked at once


class Left(Exception):
    """The issue is left alone; the message says why."""


@dataclass(slots=True)
class Repair:
    """One issue, and the project that it is in. `written` collects the paths that its rule changed."""

    issue: Issue
    path: str
    project: Project
    packages: frozenset[str]
    refused: Callable[[str], bool]
    written: list[str] = field(default_factory=list)
    install: str | None = None
    stub: str | None = None

    @property
    def module(self) -> Module:
        return self.project.module(self.path)

    def edit(self, edits: list[Edit], path: str | None = None) -> None:
        """Change the issue's file, or another. Raises Left where that is not allowed or does not parse."""
        path = path or self.path
        if not edits or not self.project.edit(path, edits):
            raise Left(f"{path} cannot be changed in this way.")
        self.written.append(path)


def mark_types(repair: Repair, target: str) -> None:
    """Say which of the names imported from a file are types: the compiler would ask for it next."""
    for _ in range(_MOST_TYPES):
        edits = [
            imports.mark_type(repair.module, statement, specifier.local)
            for statement in repair.module.imports
            if not statement.type_only and repair.project.resolve(repair.path, statement.source) == target
            for specifier in statement.specifiers
            if not specifier.type_only and (origin := repair.project.origin(target, specifier.imported))
            if origin.kind == "type"
        ]
        if not edits:
            return
        repair.edit(edits[0])
