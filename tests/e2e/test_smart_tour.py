"""Smart mode with every tool and with the debugger, on a whole stich, as the recorded tour plays it."""

from collections.abc import AsyncIterator

import pytest

from stich.demo.recording import BUILT_IN
from tests.chaos.site import Run, site
from tests.e2e.journeys.conftest import Model
from tests.replay.scenarios import TOUR_RECORDING, take_the_tour
from tests.stich.demo_server import demo


@pytest.fixture(scope="module")
async def tour(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Run]:
    async with demo(BUILT_IN, TOUR_RECORDING) as (server, client):
        model = Model(server, str(client.base_url).rstrip("/"))
        async with site(tmp_path_factory.mktemp("tour"), model) as place:
            yield await take_the_tour(place)


async def results(tour: Run) -> dict[str, str]:
    """What each call came to, by its id."""
    rows = await tour.site.sql(
        "SELECT message->>'tool_call_id' AS id, message::text AS said FROM transcripts WHERE session_id = $1", tour.id
    )
    return {row["id"]: row["said"] for row in rows if row["id"] is not None}


async def file(tour: Run, path: str) -> str:
    async with tour.site.stich.client() as client:
        return (await client.read(tour.id, path)).decode()


async def test_every_tool_did_what_it_says(tour: Run) -> None:
    said = await results(tour)
    for call, expected in {
        "t_plan": "kept and shown", "t_list": "src/App.tsx", "t_bluep": "Tally", "t_generate": "Written:",
        "t_check": "TS2322", "t_read": "label: string", "t_search": "src/App.tsx:5", "t_edit": "Edited",
        "t_write": "Wrote", "t_delete": "Deleted", "t_versions": "by model", "t_diff": "useTally",
        "t_wrong": "There is no file", "t_check2": "The checks are clean", "t_command": "ended with status 0",
        "t_preview": "ready at http", "t_logs": "no runtime errors", "t_shot": "Nothing goes wrong in the page",
        "t_review": "The button has no hover state", "t_mend": "is mended",
        "t_ask": "The answer follows", "t_change": "kept and shown", "t_fetch": "may not be used",
        "t_teal": "Edited", "t_complete": "Done",
    }.items():  # fmt: skip
        assert expected in said[call], call


async def test_the_wrong_code_ends_right(tour: Run) -> None:
    progress = await tour.progress()
    assert progress is not None
    assert [phase.status for phase in progress.phases] == ["completed", "completed"]
    assert all(phase.checks is not None and phase.checks.ok for phase in progress.phases)
    assert "String(count)" in await file(tour, "src/App.tsx")
    assert "bg-teal-700" in await file(tour, "src/App.tsx") and "text-base" in await file(tour, "src/App.tsx")
    assert "value + 1" in await file(tour, "src/useTally.ts")
    assert "src/scratch.ts" not in [entry.path for entry in progress.files]
    assert progress.blueprint is not None and progress.blueprint.colour_palette == ["#0f766e"]
    assert progress.title == "Tally"
    assert (await file(tour, "README.md")).startswith("# Tally\n\nA tally of the things on a desk.")
    assert progress.debugged == ["m2"]


async def test_the_picture_went_to_the_model(tour: Run) -> None:
    assert '"stored:' in (await results(tour))["t_shot"]


async def test_watchers_saw_files_commands_questions_and_diagnosis(tour: Run) -> None:
    kept = await tour.site.archive(tour.id)
    text = "\n".join(event.data for _, event in sorted(kept.items()))
    assert {"file_generating", "command", "blueprint", "checks", "preview", "conversation_delta"} <= {
        event.type for event in kept.values()
    }
    for sentence in ("Which colour should the button have?", "adds one to the newest", "grep -rn useTally src"):
        assert sentence in text
