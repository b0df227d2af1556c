"""The session's workspace on this host, brought to what is stored."""

from collections.abc import Sequence

from activities.step import Step, fail
from sandbox import SandboxError, Workspace
from sandbox.errors import BrowserFailed, InstallFailed, PreviewFailed
from schemas.failures import Failure


async def workspace_of(step: Step, template: str, dependencies: Sequence[str]) -> Workspace:
    """The workspace with the session's current files and packages, made anew where this host has none."""
    rooms = step.rooms
    stored = await rooms.files.contents(step.session_id)
    deleted = rooms.sandbox.template_files(template).keys() - stored.keys()
    return await rooms.sandbox.workspace(step.session_id, template, {**stored, **dict.fromkeys(deleted)}, dependencies)


def sandbox_failure(error: SandboxError) -> Exception:
    """What a fault of the sandbox means to the workflow."""
    return fail(Failure(code=error.code, sentence=str(error)), retry=may_heal(error))


def may_heal(error: SandboxError) -> bool:
    """Whether trying again can help."""
    return isinstance(error, InstallFailed | PreviewFailed | BrowserFailed)
