"""Edits among the files of a phase or a fix: what does not fit is asked for again, once by blocks, once as a whole."""

import pytest
from pydantic import SecretStr

from activities.code_fixer import CodeFixerActivities
from activities.phase_implementation import PhaseImplementationActivities
from inference import Inference
from inference.settings import InferenceSettings, ProviderSettings
from schemas.blueprint import PhasePlan, PlannedFile
from schemas.checks import Issue, IssueSource, Severity
from schemas.inference import ActionKey
from schemas.operations import FilesResult, FixInput, PhaseImplementationInput
from tests.activities.conftest import ModelRooms
from tests.fault_server import Cut
from tests.inference.conftest import KEY, shared_client

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


LONG = f"cat > src/App.tsx << 'EOF'\n{LEDGER}EOF\n{OTHER}"


def takes_beginnings(rooms: ModelRooms, faults: str = "answers") -> None:
    """From now on a model answers that goes on with what it is handed as its own."""
    provider = ProviderSettings(base_url=rooms.server.url(faults), key=SecretStr(KEY))
    settings = InferenceSettings(providers={"anthropic": provider}, model="anthropic/claude-sonnet-4.5")
    rooms.rooms.inference = Inference(settings, client=shared_client())


@pytest.mark.parametrize("cut", [len(LONG) // 3, LONG.index("  return") + 1, LONG.index("const n")], ids=str)
async def test_an_answer_that_its_limit_cut_is_gone_on_with(model_rooms: ModelRooms, cut: int) -> None:
    takes_beginnings(model_rooms)
    ends = [0, *(len(LONG[:end].rstrip()) for end in (cut, cut + 9))]  # white space at a cut is said again
    result = await implement(model_rooms, Cut(LONG[:cut]), Cut(LONG[ends[1] : cut + 9]), LONG[ends[2] :])
    assert await model_rooms.rooms.files.read("s1", "src/App.tsx") == LEDGER
    assert sorted(file.path for file in result.files) == ["src/App.tsx", "src/other.ts"]
    assert await model_rooms.events("file_reset") == []
    first, second, _ = [seen.body for seen in model_rooms.server.seen]
    assert second["messages"][:-1] == first["messages"]
    assert second["messages"][-1]["role"] == "assistant"
    assert "thinking" not in second
    chunks = [event for event in await model_rooms.events("file_chunk") if event["path"] == "src/App.tsx"]
    assert all(chunk["offset"] + len(chunk["text"]) <= len(LEDGER) for chunk in chunks)
    rows = await model_rooms.rooms.ledger.attempts("s1")
    assert sorted(row.call_number for row in rows) == [0, 1, 2]


async def test_who_cannot_go_on_in_a_file_is_asked_for_it_again(model_rooms: ModelRooms) -> None:
    result = await implement(model_rooms, Cut(OTHER + LONG[:50]), LONG)
    assert sorted(file.path for file in result.files) == ["src/App.tsx", "src/other.ts"]
    (reset,) = await model_rooms.events("file_reset")
    assert reset["path"] == "src/App.tsx"
    assert "already_written" in model_rooms.prompts[1]
    assert len(model_rooms.prompts) == 2


async def test_who_refuses_to_go_on_is_asked_again_too(model_rooms: ModelRooms) -> None:
    takes_beginnings(model_rooms, "answers,400,answers")
    await implement(model_rooms, Cut(OTHER + LONG[:50]), LONG)
    assert await model_rooms.rooms.files.read("s1", "src/App.tsx") == LEDGER
    (reset,) = await model_rooms.events("file_reset")
    assert reset["path"] == "src/App.tsx"


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
