"""Repairs of single files: edits first, once more for what does not fit, the whole file last, never to its harm."""

import pytest
from temporalio.exceptions import ApplicationError

from activities.file_regeneration import FileRegenerationActivities
from schemas.checks import Issue, IssueSource, Severity
from schemas.inference import ActionKey
from schemas.operations import FilesResult
from schemas.review import RegenerationInput
from tests.activities.conftest import ModelRooms

PRICE = "export const total = (a: number, b: number) => a + b;\nexport const tax = 0.2;\n"
MENDED = PRICE.replace("a + b", "a * b")
APP = "import { total } from './price';\nexport default function App() {\n  return <p>{total(2, 3)}</p>;\n}\n"
SLIP = Issue(
    file="src/price.ts", line=1, code="review", severity=Severity.ERROR, source=IssueSource.REVIEW,
    message="The total adds where it must multiply.",
)  # fmt: skip
NEEDED = "src/price.ts"


def block(search: str, replace: str) -> str:
    return f"<<<<<<< SEARCH\n{search}\n=======\n{replace}\n>>>>>>> REPLACE\n"


def whole(text: str, path: str = NEEDED) -> str:
    return f"cat > {path} << 'EOF'\n{text}EOF\n"


GOOD = block("a + b", "a * b").replace("a + b", PRICE.split("\n")[0]).replace("a * b", MENDED.split("\n")[0])
MISSED = block("sum of everything", MENDED.split("\n")[0])


async def repair(rooms: ModelRooms, *answers: str, path: str = NEEDED, attempt: int = 1) -> FilesResult:
    if attempt == 1:
        await rooms.put(**{NEEDED: PRICE}, App=APP)
    rooms.says(*answers)
    given = RegenerationInput(
        **rooms.common(f"phase-1/repair-1/{path}", "file_regeneration"),
        phase_id="phase-1",
        template="react-vite",
        path=path,
        issues=[SLIP.model_copy(update={"file": path})],
    )
    return await rooms.run(FileRegenerationActivities(rooms.rooms).regenerate, given, attempt)


async def text_of(rooms: ModelRooms, path: str = NEEDED) -> str:
    text: str = await rooms.rooms.files.read("s1", path)
    return text


@pytest.mark.parametrize(
    "answer",
    [GOOD, whole(MENDED), "cat << 'EOF' | patch src/price.ts\n@@\n-" + PRICE.split("\n")[0] + "\n+"
     + MENDED.split("\n")[0] + "\nEOF\n"],
)  # fmt: skip
async def test_any_format_of_edit_will_do(model_rooms: ModelRooms, answer: str) -> None:
    result = await repair(model_rooms, answer)
    assert await text_of(model_rooms) == MENDED
    assert [(file.path, file.author) for file in result.files] == [(NEEDED, "fix")]
    assert (result.usage.calls, len(model_rooms.prompts)) == (1, 1)
    (row,) = await model_rooms.rooms.ledger.attempts("s1")
    assert row.action is ActionKey.FILE_REGENERATION
    assert "The total adds where it must multiply." in model_rooms.prompts[0]


async def test_only_the_block_that_failed_is_asked_for_again(model_rooms: ModelRooms) -> None:
    fits = block("export const tax = 0.2;", "export const tax = 0.25;")
    await repair(model_rooms, fits + MISSED, GOOD)
    assert await text_of(model_rooms) == MENDED.replace("0.2", "0.25")
    again = model_rooms.prompts[1]
    assert "sum of everything" in again and "Write these blocks again" in again
    assert "tax = 0.25" in again, "what fitted is in the file that is shown"
    assert "SEARCH\\nexport const tax" not in again


async def test_after_the_blocks_the_whole_file_is_asked_for_once(model_rooms: ModelRooms) -> None:
    await repair(model_rooms, MISSED, MISSED, whole(MENDED))
    assert await text_of(model_rooms) == MENDED
    assert "Write the whole file now" in model_rooms.prompts[2]


async def test_a_repair_that_never_fits_leaves_the_file_and_says_so(model_rooms: ModelRooms) -> None:
    result = await repair(model_rooms, MISSED, MISSED, "I cannot.")
    assert await text_of(model_rooms) == PRICE and result.files == []
    (error,) = await model_rooms.events("error")
    assert error["code"] == "edit_failed" and NEEDED in error["sentence"]
    assert len(model_rooms.prompts) == 3


@pytest.mark.parametrize(
    ("worse", "why"),
    [
        (whole("export const total = (a: number => a * b;\n"), "does not parse"),
        (whole("export const tax = 0.2;\n"), "no longer export"),
        (whole("// ... existing code\n" + MENDED.replace("0.2", "0.3")), "left out"),
    ],
)
async def test_a_worse_file_is_refused_with_the_reason(model_rooms: ModelRooms, worse: str, why: str) -> None:
    await repair(model_rooms, worse, whole(MENDED))
    assert why in model_rooms.prompts[1]
    assert await text_of(model_rooms) == MENDED


async def test_worse_twice_changes_nothing(model_rooms: ModelRooms) -> None:
    broken = whole("export const total = (a: number => a * b;\n")
    assert (await repair(model_rooms, broken, broken)).files == []
    assert await text_of(model_rooms) == PRICE


async def test_a_mistaken_issue_changes_nothing(model_rooms: ModelRooms) -> None:
    result = await repair(model_rooms, "NO CHANGE: it is right as it is.")
    assert result.files == [] and len(model_rooms.prompts) == 1
    assert await model_rooms.events("error") == []


async def test_a_missing_file_is_written_whole(model_rooms: ModelRooms) -> None:
    await repair(model_rooms, whole("export const rate = 1;\n", "src/rate.ts"), path="src/rate.ts")
    assert await text_of(model_rooms, "src/rate.ts") == "export const rate = 1;\n"


async def test_packages_that_a_repair_needs_are_handed_on(model_rooms: ModelRooms) -> None:
    assert (await repair(model_rooms, "bun add zod\n" + GOOD)).install == ["zod"]


@pytest.mark.parametrize("path", ["vite.config.ts", "../outside.ts"])
async def test_what_must_not_be_written_is_not(model_rooms: ModelRooms, path: str) -> None:
    result = await repair(model_rooms, whole("export {};\n", path), "no", "no", path=path)
    assert result.files == []
    assert [error["code"] for error in await model_rooms.events("error")] == ["edit_failed"]


async def test_a_second_attempt_finds_the_file_repaired(model_rooms: ModelRooms) -> None:
    first = await repair(model_rooms, GOOD)
    second = await repair(model_rooms, attempt=2)
    assert second.files == first.files and len(model_rooms.prompts) == 1


async def test_an_outage_is_a_failure_that_is_tried_again(model_rooms: ModelRooms) -> None:
    model_rooms.server.answers.clear()
    with pytest.raises(ApplicationError):
        await repair(model_rooms, "")
    await repair(model_rooms, GOOD, attempt=2)
    assert await text_of(model_rooms) == MENDED
