"""Let a model that sees look at pictures of the application, against what was planned."""

from temporalio import activity

from activities.context import Rooms
from activities.images import image_of, with_images
from activities.material import gather
from activities.model_call import complete_model
from activities.once import once
from activities.step import Step, running
from codegen.prompts import render
from schemas.blueprint import PhasePlan
from schemas.checks import CheckReport, Issue, IssueSource, Severity
from schemas.inference import ActionKey
from schemas.review import LookInput, LookResult, ScreenJudgement, VisualFinding
from schemas.session import ScreenshotRef

MAX_PICTURES = 2
MAX_MESSAGE = 800  # characters of a finding
BLANK = Issue(
    code="blank-page",
    severity=Severity.ERROR,
    source=IssueSource.SCREENSHOT,
    message="Nothing is to be seen on the page: it is blank.",
)


class ScreenshotAnalysisActivities:
    """Looks at pictures."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    @activity.defn(name="judge_screenshots")
    async def judge(self, given: LookInput) -> LookResult:
        """Judge the pictures. A judgement that was made is not paid for again; without eyes there is none."""
        async with running(self._rooms, given) as step:
            judged = await once(
                step,
                LookResult,
                lambda: judge_screenshots(
                    step,
                    template=given.template,
                    phase_id=given.phase_id,
                    plan=given.plan,
                    screenshots=given.screenshots,
                ),
            )
            seq, usage = await step.ended()
            return judged.model_copy(update={"last_seq": seq, "usage": usage})


async def judge_screenshots(
    step: Step, *, template: str, phase_id: str, plan: PhasePlan, screenshots: list[ScreenshotRef]
) -> LookResult:
    """Judge pictures of the application. A blank page needs no model to be an error."""
    rooms = step.rooms
    if any(shot.blank for shot in screenshots):
        report = CheckReport(issues=[BLANK], ran=[IssueSource.SCREENSHOT])
        return LookResult(last_seq=0, judged=True, matches=False, summary=BLANK.message, report=report)
    shown = screenshots[:MAX_PICTURES]
    wanted = (await step.model_access()).enabled(ActionKey.SCREENSHOT_ANALYSIS)
    if not shown or not wanted or not await step.reads_images(ActionKey.SCREENSHOT_ANALYSIS):
        return LookResult(last_seq=0, judged=False)
    material = await gather(rooms, step.session_id, template, [])
    messages = render(
        "screenshot_analysis",
        request=material.request,
        blueprint=material.blueprint,
        paths=sorted(material.files),
        phase_id=phase_id,
        plan=plan.model_dump_json(indent=1),
        pictures=[f"{shot.name}, {shot.width} by {shot.height} pixels" for shot in shown],
    )
    images = [await image_of(rooms, shot.sha256, "image/png") for shot in shown]
    judgement = await complete_model(
        step, ActionKey.SCREENSHOT_ANALYSIS, with_images(messages, images), ScreenJudgement
    )
    issues = [_issue(finding, material.files) for finding in judgement.issues]
    issues.sort(key=lambda issue: issue.severity is not Severity.ERROR)
    return LookResult(
        last_seq=0,
        judged=True,
        matches=judgement.matches,
        summary=judgement.summary[:MAX_MESSAGE],
        report=CheckReport(issues=issues, ran=[IssueSource.SCREENSHOT]),
    )


def _issue(finding: VisualFinding, files: dict[str, str]) -> Issue:
    seen = "" if finding.where == "both" else f" (on the {finding.where})"
    advice = f" {finding.suggestion}" if finding.suggestion else ""
    return Issue(
        file=finding.file if finding.file in files else None,
        code="looks-wrong",
        severity=Severity(finding.severity),
        source=IssueSource.SCREENSHOT,
        message=f"{finding.problem}{seen}{advice}"[:MAX_MESSAGE],
    )
