"""Let a model read what was built, against what was planned: findings by file, and which files must change."""

import asyncio
import json
import re

from temporalio import activity

from activities.context import Rooms
from activities.material import describe, gather, message_texts
from activities.model_call import complete_model
from activities.once import once
from activities.step import Step, running
from activities.workspace import PACKAGES
from codegen.commands import find_install_commands
from codegen.order import predecessors
from codegen.paths import PathRefused, normalise_path
from codegen.prompts import render
from schemas.blueprint import PhasePlan
from schemas.checks import CheckReport, Issue, IssueSource, Severity
from schemas.events import CommandEvent
from schemas.inference import ActionKey
from schemas.review import CodeReview, FileRepair, Finding, ReviewInput, ReviewResult
from schemas.templates import matches

CODE = "review"
MAX_REPAIRS = 10  # files that one review may send to be repaired, each in a call of its own
MAX_MESSAGE = 800  # characters of a finding


class CodeReviewActivities:
    """Reviews code."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    @activity.defn(name="review_code")
    async def review(self, given: ReviewInput) -> ReviewResult:
        """Review the code of a phase or of the project. A review that was made is not paid for again."""
        async with running(self._rooms, given) as step:
            found = await once(
                step,
                ReviewResult,
                lambda: review_code(
                    step,
                    template=given.template,
                    phase_id=given.phase_id,
                    plan=given.plan,
                    files=given.files,
                    whole=given.whole,
                    message_ids=given.message_ids,
                    earlier=given.earlier,
                ),
            )
            seq, usage = await step.ended()
            return found.model_copy(update={"last_seq": seq, "usage": usage})


async def review_code(
    step: Step,
    *,
    template: str,
    phase_id: str,
    plan: PhasePlan,
    files: list[str],
    whole: bool,
    message_ids: list[str] | None = None,
    earlier: list[Issue] | None = None,
) -> ReviewResult:
    """Review `files`, or with `whole` the project. Commands other than installs are refused, and watchers told so.
    Nothing is found where the user has switched reviews off."""
    rooms = step.rooms
    if not (await step.model_access()).enabled(ActionKey.CODE_REVIEW):
        return ReviewResult(last_seq=0, report=CheckReport())
    material = await gather(rooms, step.session_id, template, files)
    messages = render(
        "code_review",
        template=material.template,
        request=material.request,
        blueprint=material.blueprint,
        files=material.shown,
        omitted=material.omitted,
        messages=await message_texts(rooms, step.session_id, message_ids or []),
        earlier=describe(earlier or []),
        whole=whole,
        phase_id=phase_id,
        plan=plan.model_dump_json(indent=1),
        files_in_question=sorted(files),
    )
    review = await complete_model(step, ActionKey.CODE_REVIEW, messages, CodeReview)
    installed = _installed(material.files)
    install, refused = _packages(review, installed)
    for command in refused:
        step.emit(
            CommandEvent(
                operation_id=step.id,
                command=command,
                status="refused",
                output="A review may ask for packages of the registry, and for nothing else.",
            )
        )
    protected = material.template.protected_files
    found = await asyncio.to_thread(_sorted_out, review, material.files, protected)
    return found.model_copy(update={"install": install})


def _sorted_out(review: CodeReview, files: dict[str, str], protected: list[str]) -> ReviewResult:
    """The findings as issues, errors first, and the files that have to change for them in a good order."""
    issues: dict[str, list[Issue]] = {}
    for reviewed in review.files:
        try:
            path = normalise_path(reviewed.path)
        except PathRefused:
            continue
        fixed = matches(path, protected)
        issues.setdefault(path, []).extend(_issue(path, finding, files, fixed) for finding in reviewed.findings)
    every = [issue for found in issues.values() for issue in found]
    every.sort(key=lambda issue: issue.severity is not Severity.ERROR)
    wanted = [p for p, found in issues.items() if any(issue.severity is Severity.ERROR for issue in found)][
        :MAX_REPAIRS
    ]
    after = predecessors(files, wanted)
    return ReviewResult(
        last_seq=0,
        report=CheckReport(issues=every, ran=[IssueSource.REVIEW]),
        summary=review.summary[:MAX_MESSAGE],
        repairs=[FileRepair(path=path, issues=issues[path], after=after[path]) for path in wanted],
    )


def _issue(path: str, finding: Finding, files: dict[str, str], fixed: bool) -> Issue:
    lines = files[path].count("\n") + 1 if path in files else 0
    known = finding.line is not None and 1 <= finding.line <= lines
    advice = f" {finding.suggestion}" if finding.suggestion else ""
    return Issue(
        file=path,
        line=finding.line if known else None,
        code=CODE,
        # What the template keeps for itself nobody may change: it is worth knowing, not repairing.
        severity=Severity.WARNING if fixed else Severity(finding.severity),
        source=IssueSource.REVIEW,
        message=(finding.problem + advice)[:MAX_MESSAGE],
    )


def _packages(review: CodeReview, installed: set[str]) -> tuple[list[str], list[str]]:
    """The packages that a review asks for and the project lacks, and what it asks for that is no package."""
    wanted: list[str] = []
    refused: list[str] = []
    for line in [*review.missing_dependencies, *review.commands]:
        specs = _specs(line if line in review.commands else f"bun add {line}")
        if not specs or (line in review.missing_dependencies and specs != [line]):
            refused.append(line)
            continue
        wanted += [spec for spec in specs if re.sub(r"(?<!^)@.*", "", spec) not in installed and spec not in wanted]
    return wanted, refused


def _specs(command: str) -> list[str]:
    """The packages of an install command; none where it is another command or would do more than install."""
    commands = find_install_commands(command)
    unsafe = any(found.unsafe is not None for found in commands)
    return [] if unsafe else [spec for found in commands for spec in found.packages]


def _installed(files: dict[str, str]) -> set[str]:
    package = json.loads(files.get(PACKAGES, "{}"))
    return {*package.get("dependencies", {}), *package.get("devDependencies", {})}
