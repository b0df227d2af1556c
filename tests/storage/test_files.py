"""Files: versions are never lost, repeated or written by a superseded attempt."""

import asyncio

import pytest

from schemas.events import Event, FileDeleted, FileGenerated
from schemas.session import FileRef
from storage.blobs import BlobMissing, Blobs
from storage.database import Database
from storage.events import EventLog, Fenced
from storage.files import (
    MAX_FILE_BYTES,
    MAX_FILES,
    Author,
    BadPath,
    FileMissing,
    Files,
    FileTooLarge,
    FileVersion,
    TooManyFiles,
)

S = "session-1"


async def put(files: Files, path: str, content: str, by: str = "op-1", author: Author = "model") -> FileVersion:
    return await files.put(S, path, content, author=author, reason="because", operation_id=by, phase_id="phase-1")


def announce(version: FileVersion) -> Event:
    assert version.sha256 is not None
    return FileGenerated(
        operation_id=version.operation_id,
        file=FileRef(path=version.path, sha256=version.sha256, size=version.size, version=version.version),
    )


async def test_versions_manifests_and_contents(files: Files) -> None:
    first = await put(files, "src/a.ts", "one")
    second = await put(files, "src/b.ts", "zwei €")
    third = await put(files, "src/a.ts", "three", by="op-2", author="fix")
    gone = await files.delete(S, "src/b.ts", author="user", reason="not needed", operation_id="op-3")
    assert [first.version, second.version, third.version, gone.version] == [1, 2, 3, 4]
    assert (first.parent, third.parent, gone.parent) == (None, 1, 2)
    assert second.size == 8
    assert [entry.path for entry in await files.current(S)] == ["src/a.ts"]
    assert await files.contents(S) == {"src/a.ts": "three"}
    assert await files.contents(S, 2) == {"src/a.ts": "one", "src/b.ts": "zwei €"}
    assert [entry.version for entry in await files.manifest(S, 3)] == [3, 2]
    assert await files.read(S, "src/a.ts") == "three"
    assert await files.read(S, "src/a.ts", 2) == "one"
    assert [version.version for version in await files.versions(S)] == [1, 2, 3, 4]
    assert [version.author for version in await files.versions(S, "src/a.ts")] == ["model", "fix"]
    with pytest.raises(FileMissing):
        await files.read(S, "src/b.ts")
    with pytest.raises(FileMissing):
        await files.read(S, "src/b.ts", 1)
    assert await files.current("another session") == []


async def test_doing_it_again_changes_nothing(files: Files) -> None:
    first = await put(files, "a", "x")
    assert await put(files, "a", "x") == first
    other = await put(files, "a", "x", by="op-2")  # another step that wrote the same is a change of its own
    assert other.version == 2
    back = [await put(files, "a", content, by="op-3") for content in ("y", "x", "x")]
    assert [version.version for version in back] == [3, 4, 4]
    gone = await files.delete(S, "a", author="model", reason="", operation_id="op-4")
    assert await files.delete(S, "a", author="model", reason="", operation_id="op-4") == gone
    assert [version.path for version in await files.of_operation(S, "op-3")] == ["a"]


async def test_one_order_of_concurrent_writers(files: Files) -> None:
    versions = await asyncio.gather(*(put(files, f"f{n % 5}", str(n), by=f"op-{n}") for n in range(40)))
    assert sorted(version.version for version in versions) == list(range(1, 41))
    for path in {version.path for version in versions}:
        chain = await files.versions(S, path)
        assert [version.parent for version in chain] == [None, *(version.version for version in chain[:-1])]


async def test_limits(files: Files, database: Database) -> None:
    await put(files, "large", "x" * MAX_FILE_BYTES)
    with pytest.raises(FileTooLarge):
        await put(files, "larger", "x" * (MAX_FILE_BYTES - 1) + "€")
    await put(files, "f0", "same")
    await database.pool.execute(
        """INSERT INTO file_versions (session_id, version, path, sha256, author, reason, operation_id)
           SELECT session_id, 2 + n, 'f' || n, sha256, author, reason, operation_id
           FROM file_versions, generate_series(1, $1) AS n WHERE path = 'f0'""",
        MAX_FILES - 2,
    )
    await database.pool.execute("UPDATE file_heads SET last_version = $1", MAX_FILES)
    with pytest.raises(TooManyFiles):
        await put(files, "one more", "same")
    await put(files, "f1", "changing is fine")
    await files.delete(S, "f2", author="user", reason="", operation_id="op")
    await put(files, "one more", "same")
    assert await database.pool.fetchval("SELECT count(*) FROM blobs") == 3


@pytest.mark.parametrize(
    "path",
    ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/./b", "a\\b", "a\0b", "x" * 501, ".git/config", "a/.GIT/HEAD",
     ".git. /x", "git~1/x", ".g\u200dit/x", "a/\u202ets.exe"],
)  # fmt: skip
async def test_bad_paths(files: Files, path: str) -> None:
    with pytest.raises(BadPath):
        await put(files, path, "x")


async def test_nul_and_blobs(files: Files, database: Database) -> None:
    version = await put(files, "a", "nul \0 inside")
    assert await files.read(S, "a") == "nul \0 inside"
    assert version.sha256 is not None
    assert await Blobs(database).get(version.sha256) == b"nul \0 inside"
    with pytest.raises(BlobMissing):
        await Blobs(database).get("0" * 64)


async def close_file(files: Files, event_log: EventLog, attempt: int, content: str) -> FileVersion:
    writer = await event_log.open(S, "op-1", run_id="run", attempt=attempt)
    return await files.close_file(writer, "a", content, author="model", reason="", phase_id=None, announce=announce)


async def test_a_closed_file_and_its_event_come_together(files: Files, event_log: EventLog, database: Database) -> None:
    writer = await event_log.open(S, "op-1", run_id="run", attempt=1)
    version = await files.close_file(writer, "a", "content", author="model", reason="", phase_id="p", announce=announce)
    assert (version.version, version.operation_id, version.phase_id) == (1, "op-1", "p")
    assert await database.pool.fetchval("SELECT count(*) FROM events") == 1

    with pytest.raises(FileTooLarge):
        await files.close_file(
            writer, "b", "x" * MAX_FILE_BYTES + "x", author="model", reason="", phase_id=None, announce=announce
        )
    assert await database.pool.fetchval("SELECT count(*) FROM events") == 1


async def test_a_superseded_attempt_cannot_change_files(files: Files, event_log: EventLog) -> None:
    old = await event_log.open(S, "op-1", run_id="run", attempt=1)
    await close_file(files, event_log, 2, "new")
    with pytest.raises(Fenced):
        await files.close_file(old, "a", "old", author="model", reason="", phase_id=None, announce=announce)
    assert await files.contents(S) == {"a": "new"}


async def test_a_file_is_deleted_with_its_event(files: Files, event_log: EventLog, database: Database) -> None:
    await put(files, "a", "x")
    writer = await event_log.open(S, "op-2", run_id="run", attempt=1)

    async def delete(path: str) -> FileVersion | None:
        return await files.delete_file(
            writer,
            path,
            author="model",
            reason="",
            phase_id=None,
            announce=lambda version: FileDeleted(operation_id="op-2", path=version.path),
        )

    gone = await delete("a")
    assert gone is not None
    assert (gone.version, gone.sha256, gone.parent) == (2, None, 1)
    assert await delete("a") is None
    assert await delete("never there") is None
    assert await database.pool.fetchval("SELECT count(*) FROM events") == 1
    await event_log.open(S, "op-2", run_id="run", attempt=2)
    with pytest.raises(Fenced):
        await delete("a")


async def test_a_lost_reply_gives_one_version_and_one_event(
    files: Files, event_log: EventLog, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = await event_log.open(S, "op-1", run_id="run", attempt=1)
    original = writer._store
    calls = 0

    async def commit_then_lose(work: object) -> object:
        nonlocal calls
        calls += 1
        answer = await original(work)  # type: ignore[arg-type]
        if calls == 1:
            raise ConnectionResetError("reply lost")
        return answer

    monkeypatch.setattr(writer, "_store", commit_then_lose)
    version = await files.close_file(writer, "a", "x", author="model", reason="", phase_id=None, announce=announce)
    assert (calls, version.version) == (2, 1)
    assert await database.pool.fetchval("SELECT count(*) FROM events") == 1
    assert len(await files.versions(S)) == 1
