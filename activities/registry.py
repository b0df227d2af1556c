"""Every activity, by the task queue that it runs on."""

from collections.abc import Callable
from typing import Any

from activities.blueprint import BlueprintActivities
from activities.checks import CheckActivities
from activities.code_fixer import CodeFixerActivities
from activities.code_review import CodeReviewActivities
from activities.context import Rooms
from activities.conversation import ConversationActivities
from activities.deep_debugger import DeepDebuggerActivities
from activities.edits import EditActivities, RestoreActivities
from activities.erasure import ErasureActivities
from activities.file_regeneration import FileRegenerationActivities
from activities.judgement import JudgementActivities
from activities.phase_generation import PhaseGenerationActivities
from activities.phase_implementation import PhaseImplementationActivities
from activities.preview_control import PreviewControlActivities
from activities.project_setup import ProjectSetupActivities
from activities.publish import PublishActivities
from activities.readme import ReadmeActivities
from activities.retention import RetentionActivities
from activities.sandbox_queue import SandboxQueueActivities
from activities.screenshot_analysis import ScreenshotAnalysisActivities
from activities.session import SessionActivities
from activities.smart_builder import SmartBuilderActivities
from activities.template_selection import TemplateSelectionActivities

Activity = Callable[..., Any]


def session_activities(rooms: Rooms) -> list[Activity]:
    """On the workflow's queue: short, Postgres only."""
    session = SessionActivities(rooms)
    restoring, judgement = RestoreActivities(rooms), JudgementActivities(rooms)
    line, erasure = SandboxQueueActivities(rooms), ErasureActivities(rooms)
    retention = RetentionActivities(rooms)
    return [
        session.create,
        session.record_events,
        session.read_back,
        restoring.restore,
        restoring.fork,
        restoring.discard,
        line.position,
        judgement.adopt,
        erasure.end,
        erasure.withdraw,
        erasure.erase,
        erasure.erase_history,
        erasure.refuse,
        erasure.sessions_of,
        erasure.erase_user,
        retention.archive,
        retention.expired,
        retention.forget,
    ]


def inference_activities(rooms: Rooms) -> list[Activity]:
    """Model calls: many at once, mostly waiting."""
    builder = SmartBuilderActivities(rooms)
    return [
        TemplateSelectionActivities(rooms).choose,
        BlueprintActivities(rooms).write,
        ProjectSetupActivities(rooms).plan,
        JudgementActivities(rooms).judge,
        ReadmeActivities(rooms).write,
        PhaseGenerationActivities(rooms).plan,
        PhaseImplementationActivities(rooms).implement,
        CodeFixerActivities(rooms).fix,
        CodeReviewActivities(rooms).review,
        FileRegenerationActivities(rooms).regenerate,
        ScreenshotAnalysisActivities(rooms).judge,
        ConversationActivities(rooms).answer,
        DeepDebuggerActivities(rooms).debug,
        builder.turn,
        builder.use_tool,  # on either queue, by what the tool needs
    ]


def sandbox_activities(rooms: Rooms) -> list[Activity]:
    """Work on the host's cores: as many at once as it has."""
    checks, publishing = CheckActivities(rooms), PublishActivities(rooms)
    return [
        ProjectSetupActivities(rooms).install,
        checks.check,
        checks.open_preview,
        SmartBuilderActivities(rooms).use_tool,
        PreviewControlActivities(rooms).control,
        publishing.publish,
        publishing.withdraw,
        EditActivities(rooms).show,
        ErasureActivities(rooms).remove_workspace,
    ]
