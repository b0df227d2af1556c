"""Where a user and the session change the same file: merged if that can be done, else kept as a conflict.

The session's text stands in the project meanwhile, since the session's other files go with it; the user's text is kept
beside it until the user chooses.
"""

import asyncio
import hashlib
from enum import Enum
from typing import Final

import asyncpg

from schemas.versions import ConflictTexts, FileConflict
from storage.blobs import put_blob
from storage.database import Connection, Database
from storage.file_rows import (
    FileMissing,
    FileVersion,
    Origin,
    Stored,
    encoded,
    latest_version,
    lock_files,
    put_version,
    write_file,
)
from storage.three_way import Merged, merge


class Unseen(Enum):
    """Says that a text was not made from an earlier one: it replaces whatever is there."""

    UNSEEN = 0


UNSEEN: Final = Unseen.UNSEEN


class Conflicts:
    """Repository of the conflicts of all sessions."""

    def __init__(self, database: Database) -> None:
        self._pool = database.pool

    async def open(self, session_id: str) -> list[FileConflict]:
        """The conflicts that wait for a choice, in order of path."""
        rows = await self._pool.fetch(
            "SELECT * FROM file_conflicts WHERE session_id = $1 AND choice IS NULL ORDER BY path", session_id
        )
        return [conflict_of(row) for row in rows]

    async def texts(self, session_id: str, path: str) -> ConflictTexts:
        """Both sides of the conflict that waits at `path`, the session's as it stands now. Raises FileMissing."""
        async with self._pool.acquire() as connection:
            conflict = await open_conflict(connection, session_id, path)
            if conflict is None:
                raise FileMissing(path)
            latest = await latest_version(connection, session_id, path)
            base = await text_of(connection, conflict.base_sha256)
            mine = await text_of(connection, conflict.mine_sha256)
            theirs = await text_of(connection, latest.sha256 if latest else None)
        marked = None
        if mine is not None and theirs is not None:
            marked = (await asyncio.to_thread(merge, base or "", mine, theirs)).text
        return ConflictTexts(conflict=conflict, base=base, mine=mine, theirs=theirs, marked=marked)


async def write_over_edits(
    connection: Connection, session_id: str, path: str, content: str, origin: Origin, seen: str | Unseen | None
) -> tuple[FileVersion, FileConflict | None]:
    """Write a file that was made from `seen`, merged with what a user did to it since; and the conflict, if one is new.

    Raises BadPath, FileTooLarge, TooManyFiles.
    """
    data = encoded(path, content)
    last_version = await lock_files(connection, session_id)
    latest = await latest_version(connection, session_id, path)
    if latest is None or not await edited_since(connection, session_id, latest, seen):
        return await write_file(connection, session_id, path, content, origin), None
    assert not isinstance(seen, Unseen)  # nothing counts as edited since then
    given = await put_blob(connection, data)
    done = await latest_version(connection, session_id, path, origin.operation_id)
    if done is not None and (done.given_sha256 or done.sha256) == given:
        return done, None
    base_sha256 = None if seen is None else await put_blob(connection, seen.encode())
    merged = await merged_text(seen, await text_of(connection, latest.sha256), content)
    stored = Stored(given, len(data))
    if merged is not None and merged != content:
        merged_data = encoded(path, merged)
        stored = Stored(await put_blob(connection, merged_data), len(merged_data), given)
    version = await put_version(connection, session_id, last_version, latest, path, stored, origin)
    if merged is not None:
        return version, None
    user_id = latest.user_id or "local"
    return version, await put_conflict(connection, session_id, version, base_sha256, latest.sha256, user_id)


async def edited_since(connection: Connection, session_id: str, latest: FileVersion, seen: str | Unseen | None) -> bool:
    """Whether a user changed the file, whose last version is `latest`, since its text was `seen`."""
    if isinstance(seen, Unseen):
        return False
    found: bool = await connection.fetchval(
        """SELECT EXISTS (
             SELECT FROM file_versions
             WHERE session_id = $1 AND path = $2 AND author = 'user' AND version > coalesce((
               SELECT max(version) FROM file_versions
               WHERE session_id = $1 AND path = $2 AND sha256 IS NOT DISTINCT FROM $3), 0))""",
        session_id,
        latest.path,
        None if seen is None else hashlib.sha256(seen.encode()).hexdigest(),
    )
    return found


async def merged_text(base: str | None, mine: str | None, theirs: str | None) -> str | None:
    """Both sides in one, None where they are in conflict. A side of None deleted the file, or never had it."""
    if mine is None or theirs is None:
        return None
    merged: Merged = await asyncio.to_thread(merge, base or "", mine, theirs)
    return None if merged.conflicts else merged.text


async def put_conflict(
    connection: Connection,
    session_id: str,
    version: FileVersion,
    base_sha256: str | None,
    mine_sha256: str | None,
    user_id: str,
) -> FileConflict:
    """Note that the user's text is in conflict with `version`. It takes the place of a conflict that waits already."""
    await close_conflict(connection, session_id, version.path, "replaced")
    row = await connection.fetchrow(
        """INSERT INTO file_conflicts (session_id, path, base_sha256, mine_sha256, version, user_id)
           VALUES ($1, $2, $3, $4, $5, $6) RETURNING *""",
        session_id,
        version.path,
        base_sha256,
        mine_sha256,
        version.version,
        user_id,
    )
    assert row is not None  # an insert that did not fail returns its row
    return conflict_of(row)


async def close_conflict(connection: Connection, session_id: str, path: str, choice: str) -> FileConflict | None:
    """Note what became of the conflict that waits at `path`, if one does."""
    row = await connection.fetchrow(
        """UPDATE file_conflicts SET choice = $3, resolved_at = now()
           WHERE session_id = $1 AND path = $2 AND choice IS NULL RETURNING *""",
        session_id,
        path,
        choice,
    )
    return conflict_of(row) if row else None


async def open_conflict(connection: Connection, session_id: str, path: str) -> FileConflict | None:
    """The conflict that waits at `path`."""
    row = await connection.fetchrow(
        "SELECT * FROM file_conflicts WHERE session_id = $1 AND path = $2 AND choice IS NULL", session_id, path
    )
    return conflict_of(row) if row else None


async def text_of(connection: Connection, sha256: str | None) -> str | None:
    """A stored text; None for the hash of no file."""
    if sha256 is None:
        return None
    content: bytes = await connection.fetchval("SELECT content FROM blobs WHERE sha256 = $1", sha256)
    return content.decode()


def conflict_of(row: asyncpg.Record) -> FileConflict:
    return FileConflict(
        path=row["path"],
        state="open" if row["choice"] is None else "resolved",
        base_sha256=row["base_sha256"],
        mine_sha256=row["mine_sha256"],
        version=row["version"],
        user_id=row["user_id"],
        since=row["since"],
        choice=row["choice"],
    )
