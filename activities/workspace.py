"""The session's workspace on this host, brought to what is stored."""

import json
from collections.abc import Mapping

from activities.context import Rooms
from activities.step import fail
from sandbox import SandboxError, Workspace
from sandbox.errors import BrowserFailed, HostFull, InstallFailed, PreviewFailed
from sandbox.specs import requirements_in
from schemas.failures import Failure

# The sandbox writes them after an install; stored, they say what a project needs.
PACKAGES, REQUIREMENTS = "package.json", "requirements.txt"


async def workspace_of(rooms: Rooms, session_id: str, template: str) -> Workspace:
    """The workspace with the session's current files and packages, made anew where this host has none."""
    stored = await rooms.files.contents(session_id)
    files, packages = project(stored, rooms.sandbox.template_files(template))
    return await rooms.sandbox.workspace(session_id, template, files, packages)


def project(stored: Mapping[str, str], template: Mapping[str, str]) -> tuple[dict[str, str | None], list[str]]:
    """A session's files over its template (None for one it deleted), and the packages it added, as specs."""
    files: dict[str, str | None] = {**dict.fromkeys(template.keys() - stored.keys()), **stored}
    if PACKAGES not in template and REQUIREMENTS in template:
        brought = requirements_in(template[REQUIREMENTS])
        asked = requirements_in(stored.get(REQUIREMENTS, ""))
        return files, sorted(str(wanted) for name, wanted in asked.items() if name not in brought)
    added = _packages(stored).items() - _packages(template).items()
    return files, sorted(f"{name}@{version}" for name, version in added)


def packages_file(files: Mapping[str, str]) -> str | None:
    """The file that says which packages the project has, None where it can have none."""
    return next((name for name in (PACKAGES, REQUIREMENTS) if name in files), None)


def _packages(files: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = json.loads(files.get(PACKAGES, "{}")).get("dependencies", {})
    return found


def sandbox_failure(error: SandboxError) -> Exception:
    """What a fault of the sandbox means to the workflow."""
    return fail(Failure(code=error.code, sentence=str(error)), retry=may_heal(error))


def may_heal(error: SandboxError) -> bool:
    """Whether trying again can help."""
    return isinstance(error, InstallFailed | PreviewFailed | BrowserFailed | HostFull)
