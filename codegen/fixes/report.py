"""What deterministic repair did: file by file and issue by issue."""

from dataclasses import dataclass, field
from typing import Literal

from schemas.checks import Issue


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one issue, in plain words. `stubbed` lets the project compile and repairs nothing."""

    issue: Issue
    status: Literal["fixed", "install", "stubbed", "left"]
    how: str


@dataclass(slots=True)
class FixReport:
    """`changed` (which were `before`) and `created` map paths to whole texts; `reasons` tells which rules wrote each.

    `install` are package names, `stubs` those paths that stand in for something that nobody wrote.
    """

    before: dict[str, str] = field(default_factory=dict)
    changed: dict[str, str] = field(default_factory=dict)
    created: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, list[str]] = field(default_factory=dict)
    install: list[str] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    stubs: list[str] = field(default_factory=list)

    @property
    def written(self) -> dict[str, str]:
        """All files to store."""
        return self.changed | self.created

    @property
    def open(self) -> list[Issue]:
        """The issues that still need somebody's judgement, at their lines in the files as they are now.

        Those are the issues left, and those that a stand-in hides: their message says where it is.
        """
        found = []
        for outcome in self.outcomes:
            if outcome.status in ("left", "stubbed"):
                issue = outcome.issue
                note = f" ({outcome.how})" if outcome.status == "stubbed" else ""
                line = self._line_now(issue)
                found.append(issue.model_copy(update={"message": issue.message + note, "line": line}))
        return found

    def _line_now(self, issue: Issue) -> int | None:
        """Where a line of a changed file is now: imports added above it moved it."""
        if issue.file not in self.changed or issue.line is None:
            return issue.line
        old, new = self.before[issue.file].splitlines(), self.changed[issue.file].splitlines()
        line, moved = issue.line, issue.line + len(new) - len(old)
        if 0 < line <= len(old) and 0 < moved <= len(new) and new[moved - 1] == old[line - 1]:
            return moved
        return line
