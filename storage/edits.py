"""What users do to the files of a session while it runs, and after: each change with the event that tells watchers.

An edit names the text that it began with. What the session has changed since is merged with it.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from schemas.events import ErrorEvent, Event, FileConflictEvent, FileDeleted, FileGenerated
from schemas.secret_scan import FoundSecret, new_secrets
from schemas.secrets import MaskedSecret
from schemas.session import FileRef
from schemas.versions import EditResult, FileConflict, ResolveConflict
from storage.blobs import put_blob
from storage.conflicts import close_conflict, merged_text, open_conflict, put_conflict, text_of
from storage.database import Connection, Database
from storage.event_pieces import row_of
from storage.event_rows import append_rows, lock_head
from storage.file_rows import (
    NO_FILE,
    FileMissing,
    FileVersion,
    Origin,
    Stored,
    check_path,
    encoded,
    insert_version,
    latest_version,
    lock_files,
    manifest_at,
    put_version,
)

T = TypeVar("T")


class BaseUnknown(Exception):
    """The text that an edit began with is none that the file ever had."""


class FileChanged(Exception):
    """The file is not what the user saw any more."""


class PathTaken(Exception):
    """There is a file under this path already, or a folder, or a part of the path is a file."""


class Edits:
    """Users' changes of one file each. Raises BadPath, FileTooLarge and TooManyFiles as `Files` does.

    `operation_id` names the edit. Doing the same again finds it done and changes nothing.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def write(
        self, session_id: str, path: str, content: str, *, base_sha256: str | None, user_id: str, operation_id: str
    ) -> EditResult:
        """Make a file say `content`, which began with the text of `base_sha256` (None: a new file).

        Raises BaseUnknown, PathTaken.
        """
        data = encoded(path, content)
        origin = Origin("user", "Edited by hand", operation_id, None, user_id)

        async def work(connection: Connection, last_version: int) -> tuple[EditResult, list[Event]]:
            mine = await put_blob(connection, data)
            latest = await latest_version(connection, session_id, path)
            standing = latest.sha256 if latest else None
            if standing == mine:
                return EditResult(outcome="unchanged", file=_ref(latest)), []
            if base_sha256 == standing:
                if standing is None:
                    await self._require_free(connection, session_id, path)
                stored = Stored(mine, len(data))
                version = await put_version(connection, session_id, last_version, latest, path, stored, origin)
                closed = await close_conflict(connection, session_id, path, "text")
                found = new_secrets(path, content, await text_of(connection, standing))
                told = [*_told(version, closed), *secrets_told(operation_id, path, found)]
                return EditResult(outcome="saved", file=_ref(version), secrets=found), told
            assert latest is not None  # without one, nothing stands, and only None is a base
            base = await self._base(connection, session_id, path, base_sha256)
            merged = await merged_text(base, content, await text_of(connection, standing))
            if merged is None:
                known = await open_conflict(connection, session_id, path)
                if known is not None and (known.base_sha256, known.mine_sha256) == (base_sha256, mine):
                    return EditResult(outcome="conflict", file=_ref(latest), conflict=known), []
                conflict = await put_conflict(connection, session_id, latest, base_sha256, mine, user_id)
                event = FileConflictEvent(conflict=conflict)
                return EditResult(outcome="conflict", file=_ref(latest), conflict=conflict), [event]
            merged_data = encoded(path, merged)
            merged_sha256 = await put_blob(connection, merged_data)
            if merged_sha256 == standing:
                return EditResult(outcome="unchanged", file=_ref(latest)), []
            stored = Stored(merged_sha256, len(merged_data), mine)
            reason = origin._replace(reason="Edited by hand, merged with what the session wrote")
            version = await put_version(connection, session_id, last_version, latest, path, stored, reason)
            found = new_secrets(path, merged, await text_of(connection, standing))
            told = [*_told(version, None), *secrets_told(operation_id, path, found)]
            return EditResult(outcome="merged", file=_ref(version), secrets=found), told

        return await self._change(session_id, operation_id, work)

    async def delete(
        self, session_id: str, path: str, *, base_sha256: str | None, user_id: str, operation_id: str
    ) -> EditResult:
        """Delete a file that the user saw as `base_sha256` (None: however it is). Raises FileMissing, FileChanged."""
        origin = Origin("user", "Deleted by hand", operation_id, None, user_id)

        async def work(connection: Connection, last_version: int) -> tuple[EditResult, list[Event]]:
            latest = await self._seen(connection, session_id, path, base_sha256)
            gone = await insert_version(connection, session_id, last_version + 1, path, NO_FILE, latest.version, origin)
            closed = await close_conflict(connection, session_id, path, "text")
            return EditResult(outcome="deleted"), _told(gone, closed)

        return await self._change(session_id, operation_id, work)

    async def rename(
        self, session_id: str, path: str, to: str, *, base_sha256: str | None, user_id: str, operation_id: str
    ) -> EditResult:
        """Give a file another path. Raises FileMissing, FileChanged, PathTaken."""
        check_path(to)
        origin = Origin("user", f"Renamed by hand: {path} to {to}"[:300], operation_id, None, user_id)

        async def work(connection: Connection, last_version: int) -> tuple[EditResult, list[Event]]:
            latest = await self._seen(connection, session_id, path, base_sha256)
            there = await latest_version(connection, session_id, to)
            if there is not None and there.sha256 is not None:
                raise PathTaken(to)
            gone = await insert_version(connection, session_id, last_version + 1, path, NO_FILE, latest.version, origin)
            await self._require_free(connection, session_id, to)
            closed = await close_conflict(connection, session_id, path, "text")
            moved = await put_version(
                connection, session_id, last_version + 1, there, to, Stored(latest.sha256, latest.size), origin
            )
            return EditResult(outcome="saved", file=_ref(moved)), [*_told(gone, closed), *_told(moved, None)]

        return await self._change(session_id, operation_id, work)

    async def resolve(
        self, session_id: str, path: str, chosen: ResolveConflict, *, user_id: str, operation_id: str
    ) -> EditResult:
        """Carry out the user's choice between the sides of the conflict that waits at `path`. Raises FileMissing."""
        origin = Origin("user", f"Conflict resolved: {_CHOICES[chosen.choice]}", operation_id, None, user_id)
        data = None if chosen.text is None else encoded(path, chosen.text)

        async def work(connection: Connection, last_version: int) -> tuple[EditResult, list[Event]]:
            closed = await close_conflict(connection, session_id, path, chosen.choice)
            if closed is None:
                raise FileMissing(path)
            latest = await latest_version(connection, session_id, path)
            standing = Stored(latest.sha256, latest.size) if latest else NO_FILE
            wanted = standing
            if data is not None:
                wanted = Stored(await put_blob(connection, data), len(data))
            elif chosen.choice == "mine":
                mine = await text_of(connection, closed.mine_sha256)
                wanted = NO_FILE if mine is None else Stored(closed.mine_sha256, len(mine.encode()))
            told: list[Event] = [FileConflictEvent(conflict=closed)]
            if wanted == standing:
                return EditResult(outcome="unchanged", file=_ref(latest), conflict=closed), told
            if wanted.sha256 is None:
                parent = latest.version if latest else None
                version = await insert_version(connection, session_id, last_version + 1, path, NO_FILE, parent, origin)
            else:
                version = await put_version(connection, session_id, last_version, latest, path, wanted, origin)
            outcome = EditResult(outcome="saved" if version.sha256 else "deleted", file=_ref(version), conflict=closed)
            return outcome, [*_told(version, None), *told]

        return await self._change(session_id, operation_id, work)

    async def _change(
        self, session_id: str, writer: str, work: Callable[[Connection, int], Awaitable[tuple[T, list[Event]]]]
    ) -> T:
        async with self._database.transaction() as connection:
            await lock_head(connection, session_id)
            result, events = await work(connection, await lock_files(connection, session_id))
            if events:
                await append_rows(connection, session_id, writer, [row_of(event) for event in events])
            return result

    async def _require_free(self, connection: Connection, session_id: str, path: str) -> None:
        """Raises PathTaken where a file would lie on a folder, or below a file."""
        for file in await manifest_at(connection, session_id, None):
            if file.path.startswith(f"{path}/") or path.startswith(f"{file.path}/"):
                raise PathTaken(file.path)

    async def _seen(self, connection: Connection, session_id: str, path: str, base_sha256: str | None) -> FileVersion:
        latest = await latest_version(connection, session_id, path)
        if latest is None or latest.sha256 is None:
            raise FileMissing(path)
        if base_sha256 is not None and latest.sha256 != base_sha256:
            raise FileChanged(path)
        return latest

    async def _base(self, connection: Connection, session_id: str, path: str, sha256: str | None) -> str | None:
        """The text that an edit began with. Only what the file once was: another session's hash opens nothing."""
        if sha256 is None:
            return None
        known = await connection.fetchval(
            """SELECT true FROM file_versions
               WHERE session_id = $1 AND path = $2 AND $3 IN (sha256, given_sha256) LIMIT 1""",
            session_id,
            path,
            sha256,
        )
        if not known:
            raise BaseUnknown(path)
        return await text_of(connection, sha256)


_CHOICES = {"mine": "the user's text", "theirs": "the session's text", "text": "another text"}


def secrets_told(operation_id: str, path: str, found: Sequence[FoundSecret]) -> list[Event]:
    """What watchers are told of keys and passwords in a file: never the secret, and one event for all of the file."""
    if not found:
        return []
    others = f" There are {len(found) - 1} more in it." if len(found) > 1 else ""
    return [
        ErrorEvent(
            operation_id=operation_id,
            code="secret_in_file",
            sentence=found[0].sentence(path) + others,
            next_action=found[0].next_action,
            secrets=[MaskedSecret(kind=one.kind, provider=one.provider, hint=one.hint) for one in found],
        )
    ]


def _told(version: FileVersion, closed: FileConflict | None) -> list[Event]:
    """The events of a change, and of the conflict that it ended."""
    ref = _ref(version)
    change: Event = (
        FileDeleted(operation_id=version.operation_id, path=version.path)
        if ref is None
        else FileGenerated(operation_id=version.operation_id, file=ref)
    )
    return [change, *([FileConflictEvent(conflict=closed)] if closed else [])]


def _ref(version: FileVersion | None) -> FileRef | None:
    if version is None or version.sha256 is None:
        return None
    return FileRef(
        path=version.path,
        sha256=version.sha256,
        size=version.size,
        version=version.version,
        phase_id=version.phase_id,
        author=version.author,
    )
