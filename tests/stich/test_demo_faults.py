"""Misbehaviour the demo model shows on demand, seen by a client, and the log it leaves."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from inference import Inference
from inference.errors import InferenceError
from inference.settings import InferenceSettings, ProviderSettings
from schemas.inference import ActionKey, Delta, Message, ModelCall, TextDelta
from stich.demo.faults import FaultsInvalid, read_faults
from tests.stich.demo_server import COUNTER, ask, demo, last_request, question, read_stream

PHASE = '<phase id="phase-1">'
ACTION = "first_phase_implementation"


def rule(calls: object = None, action: str = ACTION, session: str | None = None, **fault: Any) -> dict[str, Any]:
    return {"action": action, "calls": calls or [1], "session": session, "fault": fault}


async def test_a_status_hits_the_calls_it_is_meant_for() -> None:
    headers = {"Retry-After": "7"}
    faults = [rule([2], kind="status", status=429, headers=headers, code="rate_limit_exceeded", message="slow down")]
    async with demo(faults=faults) as (model, client):
        answers = [await client.post(**question(ACTION, COUNTER, PHASE)) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 429, 200]
        assert answers[1].headers["retry-after"] == "7"
        assert answers[1].json()["error"] | {"param": None} == {
            "message": "slow down",
            "type": "invalid_request_error",
            "param": None,
            "code": "rate_limit_exceeded",
        }
        assert [entry.outcome for entry in model.log.all()] == ["completed", "refused", "completed"]
        assert [entry.fault for entry in model.log.all()] == [None, "status", None]


async def test_counts_sessions_and_actions_apart() -> None:
    faults = [rule("every", session="ill", kind="status", status=503), rule([1], action="*", kind="status", status=500)]
    async with demo(faults=faults) as (_, client):

        async def status(action: str, session: str) -> int:
            return (await client.post(**question(action, COUNTER, PHASE, session=session))).status_code

        assert await status("blueprint", "well") == 500
        assert await status(ACTION, "well") == 200
        assert [await status(ACTION, "ill") for _ in range(3)] == [503, 503, 503]
        assert await status("blueprint", "ill") == 200


async def test_a_cut_connection_is_seen_as_one() -> None:
    async with demo(faults=[rule(kind="cut", after_chars=100)]) as (model, client):
        with pytest.raises(httpx.RemoteProtocolError):
            await client.post(**question(ACTION, COUNTER, PHASE))
        entry = model.log.all()[-1]
        assert (entry.outcome, entry.characters >= 100) == ("broken", True)
        assert (await ask(client, ACTION, COUNTER, PHASE)).done  # the next call is well


async def test_a_cut_of_an_unstreamed_answer_is_seen_as_one() -> None:
    async with demo(faults=[rule(kind="cut")]) as (_, client):
        with pytest.raises(httpx.RemoteProtocolError):
            await client.post(**question(ACTION, COUNTER, PHASE, stream=False))


async def test_an_early_end_has_no_finish_reason() -> None:
    async with demo(faults=[rule(kind="end_early", after_chars=100)]) as (_, client):
        answer = await ask(client, ACTION, COUNTER, PHASE)
        assert (answer.finish, answer.done) == (None, False)
        assert 100 <= len(answer.text) < 1000


async def test_hang_and_stall_keep_the_connection_open_and_silent() -> None:
    faults = [rule([1], kind="hang", seconds=0.4), rule([2], kind="stall", after_chars=100, seconds=0.4)]
    async with demo(faults=faults) as (_, client):
        for _ in range(2):
            began = time.monotonic()
            assert (await ask(client, ACTION, COUNTER, PHASE)).done
            assert time.monotonic() - began > 0.39
    async with demo(faults=[rule("every", kind="hang"), rule("every", action="blueprint", kind="stall")]) as (
        model,
        client,
    ):
        for action in (ACTION, "blueprint"):
            with pytest.raises(httpx.ReadTimeout):
                await client.post(**question(action, COUNTER, PHASE), timeout=0.5)
            await last_request(model)
        assert [entry.outcome for entry in model.log.all()] == ["aborted", "aborted"]
        assert [entry.status for entry in model.log.all()] == [None, 200]


async def test_a_drip_is_slow_whatever_the_speed() -> None:
    async with demo(faults=[rule(kind="drip", tokens_per_second=100)]) as (model, client):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.5):
                await client.post(**question(ACTION, COUNTER, PHASE))
        assert 0 < (await last_request(model)).characters < 200 * 6


async def test_malformed_in_the_protocol_or_in_the_content() -> None:
    faults = [
        rule([1], action="blueprint", kind="malformed", after_chars=50),
        rule([2], action="blueprint", kind="malformed", where="content", after_chars=50),
    ]
    async with demo(faults=faults) as (_, client):
        with pytest.raises(json.JSONDecodeError):
            read_stream((await client.post(**question("blueprint", COUNTER))).text)
        answer = await ask(client, "blueprint", COUNTER)
        assert answer.finish == "stop"
        with pytest.raises(json.JSONDecodeError):
            json.loads(answer.text)


CALL = ModelCall(
    action=ActionKey(ACTION),
    messages=(Message(role="user", content=COUNTER), Message(role="user", content=PHASE)),
    session_id="s1",
    operation_id="phase-1/implement",
)


def status(number: int, **fields: Any) -> dict[str, Any]:
    return {"kind": "status", "status": number, **fields}


@pytest.mark.parametrize(
    ("fault", "code", "retry_after"),
    [
        (status(429, headers={"Retry-After": "2"}), "rate_limited", 2),
        (status(429, headers={"Retry-After": "Fri, 31 Dec 2999 23:59:59 GMT"}), "rate_limited", 30 * 24 * 3600),
        (status(500), "provider_error", None),
        (status(503), "provider_overloaded", None),
        (status(529), "provider_overloaded", None),
        (status(401), "auth_failed", None),
        (status(400, code="context_length_exceeded"), "context_too_long", None),
        (status(400, code="content_filter"), "content_refused", None),
        ({"kind": "hang"}, "first_token_timeout", None),
        ({"kind": "stall"}, "stream_stalled", None),
        ({"kind": "cut"}, "stream_broken", None),
        ({"kind": "end_early"}, "stream_broken", None),
        ({"kind": "malformed"}, "unreadable_answer", None),
        ({"kind": "line"}, "unreadable_answer", None),
        ({"kind": "page"}, "unreadable_answer", None),
        ({"kind": "refusal"}, "content_refused", None),
        ({"kind": "drip", "tokens_per_second": 20_000}, "", None),
    ],
)
async def test_what_a_model_call_comes_to(fault: dict[str, Any], code: str, retry_after: float | None) -> None:
    """Each as docs/inference.md says."""
    patience = 0.3 if fault["kind"] in ("hang", "stall") else 20
    async with demo(faults=[rule(**fault)]) as (model, client):
        providers = {"demo": ProviderSettings(base_url=str(client.base_url).rstrip("/"))}
        settings = InferenceSettings(providers=providers, first_token_timeout=patience, stall_timeout=patience)
        deltas: list[Delta] = []
        error: InferenceError | None = None
        async with Inference(settings) as inference:
            try:
                deltas += [delta async for delta in inference.stream(CALL)]
            except InferenceError as caught:
                error = caught
        assert (error.code if error else "", error and error.retry_after) == (code, retry_after)
        assert len(model.log.all()) == 1, "one attempt is one request"
        assert bool(code) != any(isinstance(delta, TextDelta) for delta in deltas)


async def test_control_sets_faults_and_tells_what_was_asked() -> None:
    async with demo() as (model, client):
        plan = {"faults": [rule(kind="status", status=500)]}
        assert (await client.put("/../__control/faults", json=plan)).status_code == 204
        assert (await client.put("/../__control/faults", json={"faults": [{"kind": "?"}]})).status_code == 400
        written = "<already_written>\nsrc/App.tsx\n</already_written>"
        assert (await client.post(**question(ACTION, COUNTER, PHASE, written))).status_code == 500
        assert (await client.post(**question(ACTION, COUNTER, PHASE, written))).status_code == 200
        first, second = (await client.get("/../__control/requests")).json()["requests"]
        assert first["prompt_sha256"] == second["prompt_sha256"]
        assert (second["session"], second["operation"], second["phase"]) == ("s1", f"{ACTION}-1", "phase-1")
        assert second["already_written"] == ["src/App.tsx"]
        assert second["started"] <= second["ended"]
        assert (await client.delete("/../__control/requests")).status_code == 204
        assert model.log.all() == []


@pytest.mark.parametrize(
    "text", ["", "[]", '{"faults": [{"action": "x", "fault": {"kind": "status", "status": 200}}]}', '{"fault": []}']
)
def test_a_fault_file_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "faults.json"
    path.write_text(text)
    with pytest.raises(FaultsInvalid, match=r"faults\.json"):
        read_faults(path)
    with pytest.raises(FaultsInvalid, match="cannot be read"):
        read_faults(tmp_path / "none.json")
