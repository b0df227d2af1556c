"""Users' edits of files that the session writes as well: nobody's text is lost, whoever comes first."""

import asyncio
import hashlib
import uuid

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from schemas.events import Event, FileGenerated
from schemas.session import FileRef
from schemas.versions import EditResult, ResolveConflict
from storage.conflicts import UNSEEN, Conflicts, Unseen
from storage.database import Database
from storage.edits import BaseUnknown, Edits, FileChanged, PathTaken
from storage.events import EventLog, EventWriter
from storage.file_rows import MAX_FILE_BYTES, BadPath, FileMissing, FileTooLarge, FileVersion
from storage.files import Files
from storage.three_way import MINE

S = "session-1"
BASE = "".join(f"line {number}\n" for number in range(12))
TOP = BASE.replace("line 1\n", "top\n")
BOTTOM = BASE.replace("line 10\n", "bottom\n")
BOTH = TOP.replace("line 10\n", "bottom\n")
OTHER_TOP = BASE.replace("line 1\n", "another top\n")


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def edits(database: Database) -> Edits:
    return Edits(database)


@pytest.fixture
def conflicts(database: Database) -> Conflicts:
    return Conflicts(database)


@pytest.fixture
async def writer(event_log: EventLog) -> EventWriter:
    return await event_log.open(S, "phase-1/implement", run_id="r", attempt=1)


def announce(version: FileVersion) -> Event:
    ref = FileRef(path=version.path, sha256=version.sha256 or "", size=version.size, version=version.version)
    return FileGenerated(operation_id=version.operation_id, file=ref)


async def model_writes(
    files: Files, writer: EventWriter, content: str, seen: str | Unseen | None = UNSEEN, path: str = "a.ts"
) -> FileVersion:
    return await files.close_file(
        writer, path, content, author="model", reason="p", phase_id="phase-1", announce=announce, seen=seen
    )


async def user_writes(edits: Edits, content: str, base: str | None, path: str = "a.ts", by: str = "e1") -> EditResult:
    base_sha256 = None if base is None else sha(base)
    return await edits.write(S, path, content, base_sha256=base_sha256, user_id="ada", operation_id=by)


async def told(database: Database) -> list[str]:
    rows = await database.pool.fetch("SELECT type FROM events WHERE session_id = $1 ORDER BY seq", S)
    return [row["type"] for row in rows]


async def test_an_edit_of_what_stands_is_a_version_with_its_author(
    files: Files, edits: Edits, writer: EventWriter, database: Database
) -> None:
    await model_writes(files, writer, BASE)
    saved = await user_writes(edits, TOP, BASE)
    assert saved.outcome == "saved" and saved.file is not None and saved.file.version == 2
    assert await files.read(S, "a.ts") == TOP
    last = (await files.versions(S))[-1]
    assert (last.author, last.user_id, last.parent) == ("user", "ada", 1)
    assert (await user_writes(edits, TOP, BASE)).outcome == "unchanged"
    assert await told(database) == ["file_generated", "file_generated"]


async def test_an_edit_of_an_older_text_is_merged(files: Files, edits: Edits, writer: EventWriter) -> None:
    await model_writes(files, writer, BASE)
    await model_writes(files, writer, BOTTOM)
    assert (await user_writes(edits, TOP, BASE)).outcome == "merged"
    assert await files.read(S, "a.ts") == BOTH
    assert (await user_writes(edits, TOP, BASE)).outcome == "unchanged"  # sent again, its answer was lost


async def test_an_edit_that_cannot_be_merged_waits_for_a_choice(
    files: Files, edits: Edits, conflicts: Conflicts, writer: EventWriter, database: Database
) -> None:
    await model_writes(files, writer, BASE)
    await model_writes(files, writer, OTHER_TOP)
    result = await user_writes(edits, TOP, BASE)
    assert result.outcome == "conflict" and result.conflict is not None and result.conflict.user_id == "ada"
    assert await files.read(S, "a.ts") == OTHER_TOP
    texts = await conflicts.texts(S, "a.ts")
    assert (texts.base, texts.mine, texts.theirs) == (BASE, TOP, OTHER_TOP)
    assert texts.marked is not None and f"{MINE}top\n" in texts.marked
    assert (await user_writes(edits, TOP, BASE)).outcome == "conflict"
    assert (await told(database)).count("file_conflict") == 1


@pytest.mark.parametrize(
    ("choice", "stands"),
    [
        (ResolveConflict(choice="mine"), TOP),
        (ResolveConflict(choice="theirs"), OTHER_TOP),
        (ResolveConflict(choice="text", text="neither\n"), "neither\n"),
    ],
)
async def test_the_user_chooses(
    files: Files,
    edits: Edits,
    conflicts: Conflicts,
    writer: EventWriter,
    database: Database,
    choice: ResolveConflict,
    stands: str,
) -> None:
    await model_writes(files, writer, BASE)
    await model_writes(files, writer, OTHER_TOP)
    await user_writes(edits, TOP, BASE)
    result = await edits.resolve(S, "a.ts", choice, user_id="ada", operation_id="choice-1")
    assert result.conflict is not None
    assert (result.conflict.state, result.conflict.choice) == ("resolved", choice.choice)
    assert await files.read(S, "a.ts") == stands
    assert await conflicts.open(S) == []
    assert (await told(database))[-1] == "file_conflict"
    with pytest.raises(FileMissing):
        await edits.resolve(S, "a.ts", choice, user_id="ada", operation_id="choice-2")


async def test_what_a_user_wrote_meanwhile_is_merged_into_what_the_model_writes(
    files: Files, edits: Edits, writer: EventWriter
) -> None:
    await model_writes(files, writer, BASE)
    await user_writes(edits, TOP, BASE)
    version = await model_writes(files, writer, BOTTOM, seen=BASE)
    assert await files.read(S, "a.ts") == BOTH
    assert (version.author, version.given_sha256) == ("model", sha(BOTTOM))
    again = await model_writes(files, writer, BOTTOM, seen=BASE)
    assert again.version == version.version


async def test_a_model_s_text_in_conflict_stands_and_the_user_s_is_kept(
    files: Files, edits: Edits, conflicts: Conflicts, writer: EventWriter, database: Database
) -> None:
    await model_writes(files, writer, BASE)
    await user_writes(edits, TOP, BASE)
    await model_writes(files, writer, OTHER_TOP, seen=BASE)
    assert await files.read(S, "a.ts") == OTHER_TOP
    assert [conflict.mine_sha256 for conflict in await conflicts.open(S)] == [sha(TOP)]
    await model_writes(files, writer, OTHER_TOP, seen=BASE)  # tried again
    assert (await told(database)).count("file_conflict") == 1
    await user_writes(edits, BASE, OTHER_TOP, by="e2")  # another edit of what stands settles it
    assert await conflicts.open(S) == []


async def test_a_model_that_saw_the_edit_writes_what_it_likes(files: Files, edits: Edits, writer: EventWriter) -> None:
    await model_writes(files, writer, BASE)
    await user_writes(edits, TOP, BASE)
    await model_writes(files, writer, BOTTOM, seen=TOP)
    assert await files.read(S, "a.ts") == BOTTOM


async def test_new_and_deleted_files_on_both_sides(
    files: Files, edits: Edits, conflicts: Conflicts, writer: EventWriter
) -> None:
    assert (await user_writes(edits, "mine\n", None, path="new.ts")).outcome == "saved"
    await model_writes(files, writer, "theirs\n", seen=None, path="new.ts")
    assert (await conflicts.texts(S, "new.ts")).mine == "mine\n"
    await model_writes(files, writer, BASE)
    await edits.delete(S, "a.ts", base_sha256=sha(BASE), user_id="ada", operation_id="d1")
    await model_writes(files, writer, BOTTOM, seen=BASE)
    assert (await conflicts.texts(S, "a.ts")).mine is None
    result = await edits.resolve(S, "a.ts", ResolveConflict(choice="mine"), user_id="ada", operation_id="c1")
    assert result.outcome == "deleted"
    with pytest.raises(FileMissing):
        await files.read(S, "a.ts")


async def test_a_model_does_not_delete_what_a_user_changed(files: Files, edits: Edits, writer: EventWriter) -> None:
    await model_writes(files, writer, BASE)
    await user_writes(edits, TOP, BASE)
    deleted = await files.delete_file(
        writer, "a.ts", author="model", reason="", phase_id=None, announce=announce, seen=BASE
    )
    assert deleted is None and await files.read(S, "a.ts") == TOP


async def test_deleting_and_renaming(files: Files, edits: Edits, writer: EventWriter) -> None:
    await model_writes(files, writer, BASE)
    await model_writes(files, writer, "b", path="b.ts")
    with pytest.raises(FileChanged):
        await edits.delete(S, "a.ts", base_sha256=sha("older"), user_id="ada", operation_id="d1")
    with pytest.raises(PathTaken):
        await edits.rename(S, "a.ts", "b.ts", base_sha256=None, user_id="ada", operation_id="r1")
    with pytest.raises(BadPath):
        await edits.rename(S, "a.ts", "../b.ts", base_sha256=None, user_id="ada", operation_id="r2")
    await edits.rename(S, "a.ts", "src/c.ts", base_sha256=sha(BASE), user_id="ada", operation_id="r3")
    await edits.delete(S, "b.ts", base_sha256=sha("b"), user_id="ada", operation_id="d2")
    assert await files.contents(S) == {"src/c.ts": BASE}
    with pytest.raises(FileMissing):
        await edits.delete(S, "b.ts", base_sha256=None, user_id="ada", operation_id="d3")


async def test_what_is_refused(files: Files, edits: Edits, writer: EventWriter) -> None:
    await model_writes(files, writer, BASE)
    await files.put("session-2", "a.ts", "secret", author="model", reason="", operation_id="op")
    with pytest.raises(BaseUnknown):  # another session's text is no way to read it
        await user_writes(edits, TOP, "secret")
    with pytest.raises(FileTooLarge):
        await user_writes(edits, "x" * (MAX_FILE_BYTES + 1), BASE)
    for path in ("../a", "/a", "a//b", "a\0b", ""):
        with pytest.raises(BadPath):
            await user_writes(edits, TOP, None, path=path)
    assert len(await files.versions(S)) == 1


async def test_many_at_once_lose_nothing(files: Files, edits: Edits, writer: EventWriter) -> None:
    """Every line is edited by somebody else, all from the same text."""
    lines = [f"line {number}\n" for number in range(0, 60)]
    base = "".join(lines)
    await model_writes(files, writer, base)

    async def edit(number: int) -> None:
        mine = "".join(f"edit {n}\n" if n == number else line for n, line in enumerate(lines))
        assert (await user_writes(edits, mine, base, by=f"e{number}")).outcome in ("saved", "merged")

    await asyncio.gather(*(edit(number) for number in range(0, 60, 3)))
    text = await files.read(S, "a.ts")
    assert text == "".join(f"edit {n}\n" if n % 3 == 0 else line for n, line in enumerate(lines))


Step = tuple[str, int, str]
steps = st.lists(
    st.tuples(
        st.sampled_from(["user", "user late", "model", "model late"]), st.integers(0, 5), st.text("xyz", max_size=2)
    ),
    max_size=8,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
@example([("user", 2, "x"), ("user", 0, "x"), ("user late", 0, "x")])
async def test_no_text_is_ever_lost(database: Database, files: Files, edits: Edits, moves: list[Step]) -> None:
    """Whatever both sides do from whatever they saw: each text is a version, merged into one, or kept as a conflict."""
    event_log = EventLog(database)
    await event_log.start()
    session_id = f"session-{uuid.uuid4().hex[:12]}"
    writer = await event_log.open(session_id, "phase-1/implement", run_id="r", attempt=1)
    seen = "\n".join("abcdef")
    texts = [seen]
    given_by_user: list[tuple[str, bool]] = []
    await files.close_file(writer, "f", seen, author="model", reason="", phase_id=None, announce=announce, seen=UNSEEN)
    for number, (who, line, word) in enumerate(moves):
        base = texts[0] if "late" in who else await files.read(session_id, "f")
        lines = base.split("\n")
        lines[line % len(lines)] += word
        mine = "\n".join(lines)
        if who.startswith("user"):
            await edits.write(session_id, "f", mine, base_sha256=sha(base), user_id="u", operation_id=f"e{number}")
            standing = (await files.read(session_id, "f")).split("\n")
            given_by_user.append((mine, set(lines) - set(base.split("\n")) <= set(standing)))
        else:
            await files.close_file(
                writer, "f", mine, author="model", reason="", phase_id=None, announce=announce, seen=base
            )
    kept = {
        row["sha"]
        for row in await database.pool.fetch(
            """SELECT sha256 AS sha FROM file_versions WHERE session_id = $1
               UNION SELECT given_sha256 FROM file_versions WHERE session_id = $1
               UNION SELECT mine_sha256 FROM file_conflicts WHERE session_id = $1""",
            session_id,
        )
    }
    for mine, stood_already in given_by_user:  # a change that the file has already makes no version
        assert sha(mine) in kept or stood_already
    versions = [version.version for version in await files.versions(session_id)]
    assert versions == list(range(1, len(versions) + 1))
    await event_log.aclose()
