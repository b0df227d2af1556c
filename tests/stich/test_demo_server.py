"""The demo model over real HTTP: protocol, pace, refusals, tool calls, and what happens when a client leaves."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from stich.demo.playback import pace
from stich.demo.server import DemoModel
from tests.stich.demo_server import COUNTER, ask, demo, last_request, question, read_stream

Calm = tuple[DemoModel, httpx.AsyncClient]


@pytest_asyncio.fixture(scope="module")
async def calm() -> AsyncIterator[Calm]:
    """One server without delay or faults for all tests that need nothing else."""
    async with demo() as served:
        yield served


async def test_streams_a_recorded_answer_with_finish_reason_and_usage(calm: Calm) -> None:
    _, client = calm
    answer = await ask(client, "blueprint", COUNTER)
    assert json.loads(answer.text)["title"] == "Counter"
    assert (answer.finish, answer.done) == ("stop", True)
    assert answer.usage["completion_tokens"] == pytest.approx(len(answer.text) / 4, abs=1)
    assert answer.usage["total_tokens"] == answer.usage["prompt_tokens"] + answer.usage["completion_tokens"]


async def test_answers_whole_when_no_stream_is_asked_for(calm: Calm) -> None:
    _, client = calm
    streamed = await ask(client, "blueprint", COUNTER)
    whole = (await client.post(**question("blueprint", COUNTER, stream=False))).json()
    assert whole["object"] == "chat.completion"
    assert whole["choices"][0]["message"]["content"] == streamed.text
    assert whole["usage"] == streamed.usage


async def test_no_usage_chunk_unless_asked_for(calm: Calm) -> None:
    _, client = calm
    answer = await ask(client, "blueprint", COUNTER, stream_options={"include_usage": False})
    assert (answer.finish, answer.usage) == ("stop", {})


async def test_long_instructions_count_as_cached(calm: Calm) -> None:
    _, client = calm
    post = question("blueprint", COUNTER, stream=False)
    post["json"]["messages"][0]["content"] = "rule " * 2000
    usage = (await client.post(**post)).json()["usage"]
    assert 1024 <= usage["prompt_tokens_details"]["cached_tokens"] < usage["prompt_tokens"]


async def test_stops_at_the_token_limit_with_reason_length(calm: Calm) -> None:
    _, client = calm
    answer = await ask(client, "first_phase_implementation", COUNTER, '<phase id="phase-1">', max_tokens=50)
    assert answer.finish == "length"
    assert len(answer.text) == 200
    assert answer.usage["completion_tokens"] == 50


async def test_goes_on_with_an_answer_that_it_is_handed(calm: Calm) -> None:
    _, client = calm
    whole = (await ask(client, "first_phase_implementation", COUNTER, '<phase id="phase-1">')).text
    post = question("first_phase_implementation", COUNTER, '<phase id="phase-1">')
    post["json"]["messages"].append({"role": "assistant", "content": whole[:200]})
    assert read_stream((await client.post(**post)).text).text == whole[200:]
    post["json"]["messages"][-1]["content"] = "Sure! " + whole[:200]
    assert (await client.post(**post)).status_code == 400


async def test_plays_the_tool_calls_of_a_smart_session_one_after_the_other(calm: Calm) -> None:
    _, client = calm
    post = question("smart_builder", COUNTER)
    called: list[str] = []
    for _ in range(10):
        answer_text = (await client.post(**post)).text
        answer = read_stream(answer_text)
        if not answer.tool_calls:
            break
        assert answer.finish == "tool_calls"
        call = answer.tool_calls[0]
        json.loads(call["arguments"])
        called.append(call["name"])
        post["json"]["messages"] += [
            {"role": "assistant", "content": answer.text, "tool_calls": [{"id": call["id"], "type": "function"}]},
            {"role": "tool", "tool_call_id": call["id"], "content": "ok"},
        ]
    assert called == ["list_files", "write_file", "write_file", "run_checks", "complete"]


async def test_says_plainly_what_it_has_when_it_has_no_recording(calm: Calm) -> None:
    _, client = calm
    refused = await client.post(**question("blueprint", "<request>Build a chess engine</request>"))
    error = refused.json()["error"]
    assert (refused.status_code, error["code"]) == (404, "demo_no_recording")
    assert "counter app" in error["message"]
    spoken = await ask(client, "conversation", COUNTER, "<user_message>paint it purple</user_message>")
    assert "demo model" in spoken.text and spoken.finish == "stop"


async def test_leaves_out_the_files_that_are_already_written(calm: Calm) -> None:
    _, client = calm
    written = "<already_written>\nsrc/useCounter.ts\n</already_written>"
    answer = await ask(client, "first_phase_implementation", COUNTER, '<phase id="phase-1">', written)
    assert "src/useCounter.ts" not in answer.text
    assert "cat > src/App.tsx << 'EOF'" in answer.text


async def test_infers_the_action_of_a_client_that_does_not_name_it(calm: Calm) -> None:
    model, client = calm
    post = question("", "hello, what is this?")
    del post["headers"]
    assert (await client.post(**post)).status_code == 200
    assert model.log.all()[-1].action == "conversation"
    post["json"]["messages"][-1]["content"] = f"{COUNTER}\nJSON with project_type"
    assert "react-vite" in (await client.post(**post)).text


async def test_lists_its_model(calm: Calm) -> None:
    _, client = calm
    assert [model["id"] for model in (await client.get("/models")).json()["data"]] == ["demo"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"model":"demo"}', b'{"model":"demo","messages":[]}', b'{"model":"demo","messages":7}']
)
async def test_refuses_a_malformed_request_in_the_protocols_own_form(body: bytes, calm: Calm) -> None:
    _, client = calm
    answer = await client.post("/chat/completions", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


async def test_streams_at_the_pace_it_is_given() -> None:
    async with demo(rate=1000.0) as (_, client):
        began = time.monotonic()
        answer = await ask(client, "blueprint", COUNTER)
        took = time.monotonic() - began
        expected = (len(answer.text) / 4 + 32) / 1000
        assert expected * 0.8 < took < expected * 2 + 3  # what is above the pace is the machine's load


async def test_logs_within_a_second_that_the_client_left() -> None:
    async with demo(rate=80.0) as (model, client):
        async with client.stream(
            "POST", **question("first_phase_implementation", COUNTER, '<phase id="phase-1">')
        ) as r:
            async for _ in r.aiter_bytes():
                break
        entry = await last_request(model)
        assert entry.outcome == "aborted"
        assert entry.characters < 400


async def test_notices_a_client_that_leaves_before_the_answer_to_an_unstreamed_request() -> None:
    async with demo(rate=80.0) as (model, client):
        with pytest.raises(httpx.ReadTimeout):
            await client.post(**question("blueprint", COUNTER, stream=False), timeout=0.2)
        assert (await last_request(model)).outcome == "aborted"


def test_pace_of_speed_values() -> None:
    assert pace("1") == 80.0
    assert pace("2.5") == 200.0
    assert pace("0") is None
    assert pace("0.0") is None
    assert pace("Instant") is None
    for wrong in ("", "fast", "-1", "nan", "inf"):
        with pytest.raises(ValueError, match="STICH_DEMO_SPEED"):
            pace(wrong)


def test_runs_as_a_process_and_announces_its_port(tmp_path: Path) -> None:
    port_file = tmp_path / "port"
    command = [sys.executable, "-m", "stich.demo", "--port", "0", "--port-file", str(port_file)]
    process = subprocess.Popen(command, env={**os.environ, "STICH_DEMO_SPEED": "instant"}, stdout=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 20
        while not port_file.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        url = f"http://127.0.0.1:{port_file.read_text().strip()}"
        assert "Counter" in httpx.get(f"{url}/healthz").json()["recordings"]
        assert httpx.get(f"{url}/__control/requests").status_code == 404
        post = question("blueprint", COUNTER, stream=False)
        assert httpx.post(url + "/v1" + post.pop("url"), **post).status_code == 200
        process.send_signal(signal.SIGTERM)
        process.wait(5)
        assert not port_file.exists()
    finally:
        process.kill()
        process.wait()


def test_unusable_arguments_end_with_one_sentence(tmp_path: Path) -> None:
    def run(*arguments: str, speed: str = "1") -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "stich.demo", *arguments],
            env={**os.environ, "STICH_DEMO_SPEED": speed},
            capture_output=True,
            text=True,
            timeout=20,
        )
        return done.returncode, done.stderr

    assert run("--recordings", str(tmp_path)) == (
        2,
        f"stich demo: {tmp_path}: no recording.json here, nor in a folder below\n",
    )
    assert run(speed="fast") == (
        2,
        "stich demo: STICH_DEMO_SPEED must be a number from 0 up or 'instant', not 'fast'\n",
    )
