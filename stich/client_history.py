"""The part of the client that deals with files, pictures, queued messages and versions."""

import secrets
from urllib.parse import quote

from schemas.http import EditMessage, FileList, ForkSession, SessionCreated
from schemas.session import ImageRef, QueuedMessage, StateInfo
from schemas.versions import (
    ConflictList,
    ConflictTexts,
    EditResult,
    PhaseRetried,
    ProjectDiff,
    RenameFile,
    ResolveConflict,
    Restored,
    RestoreProject,
    VersionList,
    WriteFile,
)
from stich.client_connection import Connection


class History:
    """What `StichClient.history` offers. A request that is repeated because its answer was lost does nothing twice."""

    def __init__(self, connection: Connection) -> None:
        self._ask = connection.ask

    # --- files ------------------------------------------------------------------------------------------------------

    async def write(self, session_id: str, path: str, content: str, base_sha256: str | None) -> EditResult:
        """Write a file whose text was `base_sha256` when the edit began (None: a new file).

        What the session changed meanwhile is merged; the outcome `conflict` waits for `resolve`.
        """
        body = WriteFile(content=content, base_sha256=base_sha256).model_dump_json()
        return await self._ask(EditResult, "PUT", _path(session_id, "files", path), body)

    async def delete(self, session_id: str, path: str, base_sha256: str | None = None) -> EditResult:
        """Delete a file, unless it is no longer the text `base_sha256`."""
        query = f"?base_sha256={base_sha256}" if base_sha256 else ""
        return await self._ask(EditResult, "DELETE", _path(session_id, "files", path) + query)

    async def rename(self, session_id: str, renaming: RenameFile) -> EditResult:
        """Give a file another path."""
        return await self._ask(EditResult, "POST", _path(session_id, "rename"), renaming.model_dump_json())

    async def conflicts(self, session_id: str) -> ConflictList:
        """The edits that wait for a choice."""
        return await self._ask(ConflictList, "GET", _path(session_id, "conflicts"))

    async def conflict(self, session_id: str, path: str) -> ConflictTexts:
        """Both sides of a conflict."""
        return await self._ask(ConflictTexts, "GET", _path(session_id, "conflicts", path))

    async def resolve(self, session_id: str, path: str, choice: ResolveConflict) -> EditResult:
        """Choose a side of a conflict, or another text."""
        body = choice.model_dump_json(exclude_none=True)
        return await self._ask(EditResult, "POST", _path(session_id, "conflicts", path), body)

    # --- versions ---------------------------------------------------------------------------------------------------

    async def versions(self, session_id: str, *, before: int | None = None, limit: int = 50) -> VersionList:
        """The history of the project, newest first."""
        page = f"?limit={limit}" + (f"&before={before}" if before is not None else "")
        return await self._ask(VersionList, "GET", _path(session_id, "versions") + page)

    async def files(self, session_id: str, version: int) -> FileList:
        """The files of the project at a version."""
        return await self._ask(FileList, "GET", _path(session_id, f"versions/{version}/files"))

    async def diff(
        self, session_id: str, from_version: int, to_version: int | None = None, path: str | None = None
    ) -> ProjectDiff:
        """What differs between two versions (0: nothing yet; None: now), in one file or in all."""
        query = f"?from_version={from_version}" + (f"&to_version={to_version}" if to_version is not None else "")
        query += f"&path={quote(path, safe='')}" if path is not None else ""
        return await self._ask(ProjectDiff, "GET", _path(session_id, "diff") + query)

    async def restore(self, session_id: str, version: int, path: str | None = None) -> Restored:
        """Make the project, or one file, what it was at a version. A session at work has to be stopped first."""
        body = RestoreProject(version=version, path=path).model_dump_json(exclude={"user_id"}, exclude_none=True)
        return await self._ask(Restored, "POST", _path(session_id, "restore"), body)

    async def retry_phase(self, session_id: str, phase_id: str) -> PhaseRetried:
        """Go back to before a phase and on from there. A session at work has to be stopped first."""
        return await self._ask(PhaseRetried, "POST", _path(session_id, f"phases/{quote(phase_id, safe='')}/retry"))

    async def fork(self, session_id: str, version: int, idempotency_key: str | None = None) -> SessionCreated:
        """Start a session that goes on from a version of this one."""
        key = idempotency_key or secrets.token_hex(16)
        body = ForkSession(version=version).model_dump_json()
        return await self._ask(SessionCreated, "POST", _path(session_id, "forks"), body, {"Idempotency-Key": key})

    async def check(self, session_id: str) -> StateInfo:
        """Check the project of a session at rest, without any model."""
        return await self._ask(StateInfo, "POST", _path(session_id, "check"))

    # --- messages ---------------------------------------------------------------------------------------------------

    async def upload(self, picture: bytes, media_type: str) -> ImageRef:
        """Upload a PNG, JPEG or WebP picture; prompts and messages name it by its id."""
        return await self._ask(ImageRef, "POST", "/api/images", picture, {"Content-Type": media_type})

    async def edit_message(self, session_id: str, message_id: str, message: EditMessage) -> QueuedMessage:
        """Say something else instead, as long as nobody has taken the message up."""
        return await self._ask(
            QueuedMessage, "PUT", _path(session_id, "messages", message_id), message.model_dump_json()
        )

    async def withdraw_message(self, session_id: str, message_id: str) -> QueuedMessage:
        """Take a message back, as long as nobody has taken it up."""
        return await self._ask(QueuedMessage, "DELETE", _path(session_id, "messages", message_id))


def _path(session_id: str, part: str, *names: str) -> str:
    return "/".join([f"/api/sessions/{quote(session_id, safe='')}/{part}", *(quote(name) for name in names)])
