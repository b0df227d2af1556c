"""Every kind of error, really made and really mended: the sessions of `faulty`, all played on one stack.

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
from stich.demo.server import DemoModel
from tests.chaos.site import Run, site
from tests.e2e import faulty, faulty_smart, faulty_steps
from tests.e2e.faulty import Faulty
from tests.e2e.journeys.conftest import Model
from tests.stich.demo_server import serving

pytestmark = pytest.mark.timeout(600)

DETERMINISTIC = (*faulty.SESSIONS, *faulty_steps.SESSIONS)
PLAYED = [
    *((session, "deterministic") for session in DETERMINISTIC),
    *((session, "smart") for session in faulty_smart.SESSIONS),
]
AT_ONCE = 4  # sessions: the host has few cores
PLAY_SECONDS = 300.0


@pytest.fixture(scope="module")
async def played(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, Run]]:
    """All sessions, completed; those of the smart mode under the name with `smart` before it."""
    recordings = [session.recording() for session in DETERMINISTIC]
    recordings += [faulty_smart.recording(session) for session in faulty_smart.SESSIONS]
    demo = DemoModel(Library(recordings), rate=None)
    async with serving(demo.app) as url:
        model = Model(demo, url)
        async with site(tmp_path_factory.mktemp("faulty"), model) as place:
            slots = asyncio.Semaphore(AT_ONCE)

            async def play(session: Faulty, mode: str) -> Run:
                prompt = faulty_smart.prompt(session) if mode == "smart" else session.prompt
                async with slots:
                    name = f"{mode}-{session.name}".replace(" ", "-")
                    run = await place.start(prompt, name=name, mode=mode, parallel_calls=1)
                    await run.completed(PLAY_SECONDS)
                    if session is faulty.LOGIC:
                        await run.handle.signal("message", UserMessage(id="m1", text=faulty.COMPLAINT))
                        await run.reach(
                            lambda p: len(p.phases) == 2 and p.state.name == "completed",
                            "it is put right",
                            PLAY_SECONDS,
                        )
                    return run

            runs = await asyncio.gather(*(play(session, mode) for session, mode in PLAYED))
            yield {key(session, mode): run for (session, mode), run in zip(PLAYED, runs, strict=True)}


def key(session: Faulty, mode: str) -> str:
    return session.name if mode == "deterministic" else f"smart {session.name}"


async def found(run: Run) -> list[set[str]]:
    """The codes of the errors that each round of checks found, in order."""
    kept = await run.site.archive(run.id)
    reports = [json.loads(event.data)["report"] for _, event in sorted(kept.items()) if event.type == "checks"]
    return [{i["code"] for i in report["issues"] if i["severity"] == "error"} for report in reports]


async def text_of(run: Run, path: str) -> str:
    async with run.site.stich.client() as client:
        return (await client.read(run.id, path)).decode()


@pytest.mark.parametrize(("session", "mode"), PLAYED, ids=lambda it: getattr(it, "name", it).replace(" ", "-"))
async def test_what_is_wrong_is_found_and_ends_right(played: dict[str, Run], session: Faulty, mode: str) -> None:
    run = played[key(session, mode)]
    rounds = await found(run)
    if session.found:
        assert session.found in rounds[0]
    assert rounds[-1] == set()
    assert session.mended in await text_of(run, session.path)
    assert session.mended not in session.files[session.path]


async def test_a_review_repairs_files_side_by_side_and_looks_again(played: dict[str, Run]) -> None:
    run = played[faulty.DEPENDENCY.name]
    actions = [request.action for request in run.asked()]
    assert actions.count("code_review") == 2 and actions.count("fast_code_fixer") == 0
    assert actions.count("file_regeneration") == 3, "two files, and one block that did not fit"
    clock = await text_of(run, "src/useClock.ts")
    assert "[step]" in clock, "the block that fitted was kept"
    assert "1 second'" in await text_of(run, "src/App.tsx")


async def test_an_edit_of_a_phase_that_does_not_fit_is_asked_for_again(played: dict[str, Run], tmp_path: Path) -> None:
    run = played[faulty.LOGIC.name]
    actions = [request.action for request in run.asked()]
    assert actions.count("phase_implementation") == 2
    assert "code_review" in actions[actions.index("phase_implementation") :], "what was asked for is reviewed"
    (tmp_path / "total.ts").write_text(await text_of(run, faulty.SUM))
    (tmp_path / "run.ts").write_text("import { total } from './total'; console.log(total(2, 3))")
    bun = next(path for path in SandboxSettings(home=run.site.stich.home).tools.rglob("bun") if path.is_file())
    done = await asyncio.to_thread(
        subprocess.run, [str(bun), "run", "run.ts"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "6", done.stderr


async def test_a_file_is_put_right_before_any_check_sees_it(played: dict[str, Run]) -> None:
    run = played[faulty_steps.REALTIME.name]
    actions = [request.action for request in run.asked()]
    assert actions.count("realtime_code_fixer") == 2, "one pass for each fault"
    assert "fast_code_fixer" not in actions and await found(run) == [set()]
    kept = await run.site.archive(run.id)
    fixes = [json.loads(event.data) for _, event in sorted(kept.items()) if event.type == "file_fix"]
    assert [(fix["status"], fix["by"]) for fix in fixes][-1] == ("fixed", "model")


async def test_a_failed_edit_is_asked_for_as_a_block_then_as_the_file(played: dict[str, Run]) -> None:
    run = played[faulty_steps.STUBBORN.name]
    asked = [request.action for request in run.asked()]
    assert asked.count("fast_code_fixer") == 3
    assert [bool(errors) for errors in await found(run)] == [True, False]


async def test_packages_are_proposed_filtered_tried_and_repaired(played: dict[str, Run]) -> None:
    run = played[faulty_steps.PACKAGES.name]
    assert [request.action for request in run.asked()].count("project_setup") == 2
    progress = await run.progress()
    assert progress is not None
    assert [failure.package for failure in progress.missing] == [faulty_steps.UNKNOWN]
    assert '"nanoid": "5' in await text_of(run, "package.json")
    kept = await run.site.archive(run.id)
    commands = [json.loads(event.data) for _, event in sorted(kept.items()) if event.type == "command"]
    assert ("refused", True) in {(c["status"], "curl" in c["command"]) for c in commands}


@pytest.mark.parametrize("session", faulty_smart.SESSIONS, ids=lambda it: it.name.replace(" ", "-"))
async def test_the_builder_is_told_and_mends_it(played: dict[str, Run], session: Faulty) -> None:
    run = played[key(session, "smart")]
    actions = [request.action for request in run.asked()]
    turns = actions.count("smart_builder")
    assert turns == 2, "one in which it was wrong, one in which it was mended"
    assert actions.count("fast_code_fixer") == actions.count("file_regeneration") == 0
    assert (await text_of(run, "README.md")).startswith(f"# {session.name}")


async def test_what_cannot_be_read_is_made_readable(played: dict[str, Run]) -> None:
    run = played[faulty.UNSEEN.name]
    rows = await run.site.sql(
        """SELECT content FROM screenshots JOIN blobs USING (sha256)
           WHERE session_id = $1 AND width = 1280 ORDER BY screenshots.created_at""",
        run.id,
    )
    darkest = [Image.open(io.BytesIO(row["content"])).convert("L").getextrema()[0] for row in rows]
    assert darkest[0] > 200, "nothing was to be seen"
    assert darkest[-1] < 80
