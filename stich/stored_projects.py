"""How a session's project comes back when this machine does not have it any more."""

from activities.workspace import project
from sandbox import Sandbox
from sandbox.gateway import Stored
from storage.files import Files
from storage.sessions import SessionMissing, Sessions


class StoredProjects:
    """Projects of sessions, out of the database."""

    def __init__(self, sessions: Sessions, files: Files, sandbox: Sandbox) -> None:
        self._sessions = sessions
        self._files = files
        self._sandbox = sandbox

    async def __call__(self, session_id: str) -> Stored | None:
        """The project, None where there is none."""
        try:
            session = await self._sessions.get(session_id)
        except SessionMissing:
            return None
        if session.template is None:
            return None
        template = self._sandbox.template_files(session.template)
        files, packages = project(await self._files.contents(session_id), template)
        return Stored(session.template, files, packages)
