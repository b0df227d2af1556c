"""Lines of versions beside a session's own: the files of candidates, begun from the project and perhaps adopted by it.

A line is kept like a session's files, under a name that no session can have.
"""

from collections.abc import Callable, Sequence

from schemas.events import Event
from storage.database import Connection, Database
from storage.events import EventWriter
from storage.file_rows import (
    NO_FILE,
    FileVersion,
    Origin,
    Stored,
    insert_version,
    latest_version,
    lock_files,
    manifest_at,
)


class Lines:
    """Repository of lines."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, session_id: str, line: str) -> None:
        """Begin a line with the session's files as they stand, unless it has begun."""
        async with self._database.transaction() as connection:
            if await lock_files(connection, line):
                return
            origin = Origin("fork", "Where the candidate began", "begin", None)
            for number, file in enumerate(await manifest_at(connection, session_id, None), 1):
                stored = Stored(file.sha256, file.size)
                await insert_version(connection, line, number, file.path, stored, None, origin)

    async def adopt(
        self,
        writer: EventWriter,
        line: str,
        *,
        reason: str,
        phase_id: str | None,
        announce: Callable[[FileVersion], Event],
    ) -> None:
        """Make the session's files what those of `line` are, as new versions, each with its event: all or none.

        Doing it again for the same operation changes nothing. Raises Fenced.
        """
        origin = Origin("model", reason, writer.name, phase_id)

        async def work(connection: Connection) -> Sequence[Event]:
            last_version = await lock_files(connection, writer.session_id)
            now = {entry.path: entry for entry in await manifest_at(connection, writer.session_id, last_version)}
            then = {entry.path: entry for entry in await manifest_at(connection, line, None)}
            changes = []
            for path in sorted(then.keys() | now.keys()):
                old, new = now.get(path), then.get(path)
                stored = Stored(new.sha256, new.size) if new else NO_FILE
                if stored.sha256 == (old.sha256 if old else None):
                    continue
                last_version += 1
                latest = await latest_version(connection, writer.session_id, path)
                parent = latest.version if latest else None
                changes.append(
                    await insert_version(connection, writer.session_id, last_version, path, stored, parent, origin)
                )
            return [announce(change) for change in changes]

        await writer.store(work)
