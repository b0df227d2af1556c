"""Looking at what was built: a review of the code, a judgement of its pictures, and the repair of single files."""

from typing import Literal

from pydantic import BaseModel, Field

from schemas.blueprint import Line, ModelOutput, Paragraph, PhasePlan
from schemas.checks import CheckReport, Issue
from schemas.operations import OperationInput, OperationResult
from schemas.session import ScreenshotRef

Weight = Literal["error", "warning"]
"""An error must be repaired before the application counts as done; a warning is worth knowing."""

# --- what models write -----------------------------------------------------------------------------------------------


class Finding(ModelOutput):
    """One fault that a reviewer sees in a file."""

    severity: Weight = "warning"
    problem: Paragraph
    suggestion: Paragraph = ""
    line: int | None = None


class FileReview(ModelOutput):
    """The faults of one file, which may be one that is missing."""

    path: Line
    findings: list[Finding] = Field(default_factory=list, max_length=30)


class CodeReview(ModelOutput):
    """A review: what must change, file by file, and what has to be installed for it."""

    summary: Paragraph = ""
    files: list[FileReview] = Field(default_factory=list, max_length=60)
    missing_dependencies: list[Line] = Field(default_factory=list, max_length=20)
    commands: list[Line] = Field(default_factory=list, max_length=20)


class VisualFinding(ModelOutput):
    """One fault to be seen in a picture. `file` is where its cause probably lies."""

    severity: Weight = "warning"
    problem: Paragraph
    suggestion: Paragraph = ""
    where: Literal["desktop", "phone", "both"] = "both"
    file: Line | None = None


class ScreenJudgement(ModelOutput):
    """Whether what is to be seen is what was planned, and what is wrong with it."""

    matches: bool
    summary: Paragraph = ""
    issues: list[VisualFinding] = Field(default_factory=list, max_length=20)


# --- steps -----------------------------------------------------------------------------------------------------------


class ReviewInput(OperationInput):
    """Review the files of a phase, or with `whole` the project. `earlier` is what the review before found."""

    template: str
    phase_id: str
    plan: PhasePlan
    files: list[str]
    whole: bool
    message_ids: list[str] = Field(default_factory=list)
    earlier: list[Issue] = Field(default_factory=list)


class FileRepair(BaseModel):
    """A file that has to change, why, and which of the others should have changed before."""

    path: str
    issues: list[Issue]
    after: list[str] = Field(default_factory=list)


class ReviewResult(OperationResult):
    """What the review found. `repairs` are the files with errors; `install` are plain package specs."""

    report: CheckReport
    summary: str = ""
    repairs: list[FileRepair] = Field(default_factory=list)
    install: list[str] = Field(default_factory=list)


class RegenerationInput(OperationInput):
    """Change one file so that its issues are gone."""

    template: str
    phase_id: str
    path: str
    issues: list[Issue]


class LookInput(OperationInput):
    """Judge the pictures of the application that were taken last."""

    template: str
    phase_id: str
    plan: PhasePlan
    screenshots: list[ScreenshotRef]


class LookResult(OperationResult):
    """What is to be seen. `judged` is False where no model that sees can be asked; then nothing is known."""

    judged: bool
    matches: bool = True
    summary: str = ""
    report: CheckReport = Field(default_factory=CheckReport)
