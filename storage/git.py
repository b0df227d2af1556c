"""The commits of sessions' repositories: which are known, and users' pushes as changes of files."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from schemas.events import Event, FileConflictEvent, FileDeleted, FileGenerated
from schemas.secret_scan import new_secrets
from schemas.session import FileRef
from storage.blobs import put_blob
from storage.conflicts import close_conflict, text_of
from storage.database import Connection, Database
from storage.edits import secrets_told
from storage.event_pieces import row_of
from storage.event_rows import append_rows, lock_head
from storage.file_rows import (
    NO_FILE,
    FileVersion,
    Origin,
    Stored,
    encoded,
    insert_version,
    latest_version,
    lock_files,
    put_version,
)


class Outdated(Exception):
    """The session has gone on since the push was made."""


class Commit(NamedTuple):
    """A commit of a session's branch: the version of the files that it shows, its name, and its raw object."""

    version: int
    sha1: str
    content: bytes


class Pushed(NamedTuple):
    """A commit that a user pushed, and what it does to files; None deletes."""

    sha1: str
    content: bytes
    subject: str
    changes: Mapping[str, str | None]


class Git:
    """Repository of the commits of all sessions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def commits(self, session_id: str) -> list[Commit]:
        """The branch, oldest first."""
        rows = await self._database.pool.fetch(
            "SELECT version, sha1, content FROM git_commits WHERE session_id = $1 ORDER BY position", session_id
        )
        return [Commit(row["version"], row["sha1"], row["content"]) for row in rows]

    async def add(self, session_id: str, after: int, commits: Sequence[Commit]) -> bool:
        """Continue a branch that has `after` commits. False when somebody else has continued it meanwhile."""
        async with self._database.transaction() as connection:
            await lock_files(connection, session_id)
            return await self._append(connection, session_id, after, commits)

    async def contents(self, session_id: str) -> dict[str, bytes]:
        """Every content that a file of the session ever had, by its SHA-256."""
        rows = await self._database.pool.fetch(
            """SELECT sha256, content FROM blobs
               WHERE sha256 IN (SELECT sha256 FROM file_versions WHERE session_id = $1)""",
            session_id,
        )
        return {row["sha256"]: row["content"] for row in rows}

    async def push(self, session_id: str, after: int, commits: Sequence[Pushed], user_id: str) -> int | None:
        """Carry out a user's commits on top of a branch that has `after`: all of them or none.

        Returns the first version that this made, None when no file changed. Raises Outdated, BadPath, FileTooLarge,
        TooManyFiles.
        """
        first: int | None = None
        async with self._database.transaction() as connection:
            await lock_head(connection, session_id)
            version = await lock_files(connection, session_id)
            head = await connection.fetchval(
                "SELECT version FROM git_commits WHERE session_id = $1 AND position = $2", session_id, after
            )
            if head != version:
                raise Outdated
            stored: list[Commit] = []
            for commit in commits:
                operation_id = f"push-{commit.sha1[:12]}"
                origin = Origin("user", commit.subject[:300], operation_id, None, user_id)
                events: list[Event] = []
                for path, content in commit.changes.items():
                    made, told = await _change(connection, session_id, version, path, content, origin)
                    first, version = first or made.version, made.version
                    events += told
                await append_rows(connection, session_id, operation_id, [row_of(event) for event in events])
                stored.append(Commit(version, commit.sha1, commit.content))
            if not await self._append(connection, session_id, after, stored):
                raise Outdated
        return first

    async def _append(self, connection: Connection, session_id: str, after: int, commits: Sequence[Commit]) -> bool:
        known = await connection.fetchval("SELECT count(*) FROM git_commits WHERE session_id = $1", session_id)
        if known != after:
            return False
        await connection.executemany(
            "INSERT INTO git_commits (session_id, position, version, sha1, content) VALUES ($1, $2, $3, $4, $5)",
            [(session_id, position, *commit) for position, commit in enumerate(commits, after + 1)],
        )
        return True


async def _change(
    connection: Connection, session_id: str, version: int, path: str, content: str | None, origin: Origin
) -> tuple[FileVersion, list[Event]]:
    """Write or delete one file; the session's files are locked, and their last version is `version`."""
    latest = await latest_version(connection, session_id, path)
    if content is None:
        parent = latest.version if latest else None
        made = await insert_version(connection, session_id, version + 1, path, NO_FILE, parent, origin)
        told: Event = FileDeleted(operation_id=origin.operation_id, path=path)
        secrets: list[Event] = []
    else:
        data = encoded(path, content)
        stored = Stored(await put_blob(connection, data), len(data))
        made = await put_version(connection, session_id, version, latest, path, stored, origin)
        assert made.sha256 is not None  # it was written with content
        file = FileRef(path=path, sha256=made.sha256, size=made.size, version=made.version, author="user")
        told = FileGenerated(operation_id=origin.operation_id, file=file)
        found = new_secrets(path, content, await text_of(connection, latest.sha256 if latest else None))
        secrets = secrets_told(origin.operation_id, path, found)
    closed = await close_conflict(connection, session_id, path, "text")
    return made, [told, *secrets, *([FileConflictEvent(conflict=closed)] if closed else [])]
