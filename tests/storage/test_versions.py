"""The history of a project: what belongs together is one version, any two can be compared, any can be restored."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.blueprint import PhasePlan
from schemas.events import Event, FileDeleted, FileGenerated, PhaseEvent
from schemas.session import ChatMessage, FileRef, PhaseProgress
from storage.database import Database
from storage.edits import Edits
from storage.events import EventLog
from storage.file_rows import FileMissing, FileVersion
from storage.files import Files
from storage.forks import Forks, NotOwned
from storage.messages import Messages
from storage.sessions import SessionRecord, Sessions
from storage.versions import Versions

S = "session-1"


@pytest.fixture
def versions(database: Database) -> Versions:
    return Versions(database)


def announce(version: FileVersion) -> Event:
    if version.sha256 is None:
        return FileDeleted(operation_id=version.operation_id, path=version.path)
    ref = FileRef(path=version.path, sha256=version.sha256, size=version.size, version=version.version)
    return FileGenerated(operation_id=version.operation_id, file=ref)


async def put(files: Files, path: str, content: str, by: str, phase: str | None = None, session: str = S) -> None:
    await files.put(session, path, content, author="model", reason=f"by {by}", operation_id=by, phase_id=phase)


async def restore(
    event_log: EventLog, versions: Versions, version: int, by: str, path: str | None = None, session: str = S
) -> list[FileVersion]:
    writer = await event_log.open(session, by, run_id="r", attempt=1)
    return await versions.restore(writer, version, path=path, user_id="ada", announce=announce)


async def test_what_belongs_together_is_one_version(files: Files, versions: Versions, database: Database) -> None:
    await put(files, "index.html", "t", "template")
    await put(files, "a", "1", "phase-1/implement", "phase-1")
    await put(files, "b", "1", "phase-1/implement-2", "phase-1")
    edits = Edits(database)
    await edits.write(S, "a", "2", base_sha256=(await files.current(S))[0].sha256, user_id="ada", operation_id="e1")
    await put(files, "c", "1", "phase-1/implement", "phase-1")
    await put(files, "b", "2", "phase-1/fix-1", "phase-1")
    await files.delete(S, "c", author="fix", reason="by fix", operation_id="phase-1/fix-1", phase_id="phase-1")
    await put(files, "x", "1", "phase-2/round-0/turn-1/call-1", "phase-2")
    await put(files, "y", "1", "phase-2/round-0/turn-1/call-2", "phase-2")
    listed = await versions.history(S)
    told = [(v.version, v.first, v.parent, v.author, [f"{c.status} {c.path}" for c in v.changes]) for v in listed]
    assert told == [
        (9, 9, 8, "model", ["added y"]),
        (8, 8, 7, "model", ["added x"]),
        (7, 6, 5, "fix", ["changed b", "deleted c"]),
        (5, 5, 4, "model", ["added c"]),
        (4, 4, 3, "user", ["changed a"]),
        (3, 2, 1, "model", ["added a", "added b"]),
        (1, 1, None, "model", ["added index.html"]),
    ]
    assert listed[4].user_id == "ada" and listed[5].reason == "by phase-1/implement-2"
    page = await versions.history(S, limit=2)
    assert [v.version for v in await versions.history(S, limit=2, before=page[-1].version)] == [7, 5]
    assert [v.version for v in await versions.history(S, path="b")] == [7, 3]


async def test_differences(files: Files, versions: Versions) -> None:
    await put(files, "a", "1", "op-1")
    await put(files, "b", "22", "op-1")
    await put(files, "a", "3", "op-2")
    await files.delete(S, "b", author="model", reason="", operation_id="op-2")
    found = await versions.differences(S, 2, 4)
    assert [(d.path, d.before is None, d.after is None, d.sizes) for d in found] == [
        ("a", False, False, (1, 1)),
        ("b", False, True, (2, 0)),
    ]
    assert [d.path for d in await versions.differences(S, 0, 2, "b")] == ["b"]
    assert await versions.differences(S, 3, 3) == []
    for wrong in ((0, 5), (-1, 2)):
        with pytest.raises(FileMissing):
            await versions.differences(S, *wrong)


async def test_restoring_the_project_and_one_file(files: Files, versions: Versions, event_log: EventLog) -> None:
    await put(files, "a", "1", "op-1")
    await put(files, "b", "1", "op-1")
    await put(files, "a", "2", "op-2")
    await files.delete(S, "b", author="user", reason="", operation_id="op-3")
    await put(files, "c", "new", "op-4")
    one = await restore(event_log, versions, 2, "restore-1", path="b")
    assert [(change.path, change.version, change.user_id) for change in one] == [("b", 6, "ada")]
    changes = await restore(event_log, versions, 2, "restore-2")
    assert [(change.path, change.version, change.sha256 is None) for change in changes] == [
        ("a", 7, False),
        ("c", 8, True),
    ]
    assert await files.contents(S) == {"a": "1", "b": "1"}
    assert len(await restore(event_log, versions, 2, "restore-2")) == 2  # tried again: told, not done, again
    assert await versions.last(S) == 8
    assert await restore(event_log, versions, 2, "restore-3") == []
    for version, path in ((99, None), (2, "nowhere")):
        with pytest.raises(FileMissing):
            await restore(event_log, versions, version, f"restore-{version}-{path}", path=path)


async def test_what_a_restore_took_back_does_not_count_as_done(
    files: Files, versions: Versions, event_log: EventLog, database: Database
) -> None:
    await put(files, "a", "old", "template")
    await put(files, "a", "new", "phase-1/implement")
    await put(files, "b", "new", "phase-1/implement")
    edits = Edits(database)
    await edits.write(S, "b", "mine", base_sha256=(await files.current(S))[1].sha256, user_id="u", operation_id="e1")
    await restore(event_log, versions, 1, "restore-1", path="a")
    standing = await files.standing(S, "phase-1/implement")
    assert [(version.path, version.author) for version in standing] == [("b", "user")]


async def test_forking_takes_files_by_reference_and_what_was_said(
    files: Files, versions: Versions, event_log: EventLog, database: Database
) -> None:
    sessions, messages, forks = Sessions(database), Messages(database), Forks(database)
    for name, user in ((S, "ada"), ("fork", "ada"), ("stranger", "bob")):
        await sessions.create(SessionRecord(id=name, prompt="p", mode="smart", user_id=user))
    await put(files, "a", "1", "template")
    await put(files, "b", "1", "phase-1/implement", "phase-1")
    await put(files, "c", "1", "phase-2/implement", "phase-2")
    await put(files, "d", "1", "phase-2/fix-1", "phase-2")
    writer = await event_log.open(S, "op", run_id="r", attempt=1)
    for name, status in (("phase-1", "generating"), ("phase-1", "completed"), ("phase-2", "completed")):
        plan = PhasePlan(name=name)
        writer.put(PhaseEvent(phase=PhaseProgress.model_validate({"id": name, "plan": plan, "status": status})))
    await writer.flush()
    point = await versions.fork_point(S, 3)
    assert (point.begun, point.over) == (["phase-1", "phase-2"], ["phase-1"])
    assert [(phase.id, phase.status) for phase in await forks.phases(S)] == [
        ("phase-1", "completed"),
        ("phase-2", "completed"),
    ]
    assert await versions.before_phases(S, ["phase-2"]) == 2
    assert await versions.before_phases(S, ["phase-9"]) is None
    said = ChatMessage(id="m1", role="user", text="hello", at=point.at, state="planned")
    await messages.put(S, said)
    for _ in range(2):
        await versions.copy(S, 3, "fork", "fork")
        await forks.copy_conversation(S, "fork", point.at)
    assert await files.contents("fork") == {"a": "1", "b": "1", "c": "1"}
    assert [(v.version, v.author, len(v.changes)) for v in await versions.history("fork")] == [(3, "fork", 3)]
    assert [(turn.message.text, turn.message.state) for turn in await messages.list("fork")] == [("hello", "done")]
    assert (await forks.source(S, "fork")).id == S
    with pytest.raises(NotOwned):
        await forks.source(S, "stranger")
    with pytest.raises(FileMissing):
        await versions.fork_point(S, 5)


moves = st.lists(
    st.tuples(st.sampled_from(["put", "delete", "restore"]), st.sampled_from("abc"), st.integers(0, 30)), max_size=12
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves)
async def test_history_tells_what_happened(
    database: Database, files: Files, versions: Versions, what: list[tuple[str, str, int]]
) -> None:
    """At every number stands what stood then; a restore brings it back whole; the versions' changes add up to it."""
    session = f"session-{hash(tuple(what)) & 0xFFFFFFFFFFFF}"
    event_log = EventLog(database)
    await event_log.start()
    now: dict[str, str] = {}
    then: dict[int, dict[str, str]] = {0: {}}
    for number, (move, path, value) in enumerate(what):
        last = await versions.last(session)
        if move == "put":
            await put(files, path, str(value), f"op-{number // 2}", session=session)
            now[path] = str(value)
        elif move == "delete" and path in now:
            await files.delete(session, path, author="model", reason="", operation_id=f"op-{number // 2}")
            del now[path]
        elif move == "restore" and last:
            back = 1 + value % last
            await restore(event_log, versions, back, f"restore-{number}", session=session)
            # Inside a restore several numbers pass at once; each whole one is known.
            now = dict(await files.contents(session, back))
            assert now == then.get(back, now)
        assert await files.contents(session) == now
        then[await versions.last(session)] = dict(now)
    for number, stood in then.items():
        if number:
            assert await files.contents(session, number) == stood
    paths: set[str] = set()
    listed = (await versions.history(session, limit=100))[::-1]
    assert [v.parent for v in listed] == [None, *(v.version for v in listed[:-1])][: len(listed)]
    for version in listed:
        for change in version.changes:
            assert (change.path in paths) == (change.status != "added")
            (paths.discard if change.status == "deleted" else paths.add)(change.path)
        assert paths == {file.path for file in await files.manifest(session, version.version)}
    await event_log.aclose()
