"""Recording a session through the proxy, and playing what was recorded."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stich.demo.record import Recorder
from stich.demo.recording import load
from tests.stich.demo_server import COUNTER, ask, demo, question, read_stream, serving

KEY = "sk-test-a1b2c3d4e5f6"
PHASE = '<phase id="phase-1">'


@asynccontextmanager
async def recording_from(upstream: str, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client whose calls go to `upstream` through a recorder."""
    async with httpx.AsyncClient(timeout=20) as outgoing:
        app = Recorder(folder, upstream, outgoing).app
        async with serving(app) as url, httpx.AsyncClient(base_url=url, timeout=20) as client:
            client.headers["authorization"] = f"Bearer {KEY}"
            yield client


async def test_what_is_recorded_plays_the_same_again(tmp_path: Path) -> None:
    questions = [
        question("template_selection", COUNTER, stream=False),
        question("blueprint", COUNTER),
        question("first_phase_implementation", COUNTER, PHASE),
        question("smart_builder", COUNTER),
        question("conversation", COUNTER, "<user_message>what can you do?</user_message>"),
    ]
    async with demo() as (_, real):
        straight = [(await real.post(**post)).text for post in questions]
        async with recording_from(str(real.base_url), tmp_path / "new") as client:
            through = [(await client.post(**post)).text for post in questions]
            assert "demo" in (await client.get("/models")).text
    async with demo(tmp_path / "new") as (_, played):
        again = [(await played.post(**post)).text for post in questions]
    assert _plain(straight) == _plain(through) == _plain(again)
    assert load(tmp_path / "new").example_prompt == "Build a simple counter app"
    assert all(KEY not in path.read_text() for path in (tmp_path / "new").iterdir())


async def test_changed_prompts_are_matched_by_condition_and_by_order(tmp_path: Path) -> None:
    async with demo() as (_, real), recording_from(str(real.base_url), tmp_path / "new") as client:
        await ask(client, "first_phase_implementation", COUNTER, PHASE)
        await ask(client, "conversation", COUNTER, "<user_message>what are you doing?</user_message>")
        await ask(client, "blueprint", COUNTER)
    async with demo(tmp_path / "new") as (_, played):
        assert "useCounter" in (await ask(played, "first_phase_implementation", "changed", COUNTER, PHASE)).text
        assert (
            "one phase"
            in (await ask(played, "conversation", COUNTER, "<user_message>what are you doing?</user_message> x")).text
        )
        # the recorded blueprint has no condition but its turn: the first request gets it, its retry too, the next none
        first = await ask(played, "blueprint", "changed", COUNTER)
        assert json.loads(first.text)["title"] == "Counter"
        assert (await ask(played, "blueprint", "changed", COUNTER)).text == first.text
        assert (await played.post(**question("blueprint", "changed again", COUNTER))).status_code == 404


async def test_several_answers_of_one_phase_play_in_their_order(tmp_path: Path) -> None:
    answers = iter(["first fix", "second fix"])

    async def provider(_: Request) -> Response:
        message = {"role": "assistant", "content": next(answers)}
        return Response(json.dumps({"choices": [{"message": message, "finish_reason": "stop"}]}))

    app = Starlette(routes=[Route("/v1/chat/completions", provider, methods=["POST"])])
    async with serving(app) as url, recording_from(url, tmp_path / "new") as client:
        for errors in ("TS1", "TS2"):
            await client.post(**question("fast_code_fixer", COUNTER, PHASE, errors, stream=False))
    async with demo(tmp_path / "new") as (_, played):
        texts = [(await ask(played, "fast_code_fixer", COUNTER, PHASE, e)).text for e in ("x", "y", "x", "z")]
    assert texts == ["first fix", "second fix", "first fix", "second fix"]


async def test_what_broke_or_leaked_is_not_recorded(tmp_path: Path) -> None:
    faults: list[dict[str, Any]] = [
        {"action": "blueprint", "calls": [1], "fault": {"kind": "cut", "after_chars": 50}},
        {"action": "blueprint", "calls": [2], "fault": {"kind": "end_early", "after_chars": 50}},
        {"action": "blueprint", "calls": [3], "fault": {"kind": "status", "status": 401, "message": f"bad key {KEY}"}},
        {
            "action": "blueprint",
            "calls": [4],
            "fault": {"kind": "status", "status": 429, "headers": {"retry-after": "3"}, "message": f"slow, {KEY}"},
        },
    ]
    new = tmp_path / "new"
    async with demo(faults=faults) as (_, real), recording_from(str(real.base_url), new) as client:
        try:
            await client.post(**question("blueprint", COUNTER))
            raise AssertionError("the cut did not reach the client")
        except httpx.RemoteProtocolError:
            pass
        await client.post(**question("blueprint", COUNTER))
        assert (await client.post(**question("blueprint", COUNTER))).json()["error"]["message"] == f"bad key {KEY}"
        assert not (new / "recording.json").exists()
        assert (await client.post(**question("blueprint", COUNTER))).headers["retry-after"] == "3"
        error = load(new).exchanges[0].reply.error
        assert error is not None and (error.status, error.message, error.headers) == (
            429,
            "slow, [key]",
            {"retry-after": "3"},
        )
        good = await ask(client, "blueprint", COUNTER)
    assert [exchange.reply.text for exchange in load(new).exchanges] == [good.text]


async def test_an_unreachable_provider_is_named(tmp_path: Path) -> None:
    async with recording_from("http://127.0.0.1:9/v1", tmp_path / "new") as client:
        answer = await client.post(**question("blueprint", COUNTER))
    assert answer.status_code == 502
    assert "127.0.0.1 cannot be reached" in answer.json()["error"]["message"]


def test_a_folder_with_a_recording_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "recording.json").write_text("{}")
    command = [sys.executable, "-m", "stich.demo.record", "--to", str(tmp_path), "--upstream", "http://127.0.0.1:9/v1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stderr) == (
        2,
        f"stich record: {tmp_path} holds a recording already; give a new folder\n",
    )


def _plain(bodies: list[str]) -> list[object]:
    """What was said, without ids and times."""
    plain: list[object] = []
    for body in bodies:
        if body.startswith("{"):
            answer = json.loads(body)
            plain.append((answer["choices"], answer["usage"]))
        else:
            plain.append(vars(read_stream(body)))
    return plain
