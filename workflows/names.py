"""Names that programs in any language use to start and steer sessions. Histories hold them: never change."""

from typing import Final

SESSION_WORKFLOW: Final = "CodeGenSession"
ERASE_WORKFLOW: Final = "EraseSession"
ERASE_USER_WORKFLOW: Final = "EraseUser"
RETENTION_WORKFLOW: Final = "Retention"
SIGNAL_MESSAGE: Final = "message"
SIGNAL_FILES_EDITED: Final = "files_edited"
SIGNAL_BUDGET_CHANGED: Final = "budget_changed"
SIGNAL_STOP: Final = "stop"
UPDATE_STOP: Final = "stop"
UPDATE_RESUME: Final = "resume"
UPDATE_PUBLISH: Final = "publish"
UPDATE_WITHDRAW: Final = "withdraw"
UPDATE_PREVIEW: Final = "control_preview"
UPDATE_EDIT_MESSAGE: Final = "edit_message"
UPDATE_WITHDRAW_MESSAGE: Final = "withdraw_message"
UPDATE_RESTORE: Final = "restore"
UPDATE_CHECK: Final = "check"
UPDATE_RETRY_PHASE: Final = "retry_phase"
UPDATE_CHOOSE: Final = "choose_candidate"
QUERY_PROGRESS: Final = "progress"

WORKFLOW_QUEUE: Final = "stich-workflows"
INFERENCE_QUEUE: Final = "stich-inference"
SANDBOX_QUEUE: Final = "stich-sandbox"


def host_queue(host: str) -> str:
    """The queue of the sandbox steps that one host should run."""
    return f"{SANDBOX_QUEUE}@{host}"
