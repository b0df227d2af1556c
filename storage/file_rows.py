"""Changes of a session's files inside a transaction. Whoever makes one holds the lock of the session's counter first.

Where events are written as well, the lock of the event log's head is taken before this one.
"""

from datetime import datetime
from typing import Literal, NamedTuple

import asyncpg
from pydantic import BaseModel

from schemas.names import UNSEEN, is_gits_own
from schemas.session import FileRef
from storage.blobs import put_blob
from storage.database import Connection

MAX_FILE_BYTES = 2 * 1024 * 1024
MAX_FILES = 500
MAX_PATH = 400
MAX_NAME_BYTES = 200
MAX_DEPTH = 24

Author = Literal["model", "user", "fix", "template", "restore", "fork"]


class FileTooLarge(Exception):
    """A file may have at most 2 MB."""


class TooManyFiles(Exception):
    """A session may have at most 500 files."""


class BadPath(Exception):
    """A path is relative to the project, stays inside it, has at most 400 characters and 24 parts, each at most 200
    bytes long."""


class FileMissing(Exception):
    """The session has no such file, or no such version."""


class FileVersion(BaseModel):
    """A change of a file. `sha256` is None when the file was deleted; `parent` is the version of the path before.

    `given_sha256` is what the writer gave, where a merge made something else of it.
    """

    version: int
    path: str
    sha256: str | None
    size: int
    parent: int | None
    author: Author
    reason: str
    operation_id: str
    phase_id: str | None
    user_id: str | None = None
    given_sha256: str | None = None
    created_at: datetime


class Stored(NamedTuple):
    """A content that is stored, size in bytes. None as the hash says that there is no file.

    `given` is the hash of what a writer gave, where a merge made this of it.
    """

    sha256: str | None
    size: int
    given: str | None = None


NO_FILE = Stored(None, 0)


class Origin(NamedTuple):
    """What changed a file, why, in which step of which phase; and who, where a person did."""

    author: Author
    reason: str
    operation_id: str
    phase_id: str | None
    user_id: str | None = None


async def write_file(connection: Connection, session_id: str, path: str, content: str, origin: Origin) -> FileVersion:
    """Write a file, unless its operation has written the same. Raises BadPath, FileTooLarge, TooManyFiles."""
    data = encoded(path, content)
    last_version = await lock_files(connection, session_id)
    sha256 = await put_blob(connection, data)
    mine = await latest_version(connection, session_id, path, origin.operation_id)
    if mine is not None and (mine.given_sha256 or mine.sha256) == sha256:
        return mine
    latest = await latest_version(connection, session_id, path)
    return await put_version(connection, session_id, last_version, latest, path, Stored(sha256, len(data)), origin)


def encoded(path: str, content: str) -> bytes:
    """The content as it is stored. Raises BadPath, FileTooLarge."""
    check_path(path)
    data = content.encode()
    if len(data) > MAX_FILE_BYTES:
        raise FileTooLarge(f"{path} has {len(data)} bytes, more than {MAX_FILE_BYTES}")
    return data


async def put_version(
    connection: Connection,
    session_id: str,
    last_version: int,
    latest: FileVersion | None,
    path: str,
    stored: Stored,
    origin: Origin,
) -> FileVersion:
    """Add a version with content behind `latest`, the path's last one. Raises TooManyFiles."""
    is_new = latest is None or latest.sha256 is None
    if is_new and len(await manifest_at(connection, session_id, None)) >= MAX_FILES:
        raise TooManyFiles(f"the session has {MAX_FILES} files already; {path} was not written")
    parent = latest.version if latest else None
    return await insert_version(connection, session_id, last_version + 1, path, stored, parent, origin)


async def delete_file(connection: Connection, session_id: str, path: str, origin: Origin) -> FileVersion:
    last_version = await lock_files(connection, session_id)
    latest = await latest_version(connection, session_id, path)
    if latest is None:
        raise FileMissing(path)
    if latest.sha256 is None:
        return latest
    return await insert_version(connection, session_id, last_version + 1, path, NO_FILE, latest.version, origin)


def check_path(path: str) -> None:
    """Raises BadPath for what a workspace could not hold, or should not."""
    parts = path.split("/")
    if (
        len(path) > MAX_PATH
        or "\\" in path
        or any(ord(letter) < 32 for letter in path)
        or UNSEEN.search(path)
        or is_gits_own(path)
        or {"", ".", ".."} & set(parts)
        or len(parts) > MAX_DEPTH
        or any(len(part.encode(errors="replace")) > MAX_NAME_BYTES for part in parts)
    ):
        raise BadPath(f"not a path inside the project: {path[:MAX_PATH]!r}")


async def lock_files(connection: Connection, session_id: str) -> int:
    """Wait for the turn to change the session's files. Returns the last version given out."""
    await connection.execute("INSERT INTO file_heads (session_id) VALUES ($1) ON CONFLICT DO NOTHING", session_id)
    last: int = await connection.fetchval(
        "SELECT last_version FROM file_heads WHERE session_id = $1 FOR UPDATE", session_id
    )
    return last


async def latest_version(
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
    return version_of(row) if row else None


async def manifest_at(connection: Connection, session_id: str, version: int | None) -> list[FileRef]:
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


async def insert_version(
    connection: Connection,
    session_id: str,
    version: int,
    path: str,
    stored: Stored,
    parent: int | None,
    origin: Origin,
) -> FileVersion:
    row = await connection.fetchrow(
        """INSERT INTO file_versions
             (session_id, version, path, sha256, size, given_sha256, parent,
              author, reason, operation_id, phase_id, user_id)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING *""",
        session_id,
        version,
        path,
        *stored,
        parent,
        *origin,
    )
    await connection.execute("UPDATE file_heads SET last_version = $2 WHERE session_id = $1", session_id, version)
    assert row is not None  # an insert that did not fail returns its row
    return version_of(row)


def version_of(row: asyncpg.Record) -> FileVersion:
    return FileVersion.model_validate(dict(row))
