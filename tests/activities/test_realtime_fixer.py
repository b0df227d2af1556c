"""Files are repaired beside the stream that writes them, and never become worse by it."""

import pytest

from activities.phase_implementation import PhaseImplementationActivities
from schemas.blueprint import PhasePlan, PlannedFile
from schemas.inference import ActionKey
from schemas.operations import FilesResult, PhaseImplementationInput
from tests.activities.conftest import ModelRooms

APP = "export default function App() {\n  return <main>Hello there, this is the board.</main>;\n}\n"
BROKEN = APP.replace("</main>", "</man")
LOOPING = (
    "import { useState } from 'react';\nexport default function App() {\n  const [n, setN] = useState(0);\n"
    "  setN(n + 1);\n  return <p>{n}</p>;\n}\n"
)
CALM = LOOPING.replace("  setN(n + 1);\n", "").replace("<p>", "<p onClick={() => setN(n + 1)}>")


def scof(**files: str) -> str:
    return "\n".join(f"cat > src/{name}.tsx << 'EOF'\n{text}EOF\n" for name, text in files.items())


async def implement(rooms: ModelRooms, *planned: str, attempt: int = 1) -> FilesResult:
    given = PhaseImplementationInput(
        **rooms.common("phase-1/implement", "phase_implementation"),
        phase_id="phase-1",
        template="react-vite",
        plan=PhasePlan(name="Board", files=[PlannedFile(path=f"src/{name}.tsx") for name in planned]),
        number=1,
    )
    return await rooms.run(PhaseImplementationActivities(rooms.rooms).implement, given, attempt)


async def actions(rooms: ModelRooms) -> list[ActionKey]:
    return [row.action for row in await rooms.rooms.ledger.attempts("s1")]


async def test_a_file_that_does_not_parse_is_repaired_by_a_model(model_rooms: ModelRooms) -> None:
    await model_rooms.put()
    model_rooms.says(scof(App=BROKEN), scof(App=APP))
    result = await implement(model_rooms, "App")
    assert await model_rooms.rooms.files.read("s1", "src/App.tsx") == APP
    assert [(file.path, file.author) for file in result.files] == [("src/App.tsx", "fix")]
    assert ActionKey.REALTIME_CODE_FIXER in await actions(model_rooms)
    assert "does not parse" in model_rooms.prompts[1]
    shown = [(event["status"], event["by"]) for event in await model_rooms.events("file_fix")]
    assert shown == [("fixing", "model"), ("fixed", "model")]


async def test_what_a_rule_can_mend_costs_nothing(model_rooms: ModelRooms) -> None:
    await model_rooms.put(store="export const useBoard = () => 1;\n")
    app = "import useBoard from './store';\nexport const App = () => { useState(0); return <p>{useBoard()}</p>; };\n"
    model_rooms.says(scof(App=app))
    await implement(model_rooms, "App")
    text = await model_rooms.rooms.files.read("s1", "src/App.tsx")
    assert "import { useBoard } from './store'" in text and "import { useState } from 'react'" in text
    assert len(await actions(model_rooms)) == 1
    assert [event["by"] for event in await model_rooms.events("file_fix")] == ["rule"]


async def test_a_loop_of_rendering_is_found_before_anything_runs(model_rooms: ModelRooms) -> None:
    await model_rooms.put()
    model_rooms.says(scof(App=LOOPING), scof(App=CALM))
    await implement(model_rooms, "App")
    assert await model_rooms.rooms.files.read("s1", "src/App.tsx") == CALM


@pytest.mark.parametrize(
    "worse",
    [
        scof(App="export const nothing = (\n"),
        scof(App="export default () => null;\n"),  # most of it is gone
        scof(App=APP.replace("export default ", "")),
        scof(Other=APP),
        "I cannot do that.",
    ],
)
async def test_a_file_never_becomes_worse(model_rooms: ModelRooms, worse: str) -> None:
    await model_rooms.put()
    model_rooms.says(scof(App=BROKEN), worse, worse)
    await implement(model_rooms, "App")
    assert await model_rooms.rooms.files.read("s1", "src/App.tsx") == BROKEN
    assert "src/Other.tsx" not in await model_rooms.rooms.files.contents("s1")
    assert (await actions(model_rooms)).count(ActionKey.REALTIME_CODE_FIXER) == 2, "few passes, then it is left"
    assert [event["status"] for event in await model_rooms.events("file_fix")][-1] == "kept"


async def test_a_repeated_attempt_pays_neither_for_repaired_nor_for_hopeless_files(model_rooms: ModelRooms) -> None:
    await model_rooms.put()
    model_rooms.says(scof(App=BROKEN), "No.", "No.")
    await implement(model_rooms, "App", attempt=1)
    await implement(model_rooms, "App", attempt=2)
    assert len(model_rooms.prompts) == 3

    model_rooms.says(scof(Board=BROKEN), scof(Board=APP))
    await implement(model_rooms, "App", "Board", attempt=3)
    await implement(model_rooms, "App", "Board", attempt=4)
    assert len(model_rooms.prompts) == 5


async def test_a_file_left_faulty_by_a_killed_attempt_is_repaired_by_the_next(model_rooms: ModelRooms) -> None:
    await model_rooms.put()
    await model_rooms.put("phase-1/implement", App=BROKEN)
    model_rooms.says(scof(App=APP))
    await implement(model_rooms, "App", attempt=2)
    assert await model_rooms.rooms.files.read("s1", "src/App.tsx") == APP


async def test_imports_of_files_still_to_come_are_no_fault(model_rooms: ModelRooms) -> None:
    await model_rooms.put(store="export const old = 1;\n")
    app = "import { fresh } from './store';\nimport { Card } from './Card';\nexport const App = () => <Card />;\n"
    app += "export const n = fresh;\n"
    card = "export const Card = () => <p>A card</p>;\n"
    model_rooms.says(scof(App=app, store="export const old = 1;\nexport const fresh = 2;\n", Card=card))
    await implement(model_rooms, "App", "store", "Card")
    assert len(model_rooms.prompts) == 1
    assert await model_rooms.events("file_fix") == []


async def test_an_outage_of_the_fixer_leaves_the_phase_alone(model_rooms: ModelRooms) -> None:
    await model_rooms.put()
    model_rooms.says(scof(App=BROKEN), "", "")
    result = await implement(model_rooms, "App")
    assert [file.author for file in result.files] == ["model"]
