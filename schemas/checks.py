"""What checks of a project find: one shape for compiler, linter, build, server log and browser."""

from enum import StrEnum

from pydantic import BaseModel, Field

STUB = "stich/stub"
"""The code of an issue that names a stand-in for a module which nobody has written yet."""


class Severity(StrEnum):
    """How bad an issue is. Errors must be repaired; warnings are worth a look."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class IssueSource(StrEnum):
    """Which check found the issue."""

    TYPECHECK = "typecheck"  # the type checker
    LINT = "lint"  # the linter of the template
    BUILD = "build"  # the production build, or a compile step
    MARKUP = "markup"  # HTML and CSS
    SERVER = "server"  # the development server's log
    BROWSER = "browser"  # console errors and page errors
    NETWORK = "network"  # requests of the page that failed
    SCREENSHOT = "screenshot"  # what the rendered page looks like, for instance blank
    REVIEW = "review"  # a model that read the code
    SANDBOX = "sandbox"  # a limit of the sandbox was met


class Issue(BaseModel):
    """One finding. `file` is relative to the project, lines and columns count from 1; None where unknown.

    `code` is the tool's own rule or error number, for instance `TS2304` or `react/jsx-key`. `count` tells how often the
    same thing was seen.
    """

    file: str | None = None
    line: int | None = Field(default=None, ge=1)
    column: int | None = Field(default=None, ge=1)
    code: str
    severity: Severity
    source: IssueSource
    message: str
    count: int = Field(default=1, ge=1)


class CheckReport(BaseModel):
    """The findings of one round of checks, errors first. `ran` lists the checks that came to an end."""

    issues: list[Issue] = Field(default_factory=list)
    ran: list[IssueSource] = Field(default_factory=list)
    seconds: float = 0.0

    @property
    def errors(self) -> list[Issue]:
        """The issues that must be repaired."""
        return [issue for issue in self.issues if issue.severity is Severity.ERROR]

    @property
    def ok(self) -> bool:
        """Whether the project has no errors. Warnings do not count."""
        return not self.errors


def merged(one: CheckReport, other: CheckReport) -> CheckReport:
    """Both reports as one, errors first. A check that ran for both is named once."""
    issues = sorted([*one.issues, *other.issues], key=lambda issue: issue.severity is not Severity.ERROR)
    ran = list(dict.fromkeys([*one.ran, *other.ran]))
    return CheckReport(issues=issues, ran=ran, seconds=one.seconds + other.seconds)
