"""The versions of a project: what made each of them, what differs between two, restoring one, going on from one."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from schemas.events import Event, FileConflictEvent
from schemas.versions import FileChange, FileConflict, ProjectVersion
from storage.conflicts import close_conflict
from storage.database import Connection, Database
from storage.events import EventWriter
from storage.file_rows import (
    NO_FILE,
    FileMissing,
    FileVersion,
    Origin,
    Stored,
    insert_version,
    latest_version,
    lock_files,
    manifest_at,
    version_of,
)

# Changes that belong together, by their operation: the calls that write a phase side by side (phase-1/implement-2) are
# one, tools that a model uses (phase-1/round-0/turn-3/...) are one each, and so is every edit and restore.
_BELONGS_TO = r"regexp_replace(operation_id, '^(phase-[0-9r]+/implement).*', '\1')"

_VERSIONS = f"""
  WITH told AS (
    SELECT *, {_BELONGS_TO} AS whole FROM file_versions WHERE session_id = $1),
  begun AS (
    SELECT *, (whole IS DISTINCT FROM lag(whole) OVER (ORDER BY version))::int AS begins FROM told),
  numbered AS (
    SELECT *, sum(begins) OVER (ORDER BY version) AS nth FROM begun),
  summed AS (
    SELECT nth, max(version) AS version, min(version) AS first, min(created_at) AS created_at,
      max(created_at) AS finished_at,
      (array_agg(author ORDER BY version DESC))[1] AS author,
      (array_agg(user_id ORDER BY version DESC))[1] AS user_id,
      (array_agg(reason ORDER BY version DESC))[1] AS reason,
      (array_agg(phase_id ORDER BY version DESC))[1] AS phase_id,
      (array_agg(operation_id ORDER BY version DESC))[1] AS operation_id,
      array_agg(DISTINCT path) AS paths
    FROM numbered GROUP BY nth),
  linked AS (
    SELECT *, lag(version) OVER (ORDER BY nth) AS parent FROM summed)"""


_RESTORED: Final = "Restored "
MAX_REASON: Final = 600


class Difference(NamedTuple):
    """A file that is not the same in two versions: its hashes and sizes, None and 0 where it is not there."""

    path: str
    before: str | None
    after: str | None
    sizes: tuple[int, int]


class ForkPoint(NamedTuple):
    """What a session has of a version: which phases had begun, which of them were over, and when it was made."""

    version: int
    begun: list[str]
    over: list[str]
    at: datetime


class Versions:
    """Repository of the versions of all sessions. Nothing of them is stored: they follow from the files' versions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def history(
        self, session_id: str, *, limit: int = 50, before: int | None = None, path: str | None = None
    ) -> list[ProjectVersion]:
        """Versions, newest first: those below number `before`, and those that changed `path`, if given."""
        rows = await self._database.pool.fetch(
            f"""{_VERSIONS}
              SELECT * FROM linked
              WHERE ($2::int IS NULL OR version < $2) AND ($4::text IS NULL OR $4 = ANY (paths))
              ORDER BY version DESC LIMIT $3""",
            session_id,
            before,
            limit,
            path,
        )
        changes = await self._changes(session_id, [(row["parent"] or 0, row["version"]) for row in rows])
        return [
            ProjectVersion.model_validate({**dict(row), "changes": found})
            for row, found in zip(rows, changes, strict=True)
        ]

    async def _changes(self, session_id: str, spans: Sequence[tuple[int, int]]) -> list[list[FileChange]]:
        """What each span of numbers (after the first, up to the second) did to files, in order of path."""
        rows = await self._database.pool.fetch(
            """SELECT s.nth, v.path, v.sha256, before.sha256 AS old
               FROM unnest($2::int[], $3::int[]) WITH ORDINALITY AS s (low, high, nth)
               CROSS JOIN LATERAL (
                 SELECT DISTINCT ON (path) path, sha256 FROM file_versions
                 WHERE session_id = $1 AND version > s.low AND version <= s.high ORDER BY path, version DESC) v
               LEFT JOIN LATERAL (
                 SELECT sha256 FROM file_versions o WHERE o.session_id = $1 AND o.path = v.path AND o.version <= s.low
                 ORDER BY version DESC LIMIT 1) before ON true
               WHERE v.sha256 IS DISTINCT FROM before.sha256
               ORDER BY s.nth, v.path""",
            session_id,
            [low for low, _ in spans],
            [high for _, high in spans],
        )
        found: list[list[FileChange]] = [[] for _ in spans]
        for row in rows:
            status = "added" if row["old"] is None else "deleted" if row["sha256"] is None else "changed"
            found[row["nth"] - 1].append(FileChange.model_validate({"path": row["path"], "status": status}))
        return found

    async def since(self, session_id: str, version: int) -> list[FileVersion]:
        """The files that changed in `version` or after it, as they stand now."""
        rows = await self._database.pool.fetch(
            """SELECT DISTINCT ON (path) * FROM file_versions
               WHERE session_id = $1 AND version >= $2 ORDER BY path, version DESC""",
            session_id,
            version,
        )
        return [version_of(row) for row in rows]

    async def last(self, session_id: str) -> int:
        """The number of the last change; 0 when there is none."""
        found: int | None = await self._database.pool.fetchval(
            "SELECT last_version FROM file_heads WHERE session_id = $1", session_id
        )
        return found or 0

    async def differences(self, session_id: str, before: int, after: int, path: str | None = None) -> list[Difference]:
        """The files that differ between two numbers (0: the empty project), in order of path. Raises FileMissing."""
        async with self._database.transaction() as connection:
            last = await connection.fetchval("SELECT last_version FROM file_heads WHERE session_id = $1", session_id)
            for number in (before, after):
                if not 0 <= number <= (last or 0):
                    raise FileMissing(f"version {number}")
            old = {file.path: file for file in await manifest_at(connection, session_id, before)}
            new = {file.path: file for file in await manifest_at(connection, session_id, after)}
        paths = sorted(old.keys() | new.keys()) if path is None else [path]
        found = []
        for one in paths:
            a, b = old.get(one), new.get(one)
            hashes = (a.sha256 if a else None, b.sha256 if b else None)
            if hashes[0] != hashes[1]:
                found.append(Difference(one, *hashes, (a.size if a else 0, b.size if b else 0)))
        return found

    async def restore(
        self,
        writer: EventWriter,
        version: int,
        *,
        path: str | None,
        user_id: str,
        announce: Callable[[FileVersion], Event],
    ) -> list[FileVersion]:
        """Make the project, or one file, what it was at `version`, as new versions with their events, all or none.

        Doing it again for the same operation changes nothing. Raises FileMissing, Fenced.
        """
        what = f"version {version}" if path is None else f"version {version} of {path}"
        origin = Origin("restore", f"{_RESTORED}{what}"[:MAX_REASON], writer.name, None, user_id)
        changes: list[FileVersion] = []

        async def work(connection: Connection) -> Sequence[Event]:
            changes[:], closed, told = await restore_files(connection, writer.session_id, version, path, origin)
            if told:
                return []
            return [*map(announce, changes), *(FileConflictEvent(conflict=conflict) for conflict in closed)]

        await writer.store(work)
        return changes

    async def before_phases(self, session_id: str, phase_ids: Sequence[str]) -> int | None:
        """The number of the last change before those of any of these phases; None when they changed nothing."""
        first: int | None = await self._database.pool.fetchval(
            """SELECT min(version) FROM file_versions
               WHERE session_id = $1 AND phase_id = ANY ($2::text[]) AND author <> 'user'""",
            session_id,
            list(phase_ids),
        )
        return None if first is None else first - 1

    async def fork_point(self, session_id: str, version: int) -> ForkPoint:
        """What stood at a version. Raises FileMissing."""
        rows = await self._database.pool.fetch(
            """SELECT phase_id, min(version) AS first, max(version) FILTER (WHERE author <> 'user') AS last
               FROM file_versions WHERE session_id = $1 AND phase_id IS NOT NULL GROUP BY phase_id ORDER BY first""",
            session_id,
        )
        at = await self._database.pool.fetchval(
            "SELECT created_at FROM file_versions WHERE session_id = $1 AND version = $2", session_id, version
        )
        if at is None:
            raise FileMissing(f"version {version}")
        begun = [row["phase_id"] for row in rows if row["first"] <= version]
        return ForkPoint(version, begun, [row["phase_id"] for row in rows if row["last"] <= version], at)

    async def copy(self, source: str, version: int, session_id: str, operation_id: str) -> None:
        """Begin a session's files with those of another one's version, by reference. Doing it again changes nothing."""
        origin = Origin("fork", f"Forked from version {version}", operation_id, None)
        async with self._database.transaction() as connection:
            if await lock_files(connection, session_id):
                return
            for number, file in enumerate(await manifest_at(connection, source, version), 1):
                stored = Stored(file.sha256, file.size)
                await insert_version(connection, session_id, number, file.path, stored, None, origin)


def restored(reason: str) -> tuple[int, str | None]:
    """The version, and the one file, that a restore's reason names."""
    _, number, *file = reason.removeprefix(_RESTORED).split(" ", 3)
    return int(number), file[1] if file else None


async def restore_files(
    connection: Connection, session_id: str, version: int, path: str | None, origin: Origin
) -> tuple[list[FileVersion], list[FileConflict], bool]:
    """Make files what they were at `version`. Returns what the operation changed, the conflicts that this ended, and
    whether an earlier try had done all that. Raises FileMissing."""
    last_version = await lock_files(connection, session_id)
    if not 0 < version <= last_version:
        raise FileMissing(f"version {version}")
    done = await connection.fetch(
        "SELECT * FROM file_versions WHERE session_id = $1 AND operation_id = $2 ORDER BY version",
        session_id,
        origin.operation_id,
    )
    if done:
        return [version_of(row) for row in done], [], True
    then = {entry.path: entry for entry in await manifest_at(connection, session_id, version)}
    now = {entry.path: entry for entry in await manifest_at(connection, session_id, last_version)}
    paths = sorted(then.keys() | now.keys()) if path is None else [path]
    if path is not None and path not in then and path not in now:
        raise FileMissing(path)
    changes, closed = [], []
    for one in paths:
        old, new = now.get(one), then.get(one)
        stored = Stored(new.sha256, new.size) if new else NO_FILE
        if stored.sha256 == (old.sha256 if old else None):
            continue
        last_version += 1
        latest = await latest_version(connection, session_id, one)
        parent = latest.version if latest else None
        changes.append(await insert_version(connection, session_id, last_version, one, stored, parent, origin))
        if conflict := await close_conflict(connection, session_id, one, "restored"):
            closed.append(conflict)
    return changes, closed, False
