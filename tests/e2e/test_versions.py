"""A person edits a file while it is written, goes back to a version, and goes on from one in another session."""

import asyncio
import hashlib
import uuid

import httpx
import pytest

from schemas.events import FileGenerating
from schemas.http import CreateSession, PostMessage
from stich.client import Sequenced, StichClient
from stich.home import RunningUp
from tests.e2e.conftest import MakeUp
from tests.stich.demo_server import demo

PROMPT = "Build a simple counter app with plus and minus buttons"
APP = "src/App.tsx"
NOTE = "// mine\n"
WHILE_IT_IS_WRITTEN = {
    "action": "first_phase_implementation",
    "calls": [1],
    "fault": {"kind": "stall", "after_chars": 1_300, "seconds": 6},
}
"""The model holds still within the text of APP: nothing else waits for anything."""
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8cfc000000301010018dd8db0"
    "0000000049454e44ae426082"
)


@pytest.mark.timeout(300)
async def test_an_edit_during_the_work_a_restore_and_a_fork(make_up: MakeUp) -> None:
    async with demo(faults=[WHILE_IT_IS_WRITTEN]) as (_, model):
        up = make_up(STICH_DEMO_URL=str(model.base_url), STICH_MODEL="demo/demo", STICH_API_PROCESSES="1")
        running = await asyncio.to_thread(up.wait_ready)
        await edited_restored_and_forked(running)


async def edited_restored_and_forked(running: RunningUp) -> None:
    async with StichClient(running.local_url, running.token, patience=30) as client:
        image = await client.history.upload(PNG, "image/png")
        wanted = CreateSession(prompt=PROMPT, template="react-vite", image_ids=[image.id])
        session = (await client.start(wanted, uuid.uuid4().hex)).id
        edited = False
        async with asyncio.timeout(180):
            async for item in client.follow(session):
                if not isinstance(item, Sequenced):
                    continue
                if isinstance(item.event, FileGenerating) and item.event.path == APP and not edited:
                    # The model writes the file anew, from the template's text; somebody adds a line to that meanwhile.
                    text = await read(running.local_url, running.token, session, APP)
                    assert (await client.history.write(session, APP, text + NOTE, sha(text))).outcome == "saved"
                    edited = True
                if item.raw["type"] == "session_state" and item.raw["state"]["name"] in ("completed", "failed"):
                    break
        snapshot = await client.snapshot(session)
        assert edited and snapshot.progress.state.name == "completed", snapshot.progress.state.reason
        assert snapshot.progress.images == [image]
        assert snapshot.conflicts == []
        written = await read(running.local_url, running.token, session, APP)
        assert written.endswith(NOTE) and "useCounter" in written

        history = (await client.history.versions(session)).versions
        assert {"template", "model", "user"} <= {version.author for version in history}
        assert [version.parent for version in history[:-1]] == [version.version for version in history[1:]]
        template = history[-1]
        difference = await client.history.diff(session, template.version)
        assert APP in [file.path for file in difference.files]

        restored = await client.history.restore(session, template.version)
        assert restored.version is not None
        assert (await client.history.diff(session, template.version)).files == []
        await client.history.restore(session, history[0].version)
        assert (await client.history.diff(session, history[0].version)).files == []
        await client.history.check(session)
        await rests(client, session)
        assert (await client.snapshot(session)).progress.state.name == "completed"

        key = uuid.uuid4().hex
        fork = await client.history.fork(session, template.version, key)
        assert fork == await client.history.fork(session, template.version, key)
        progress = await client.wait(fork.id)
        assert progress.state.name == "completed", progress.state.reason
        assert progress.forked_from is not None and progress.forked_from.session_id == session
        files = {file.path: file.sha256 for file in (await client.files(fork.id)).files}
        done = {file.path: file.sha256 for file in (await client.files(session)).files}
        assert files["src/useCounter.ts"] == done["src/useCounter.ts"]
        assert files[APP] != done[APP]  # the edit came after the version

        before = (await client.history.versions(session)).versions[0].version
        retried = await client.history.retry_phase(session, "phase-1")
        assert retried.discarded == ["phase-1"] and retried.version is not None and retried.phase_id == "phase-1r1"
        done_again = await client.wait(session)
        assert done_again.state.name == "completed", done_again.state.reason
        assert [phase.id for phase in done_again.phases] == ["phase-1r1"]
        again = await read(running.local_url, running.token, session, APP)
        assert "useCounter" in again and NOTE not in again  # the edit came after the phase had begun
        old = await read(running.local_url, running.token, session, APP, before)
        assert old == written  # and what there was is kept

        said = await client.message(fork.id, PostMessage(text="What is this?"))
        assert said.id


async def rests(client: StichClient, session: str) -> None:
    """Wait until a check that was asked for is over."""
    async with asyncio.timeout(90):
        while True:
            progress = (await client.snapshot(session)).progress
            if progress.state.name in ("completed", "failed") and not progress.operations:
                return
            await asyncio.sleep(0.2)


async def read(url: str, token: str, session: str, path: str, version: int | None = None) -> str:
    async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {token}"}, trust_env=False) as http:
        at = {} if version is None else {"version": version}
        answer = await http.get(f"/api/sessions/{session}/files/{path}", params=at)
        return answer.text if answer.status_code == 200 else ""


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
