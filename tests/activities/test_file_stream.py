"""Edits among the files of a phase or a fix: what does not fit is asked for again, once by blocks, once as a whole."""

from activities.code_fixer import CodeFixerActivities
from activities.phase_implementation import PhaseImplementationActivities
from schemas.blueprint import PhasePlan, PlannedFile
from schemas.checks import Issue, IssueSource, Severity
from schemas.inference import ActionKey
from schemas.operations import FilesResult, FixInput, PhaseImplementationInput
from tests.activities.conftest import ModelRooms

APP = "export const title = 'Draft';\nexport default function App() {\n  return <h1>{title}</h1>;\n}\n"
LEDGER = APP.replace("Draft", "Ledger")
OTHER = "cat > src/other.ts << 'EOF'\nexport const n = 1;\nEOF\n"


def patch(old: str, new: str) -> str:
    return f"cat << 'EOF' | patch src/App.tsx\n@@\n-{old}\n+{new}\nEOF\n"


MISSED = patch("export const heading = 'Draft';", "export const heading = 'Ledger';")
BLOCK = "<<<<<<< SEARCH\nexport const title = 'Draft';\n=======\nexport const title = 'Ledger';\n>>>>>>> REPLACE\n"


async def implement(rooms: ModelRooms, *answers: str, attempt: int = 1) -> FilesResult:
    if attempt == 1:
        await rooms.put(App=APP)
    rooms.says(*answers)
    given = PhaseImplementationInput(
        **rooms.common("phase-2/implement", "phase_implementation"),
        phase_id="phase-2",
        template="react-vite",
        plan=PhasePlan(name="Ledger", files=[PlannedFile(path="src/App.tsx"), PlannedFile(path="src/other.ts")]),
        number=2,
    )
    return await rooms.run(PhaseImplementationActivities(rooms.rooms).implement, given, attempt)


async def test_an_edit_that_does_not_fit_is_asked_for_again_and_the_rest_stands(model_rooms: ModelRooms) -> None:
    result = await implement(model_rooms, MISSED + OTHER, BLOCK)
    assert await model_rooms.rooms.files.read("s1", "src/App.tsx") == LEDGER
    assert sorted(file.path for file in result.files) == ["src/App.tsx", "src/other.ts"]
    assert "heading" in model_rooms.prompts[1] and "other.ts" not in model_rooms.prompts[1]
    rows = await model_rooms.rooms.ledger.attempts("s1")
    assert [row.action for row in rows] == [ActionKey.PHASE_IMPLEMENTATION] * 2
    assert len({row.call_number for row in rows}) == 2
    (reset,) = await model_rooms.events("file_reset")
    assert "asked for again" in reset["reason"]
    assert await model_rooms.events("error") == []


async def test_the_hunks_that_fit_cost_no_call(model_rooms: ModelRooms) -> None:
    await implement(model_rooms, "cat << 'EOF' | patch src/App.tsx\n" + BLOCK + "EOF\n" + OTHER)
    assert await model_rooms.rooms.files.read("s1", "src/App.tsx") == LEDGER
    assert len(model_rooms.prompts) == 1, "blocks were written where a diff was announced"


async def test_an_edit_that_never_fits_is_told(model_rooms: ModelRooms) -> None:
    result = await implement(model_rooms, MISSED + OTHER, "no", "no")
    assert [file.path for file in result.files] == ["src/other.ts"]
    (error,) = await model_rooms.events("error")
    assert (error["code"], "src/App.tsx" in error["sentence"]) == ("edit_failed", True)


async def test_the_fixer_asks_again_in_the_same_way(model_rooms: ModelRooms) -> None:
    await model_rooms.put(App=APP)
    model_rooms.says(MISSED, BLOCK)
    wrong = Issue(
        file="src/App.tsx", line=1, code="TS2322", severity=Severity.ERROR, source=IssueSource.TYPECHECK, message="no"
    )
    given = FixInput(
        **model_rooms.common("phase-1/fix-1", "fast_code_fixer"), phase_id="phase-1", template="react-vite",
        plan=PhasePlan(name="First"), issues=[wrong], round=1,
    )  # fmt: skip
    await model_rooms.run(CodeFixerActivities(model_rooms.rooms).fix, given)
    assert await model_rooms.rooms.files.read("s1", "src/App.tsx") == LEDGER
