"""The files of a session: content-addressed, every change a new version that is never changed itself."""

from collections.abc import Callable, Sequence

from schemas.events import Event, FileConflictEvent
from schemas.session import FileRef
from storage.conflicts import UNSEEN, Unseen, edited_since, write_over_edits
from storage.database import Connection, Database
from storage.events import EventWriter
from storage.file_rows import (
    MAX_FILE_BYTES,
    MAX_FILES,
    MAX_PATH,
    Author,
    BadPath,
    FileMissing,
    FileTooLarge,
    FileVersion,
    Origin,
    TooManyFiles,
    delete_file,
    latest_version,
    lock_files,
    manifest_at,
    version_of,
    write_file,
)

__all__ = [
    "MAX_FILES",
    "MAX_FILE_BYTES",
    "MAX_PATH",
    "Author",
    "BadPath",
    "FileMissing",
    "FileTooLarge",
    "FileVersion",
    "Files",
    "TooManyFiles",
]


class Files:
    """Repository of the files of all sessions. Version numbers count through the whole session."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(
        self,
        session_id: str,
        path: str,
        content: str,
        *,
        author: Author,
        reason: str,
        operation_id: str,
        phase_id: str | None = None,
    ) -> FileVersion:
        """Write a file. Doing it again for the same operation changes nothing and returns the same version.

        Raises BadPath, FileTooLarge, TooManyFiles.
        """
        async with self._database.transaction() as connection:
            return await write_file(
                connection, session_id, path, content, Origin(author, reason, operation_id, phase_id)
            )

    async def close_file(
        self,
        writer: EventWriter,
        path: str,
        content: str,
        *,
        author: Author,
        reason: str,
        phase_id: str | None,
        announce: Callable[[FileVersion], Event],
        seen: str | Unseen | None = UNSEEN,
        line: str | None = None,
    ) -> FileVersion:
        """Write a file for the writer's operation, together with the event that announces it: both or none.

        With `line`, the file belongs to that line of versions and is not announced. A superseded attempt can thus
        never change a file, and a file is announced exactly once. `seen` is the text that `content` was made from
        (None: there was no file): what a user has changed since is merged in; where that cannot be done, `content`
        stands and the user's text is kept as a conflict. Raises Fenced, BadPath, FileTooLarge, TooManyFiles.
        """
        origin = Origin(author, reason, writer.name, phase_id)
        written: list[FileVersion] = []

        async def work(connection: Connection) -> Sequence[Event]:
            session_id = line or writer.session_id
            version, conflict = await write_over_edits(connection, session_id, path, content, origin, seen)
            written.append(version)
            if line is not None:
                return []
            return [announce(version), *([FileConflictEvent(conflict=conflict)] if conflict else [])]

        await writer.store(work)
        return written[-1]

    async def delete(
        self,
        session_id: str,
        path: str,
        *,
        author: Author,
        reason: str,
        operation_id: str,
        phase_id: str | None = None,
    ) -> FileVersion:
        """Delete a file, as a new version. Doing it again returns the same version. Raises FileMissing."""
        async with self._database.transaction() as connection:
            return await delete_file(connection, session_id, path, Origin(author, reason, operation_id, phase_id))

    async def delete_file(
        self,
        writer: EventWriter,
        path: str,
        *,
        author: Author,
        reason: str,
        phase_id: str | None,
        announce: Callable[[FileVersion], Event],
        seen: str | Unseen | None = UNSEEN,
        line: str | None = None,
    ) -> FileVersion | None:
        """Delete a file for the writer's operation, together with the event that announces it: both or none.

        Returns None, and says nothing, when the file is gone already, or when a user has changed it since it was
        `seen`. Raises Fenced.
        """
        origin = Origin(author, reason, writer.name, phase_id)
        deleted: list[FileVersion] = []

        async def work(connection: Connection) -> Sequence[Event]:
            session_id = line or writer.session_id
            await lock_files(connection, session_id)
            latest = await latest_version(connection, session_id, path)
            if latest is None or (latest.sha256 is None and latest not in deleted):
                return []
            if await edited_since(connection, session_id, latest, seen):
                return []
            deleted.append(await delete_file(connection, session_id, path, origin))
            return [] if line is not None else [announce(deleted[-1])]

        await writer.store(work)
        return deleted[-1] if deleted else None

    async def current(self, session_id: str) -> list[FileRef]:
        """The project as it stands, in order of path."""
        async with self._database.pool.acquire() as connection:
            return await manifest_at(connection, session_id, None)

    async def manifest(self, session_id: str, version: int) -> list[FileRef]:
        """The project as it stood at a version, in order of path."""
        async with self._database.pool.acquire() as connection:
            return await manifest_at(connection, session_id, version)

    async def read(self, session_id: str, path: str, version: int | None = None) -> str:
        """The content of a file, now or at a version of the session. Raises FileMissing."""
        content: bytes | None = await self._database.pool.fetchval(
            """SELECT b.content FROM (
                 SELECT sha256 FROM file_versions
                 WHERE session_id = $1 AND path = $2 AND ($3::int IS NULL OR version <= $3)
                 ORDER BY version DESC LIMIT 1) v
               JOIN blobs b USING (sha256)""",
            session_id,
            path,
            version,
        )
        if content is None:
            raise FileMissing(path)
        return content.decode()

    async def contents(self, session_id: str, version: int | None = None) -> dict[str, str]:
        """Every file with its content, now or at a version, in order of path."""
        rows = await self._database.pool.fetch(
            """SELECT v.path, b.content FROM (
                 SELECT DISTINCT ON (path) path, sha256 FROM file_versions
                 WHERE session_id = $1 AND ($2::int IS NULL OR version <= $2)
                 ORDER BY path, version DESC) v
               JOIN blobs b USING (sha256) ORDER BY v.path""",
            session_id,
            version,
        )
        return {row["path"]: row["content"].decode() for row in rows}

    async def versions(self, session_id: str, path: str | None = None) -> list[FileVersion]:
        """Every change of the session, or of one path, oldest first."""
        rows = await self._database.pool.fetch(
            "SELECT * FROM file_versions WHERE session_id = $1 AND ($2::text IS NULL OR path = $2) ORDER BY version",
            session_id,
            path,
        )
        return [version_of(row) for row in rows]

    async def of_operation(self, session_id: str, operation_id: str) -> list[FileVersion]:
        """What an operation did, the last change of each path: a retried attempt takes these as done."""
        rows = await self._database.pool.fetch(
            """SELECT DISTINCT ON (path) * FROM file_versions
               WHERE session_id = $1 AND operation_id = $2 ORDER BY path, version DESC""",
            session_id,
            operation_id,
        )
        return [version_of(row) for row in rows]

    async def standing(self, session_id: str, operation_id: str) -> list[FileVersion]:
        """The files that an operation changed, as they stand now: a user may have edited them since.

        What a restore took back is left out: to the project it is as if the operation had not been there.
        """
        rows = await self._database.pool.fetch(
            """SELECT latest.* FROM (
                 SELECT path, max(version) AS version FROM file_versions
                 WHERE session_id = $1 AND operation_id = $2 GROUP BY path) done
               CROSS JOIN LATERAL (
                 SELECT * FROM file_versions v WHERE v.session_id = $1 AND v.path = done.path
                 ORDER BY version DESC LIMIT 1) latest
               WHERE NOT EXISTS (
                 SELECT FROM file_versions r
                 WHERE r.session_id = $1 AND r.path = done.path AND r.version > done.version AND r.author = 'restore')
               ORDER BY latest.path""",
            session_id,
            operation_id,
        )
        return [version_of(row) for row in rows]
