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
from tests.e2e import faulty
from tests.e2e.faulty import Faulty
from tests.e2e.journeys.conftest import Model
from tests.stich.demo_server import serving

pytestmark = pytest.mark.timeout(600)

AT_ONCE = 4  # sessions: the host has few cores
PLAY_SECONDS = 300.0


@pytest.fixture(scope="module")
async def played(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, Run]]:
    """All sessions, completed."""
    demo = DemoModel(Library([session.recording() for session in faulty.SESSIONS]), rate=None)
    async with serving(demo.app) as url:
        model = Model(demo, url)
        async with site(tmp_path_factory.mktemp("faulty"), model) as place:
            slots = asyncio.Semaphore(AT_ONCE)

            async def play(session: Faulty) -> Run:
                async with slots:
                    run = await place.start(session.prompt, name=session.name.replace(" ", "-"), parallel_calls=1)
                    await run.completed(PLAY_SECONDS)
                    if session is faulty.LOGIC:
                        await run.handle.signal("message", UserMessage(id="m1", text=faulty.COMPLAINT))
                        await run.reach(
                            lambda p: len(p.phases) == 2 and p.state.name == "completed",
                            "it is put right",
                            PLAY_SECONDS,
                        )
                    return run

            runs = await asyncio.gather(*(play(session) for session in faulty.SESSIONS))
            yield {session.name: run for session, run in zip(faulty.SESSIONS, runs, strict=True)}


async def found(run: Run) -> list[set[str]]:
    """The codes of the errors that each round of checks found, in order."""
    kept = await run.site.archive(run.id)
    reports = [json.loads(event.data)["report"] for _, event in sorted(kept.items()) if event.type == "checks"]
    return [{i["code"] for i in report["issues"] if i["severity"] == "error"} for report in reports]


async def text_of(run: Run, path: str) -> str:
    async with run.site.stich.client() as client:
        return (await client.read(run.id, path)).decode()


@pytest.mark.parametrize("session", faulty.SESSIONS, ids=lambda session: session.name.replace(" ", "-"))
async def test_what_is_wrong_is_found_and_ends_right(played: dict[str, Run], session: Faulty) -> None:
    run = played[session.name]
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
