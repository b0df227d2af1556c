"""Every operation in both modes, and every kind of error really made and really mended: the sessions of `faulty` and
the recorded tour of the smart mode, all played on one stack.

What is wrong is found by the means that must find it (compiler, static check, browser, reviewer, whoever looks at
pictures, a user), and the sessions end with clean checks and the code put right.
"""

import asyncio
import io
import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image

from sandbox.settings import SandboxSettings
from schemas.session import UserMessage
from stich.demo.library import Library
from stich.demo.recording import BUILT_IN, load_all
from stich.demo.server import DemoModel
from tests.chaos.site import Run, Site, site
from tests.e2e import faults, faulty, slips
from tests.e2e.answers import Fault
from tests.e2e.faulty import Faulty
from tests.e2e.journeys.conftest import Model
from tests.replay.scenarios import TOUR_RECORDING, take_the_tour
from tests.stich.demo_server import serving

pytestmark = pytest.mark.timeout(600)

AT_ONCE = 4  # sessions: the host has few cores
PLAY_SECONDS = 300.0
TOUR = "tour"
FAULTS = [(session, mode, fault) for session, mode in faulty.PLAYED for fault in session.faults]


@pytest.fixture(scope="module")
async def played(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, Run]]:
    """All sessions, completed, by `key`; the tour as `TOUR`."""
    recordings = [*faulty.recordings(), *load_all(BUILT_IN), *load_all(TOUR_RECORDING)]
    demo = DemoModel(Library(recordings), rate=None)
    async with serving(demo.app) as url, site(tmp_path_factory.mktemp("pipeline"), Model(demo, url)) as place:
        slots = asyncio.Semaphore(AT_ONCE)
        tour = asyncio.create_task(take_the_tour(place))
        runs = await asyncio.gather(*(play(place, slots, session, mode) for session, mode in faulty.PLAYED))
        found = {key(session, mode): run for (session, mode), run in zip(faulty.PLAYED, runs, strict=True)}
        yield {**found, TOUR: await tour}


async def play(place: Site, slots: asyncio.Semaphore, session: Faulty, mode: str) -> Run:
    """Play a session to its end; where a person has to say what is wrong, say it."""
    async with slots:
        name = key(session, mode).replace(" ", "-")
        run = await place.start(session.prompt(mode), name=name, mode=mode, parallel_calls=1)
        await run.completed(PLAY_SECONDS)
        said = [
            (slips.LOGIC, slips.WRONG_TOTAL),
            (slips.MISCOUNTED, slips.COUNTS_WRONG),
        ]
        for number, text in enumerate([text for fault, text in said if fault in session.faults], 2):
            await run.handle.signal("message", UserMessage(id=f"m{number}", text=text))
            await run.reach(
                lambda p, number=number: len(p.phases) == number and p.state.name == "completed" and not p.operations,
                f"what {name} was told of is put right",
                PLAY_SECONDS,
            )
        return run


def key(session: Faulty, mode: str) -> str:
    return f"{mode} {session.name}"


async def found(run: Run) -> list[set[str]]:
    """The codes of the errors that each round of checks found, in order."""
    kept = await run.site.archive(run.id)
    reports = [json.loads(event.data)["report"] for _, event in sorted(kept.items()) if event.type == "checks"]
    return [{i["code"] for i in report["issues"] if i["severity"] == "error"} for report in reports]


async def text_of(run: Run, path: str) -> str:
    async with run.site.stich.client() as client:
        return (await client.read(run.id, path)).decode()


def asked(run: Run) -> list[str]:
    return [request.action for request in run.asked()]


@pytest.mark.parametrize(("session", "mode"), faulty.PLAYED, ids=lambda it: getattr(it, "name", it).replace(" ", "-"))
async def test_each_round_finds_what_is_wrong_and_the_last_nothing(
    played: dict[str, Run], session: Faulty, mode: str
) -> None:
    rounds = await found(played[key(session, mode)])
    for at, expected in enumerate(session.rounds):
        assert {fault.found for fault in expected} <= rounds[at], f"round {at}"
    assert not any(rounds[len(session.rounds) :])


@pytest.mark.parametrize(("session", "mode", "fault"), FAULTS, ids=lambda it: getattr(it, "name", it).replace(" ", "-"))
async def test_what_is_wrong_ends_right(played: dict[str, Run], session: Faulty, mode: str, fault: Fault) -> None:
    assert fault.mended not in session.files[fault.path]
    assert fault.mended in await text_of(played[key(session, mode)], fault.path)


# --- the deterministic mode ------------------------------------------------------------------------------------------


async def test_a_failed_edit_is_asked_for_as_a_block_then_as_the_file(played: dict[str, Run]) -> None:
    run = played["deterministic compiled"]
    assert asked(run).count("fast_code_fixer") == 3
    assert [bool(errors) for errors in await found(run)] == [True, False]


async def test_a_review_repairs_files_side_by_side_and_looks_again(played: dict[str, Run]) -> None:
    run = played["deterministic looked at"]
    actions = asked(run)
    assert actions.count("code_review") == 2 and actions.count("fast_code_fixer") == 1, "the fixer mends the title"
    assert actions.count("file_regeneration") == 3, "two files, and one block that did not fit"
    assert "[step]" in await text_of(run, faults.USE_CLOCK), "the block that fitted was kept"
    assert "1 second'" in await text_of(run, faults.CLOCK)


async def test_a_file_is_put_right_before_any_check_sees_it(played: dict[str, Run]) -> None:
    run = played["deterministic prepared"]
    assert asked(run).count("realtime_code_fixer") == 2, "one pass for each fault"
    assert (await found(run))[0] == {slips.PACKAGES.found}
    kept = await run.site.archive(run.id)
    fixes = [json.loads(event.data) for _, event in sorted(kept.items()) if event.type == "file_fix"]
    assert [(fix["status"], fix["by"]) for fix in fixes if fix["path"] == slips.LAPS][-1] == (
        "fixed",
        "model",
    )


async def test_packages_are_proposed_filtered_tried_and_repaired(played: dict[str, Run]) -> None:
    run = played["deterministic prepared"]
    assert asked(run).count("project_setup") == 2
    progress = await run.progress()
    assert progress is not None
    assert [failure.package for failure in progress.missing] == [slips.UNKNOWN]
    assert '"nanoid": "5' in await text_of(run, "package.json")
    kept = await run.site.archive(run.id)
    commands = [json.loads(event.data) for _, event in sorted(kept.items()) if event.type == "command"]
    assert ("refused", True) in {(c["status"], "curl" in c["command"]) for c in commands}


async def test_an_edit_of_a_phase_that_does_not_fit_is_asked_for_again(played: dict[str, Run], tmp_path: Path) -> None:
    run = played["deterministic prepared"]
    actions = asked(run)
    assert actions.count("phase_implementation") == 2
    assert "code_review" in actions[actions.index("phase_implementation") :], "what was asked for is reviewed"
    (tmp_path / "total.ts").write_text(await text_of(run, slips.SUM))
    (tmp_path / "run.ts").write_text("import { total } from './total'; console.log(total(2, 3))")
    bun = next(path for path in SandboxSettings(home=run.site.stich.home).tools.rglob("bun") if path.is_file())
    done = await asyncio.to_thread(
        subprocess.run, [str(bun), "run", "run.ts"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "6", done.stderr


async def test_the_debugger_finds_what_somebody_saw(played: dict[str, Run]) -> None:
    run = played["deterministic prepared"]
    progress = await run.progress()
    assert progress is not None and progress.debugged == ["m3"]
    assert asked(run).count("deep_debugger") == 3
    kept = await run.site.archive(run.id)
    assert any("Each press added two" in event.data for event in kept.values() if event.type == "message")


async def test_what_cannot_be_read_is_made_readable(played: dict[str, Run]) -> None:
    run = played["deterministic looked at"]
    rows = await run.site.sql(
        """SELECT content FROM screenshots JOIN blobs USING (sha256)
           WHERE session_id = $1 AND width = 1280 ORDER BY screenshots.created_at""",
        run.id,
    )
    darkest = [Image.open(io.BytesIO(row["content"])).convert("L").getextrema()[0] for row in rows]
    assert darkest[0] > 200, "nothing was to be read"
    assert darkest[-1] < 80


# --- the smart mode --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "session", [session for session, mode in faulty.PLAYED if mode == "smart"], ids=lambda s: s.name
)
async def test_the_builder_is_told_and_mends_it(played: dict[str, Run], session: Faulty) -> None:
    run = played[key(session, "smart")]
    actions = asked(run)
    spoken = sum("smart" in fault.talk for fault in session.faults)
    assert actions.count("smart_builder") == 1 + len(session.rounds) + spoken, "wrong at first, then a turn for each"
    assert actions.count("fast_code_fixer") == actions.count("file_regeneration") == 0
    assert (await text_of(run, "README.md")).startswith(f"# {session.name}")


async def results(tour: Run) -> dict[str, str]:
    """What each call came to, by its id."""
    rows = await tour.site.sql(
        "SELECT message->>'tool_call_id' AS id, message::text AS said FROM transcripts WHERE session_id = $1", tour.id
    )
    return {row["id"]: row["said"] for row in rows if row["id"] is not None}


async def test_every_tool_did_what_it_says(played: dict[str, Run]) -> None:
    said = await results(played[TOUR])
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


async def test_the_wrong_code_ends_right(played: dict[str, Run]) -> None:
    tour = played[TOUR]
    progress = await tour.progress()
    assert progress is not None
    assert [phase.status for phase in progress.phases] == ["completed", "completed"]
    assert all(phase.checks is not None and phase.checks.ok for phase in progress.phases)
    assert "String(count)" in await text_of(tour, "src/App.tsx")
    assert "bg-teal-700" in await text_of(tour, "src/App.tsx") and "text-base" in await text_of(tour, "src/App.tsx")
    assert "value + 1" in await text_of(tour, "src/useTally.ts")
    assert "src/scratch.ts" not in [entry.path for entry in progress.files]
    assert progress.blueprint is not None and progress.blueprint.colour_palette == ["#0f766e"]
    assert progress.title == "Tally"
    assert (await text_of(tour, "README.md")).startswith("# Tally\n\nA tally of the things on a desk.")
    assert progress.debugged == ["m2"]


async def test_the_picture_went_to_the_model(played: dict[str, Run]) -> None:
    assert '"stored:' in (await results(played[TOUR]))["t_shot"]


async def test_watchers_saw_files_commands_questions_and_diagnosis(played: dict[str, Run]) -> None:
    tour = played[TOUR]
    kept = await tour.site.archive(tour.id)
    text = "\n".join(event.data for _, event in sorted(kept.items()))
    assert {"file_generating", "command", "blueprint", "checks", "preview", "conversation_delta"} <= {
        event.type for event in kept.values()
    }
    for sentence in ("Which colour should the button have?", "adds one to the newest", "grep -rn useTally src"):
        assert sentence in text
