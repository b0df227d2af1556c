"""The files of a session: content-addressed, every change a new version that is never changed itself."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

import asyncpg
from pydantic import BaseModel

from schemas.events import Event
from schemas.session import FileRef
from storage.blobs import put_blob
from storage.database import Connection, Database
from storage.events import EventWriter

MAX_FILE_BYTES = 2 * 1024 * 1024
MAX_FILES = 500
MAX_PATH = 500

Author = Literal["model", "user", "fix", "template", "restore"]


class FileTooLarge(Exception):
    """A file may have at most 2 MB."""


class TooManyFiles(Exception):
    """A session may have at most 500 files."""


class BadPath(Exception):
    """A path is relative to the project, stays inside it and has at most 500 characters."""


class FileMissing(Exception):
    """The session has no such file, or no such version."""


class FileVersion(BaseModel):
    """A change of a file. `sha256` is None when the file was deleted; `parent` is the version of the path before."""

    version: int
    path: str
    sha256: str | None
    size: int
    parent: int | None
    author: Author
    reason: str
    operation_id: str
    phase_id: str | None
    created_at: datetime


class _Origin(NamedTuple):
    """Who changed a file, why, in which step of which phase."""

    author: Author
    reason: str
    operation_id: str
    phase_id: str | None


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
            return await _write(connection, session_id, path, content, _Origin(author, reason, operation_id, phase_id))

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
    ) -> FileVersion:
        """Write a file for the writer's operation, together with the event that announces it: both or none.

        A superseded attempt can thus never change a file, and a file is announced exactly once. Raises Fenced, BadPath,
        FileTooLarge, TooManyFiles.
        """
        origin = _Origin(author, reason, writer.name, phase_id)
        written: list[FileVersion] = []

        async def work(connection: Connection) -> Sequence[Event]:
            version = await _write(connection, writer.session_id, path, content, origin)
            written.append(version)
            return [announce(version)]

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
            return await _delete(connection, session_id, path, _Origin(author, reason, operation_id, phase_id))

    async def delete_file(
        self,
        writer: EventWriter,
        path: str,
        *,
        author: Author,
        reason: str,
        phase_id: str | None,
        announce: Callable[[FileVersion], Event],
    ) -> FileVersion | None:
        """Delete a file for the writer's operation, together with the event that announces it: both or none.

        Returns None, and says nothing, when the file is gone already. Raises Fenced.
        """
        origin = _Origin(author, reason, writer.name, phase_id)
        deleted: list[FileVersion] = []

        async def work(connection: Connection) -> Sequence[Event]:
            await _lock(connection, writer.session_id)
            latest = await _latest(connection, writer.session_id, path)
            if latest is None or (latest.sha256 is None and latest not in deleted):
                return []
            deleted.append(await _delete(connection, writer.session_id, path, origin))
            return [announce(deleted[-1])]

        await writer.store(work)
        return deleted[-1] if deleted else None

    async def restore(self, session_id: str, version: int, *, operation_id: str, reason: str) -> list[FileVersion]:
        """Make the project what it was at `version`, as new versions. Returns the changes. Raises FileMissing."""
        origin = _Origin("restore", reason, operation_id, None)
        async with self._database.transaction() as connection:
            last_version = await _lock(connection, session_id)
            if not 0 < version <= last_version:
                raise FileMissing(f"version {version}")
            then = {entry.path: entry for entry in await _manifest(connection, session_id, version)}
            now = {entry.path: entry for entry in await _manifest(connection, session_id, last_version)}
            changes = []
            for path in sorted(then.keys() | now.keys()):
                old, new = now.get(path), then.get(path)
                sha256, size = (new.sha256, new.size) if new else (None, 0)
                if sha256 == (old.sha256 if old else None):
                    continue
                last_version += 1
                latest = await _latest(connection, session_id, path)
                parent = latest.version if latest else None
                changes.append(await _insert(connection, session_id, last_version, path, sha256, size, parent, origin))
            return changes

    async def current(self, session_id: str) -> list[FileRef]:
        """The project as it stands, in order of path."""
        async with self._database.pool.acquire() as connection:
            return await _manifest(connection, session_id, None)

    async def manifest(self, session_id: str, version: int) -> list[FileRef]:
        """The project as it stood at a version, in order of path."""
        async with self._database.pool.acquire() as connection:
            return await _manifest(connection, session_id, version)

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
        return [_version(row) for row in rows]

    async def of_operation(self, session_id: str, operation_id: str) -> list[FileVersion]:
        """What an operation did, the last change of each path: a retried attempt takes these as done."""
        rows = await self._database.pool.fetch(
            """SELECT DISTINCT ON (path) * FROM file_versions
               WHERE session_id = $1 AND operation_id = $2 ORDER BY path, version DESC""",
            session_id,
            operation_id,
        )
        return [_version(row) for row in rows]


async def _write(connection: Connection, session_id: str, path: str, content: str, origin: _Origin) -> FileVersion:
    _check_path(path)
    data = content.encode()
    if len(data) > MAX_FILE_BYTES:
        raise FileTooLarge(f"{path} has {len(data)} bytes, more than {MAX_FILE_BYTES}")
    last_version = await _lock(connection, session_id)
    sha256 = await put_blob(connection, data)
    mine = await _latest(connection, session_id, path, origin.operation_id)
    if mine is not None and mine.sha256 == sha256:
        return mine
    latest = await _latest(connection, session_id, path)
    is_new = latest is None or latest.sha256 is None
    if is_new and len(await _manifest(connection, session_id, None)) >= MAX_FILES:
        raise TooManyFiles(f"the session has {MAX_FILES} files already; {path} was not written")
    parent = latest.version if latest else None
    return await _insert(connection, session_id, last_version + 1, path, sha256, len(data), parent, origin)


async def _delete(connection: Connection, session_id: str, path: str, origin: _Origin) -> FileVersion:
    last_version = await _lock(connection, session_id)
    latest = await _latest(connection, session_id, path)
    if latest is None:
        raise FileMissing(path)
    if latest.sha256 is None:
        return latest
    return await _insert(connection, session_id, last_version + 1, path, None, 0, latest.version, origin)


def _check_path(path: str) -> None:
    parts = path.split("/")
    if not path or len(path) > MAX_PATH or "\0" in path or "\\" in path or {"", ".", ".."} & set(parts):
        raise BadPath(f"not a path inside the project: {path[:MAX_PATH]!r}")


async def _lock(connection: Connection, session_id: str) -> int:
    """Wait for the turn to change the session's files. Returns the last version given out."""
    await connection.execute("INSERT INTO file_heads (session_id) VALUES ($1) ON CONFLICT DO NOTHING", session_id)
    last: int = await connection.fetchval(
        "SELECT last_version FROM file_heads WHERE session_id = $1 FOR UPDATE", session_id
    )
    return last


async def _latest(
    connection: Connection, session_id: str, path: str, operation_id: str | None = None
) -> FileVersion | None:
    row = await connection.fetchrow(
        """SELECT * FROM file_versions
           WHERE session_id = $1 AND path = $2 AND ($3::text IS NULL OR operation_id = $3)
           ORDER BY version DESC LIMIT 1""",
        session_id,
        path,
        operation_id,
    )
    return _version(row) if row else None


async def _manifest(connection: Connection, session_id: str, version: int | None) -> list[FileRef]:
    rows = await connection.fetch(
        """SELECT path, sha256, size, version, phase_id, author FROM (
             SELECT DISTINCT ON (path) * FROM file_versions
             WHERE session_id = $1 AND ($2::int IS NULL OR version <= $2)
             ORDER BY path, version DESC) latest
           WHERE sha256 IS NOT NULL ORDER BY path""",
        session_id,
        version,
    )
    return [FileRef.model_validate(dict(row)) for row in rows]


async def _insert(
    connection: Connection,
    session_id: str,
    version: int,
    path: str,
    sha256: str | None,
    size: int,
    parent: int | None,
    origin: _Origin,
) -> FileVersion:
    row = await connection.fetchrow(
        """INSERT INTO file_versions
             (session_id, version, path, sha256, size, parent, author, reason, operation_id, phase_id)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING *""",
        session_id,
        version,
        path,
        sha256,
        size,
        parent,
        *origin,
    )
    await connection.execute("UPDATE file_heads SET last_version = $2 WHERE session_id = $1", session_id, version)
    assert row is not None  # an insert that did not fail returns its row
    return _version(row)


def _version(row: asyncpg.Record) -> FileVersion:
    return FileVersion.model_validate(dict(row))
