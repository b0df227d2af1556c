"""Every fault a provider can have, over real HTTP, in each dialect: its documented outcome (docs/inference.md)."""

import asyncio
import time

import pytest
from pydantic import SecretStr

from inference import Inference, faults
from inference.errors import InferenceError, to_application_error
from inference.settings import InferenceSettings, ProviderSettings
from inference.wire import gather
from schemas.inference import Delta, TextDelta
from tests.fault_server import TEXT, FaultServer
from tests.inference.conftest import KEY, call_for, inference_for, settings_for, shared_client

DIALECTS = ("openai", "anthropic", "google")

OUTCOMES = {
    "429_seconds": ("rate_limited", True, 2.0),
    "429_date": ("rate_limited", True, 3.0),
    "429_reset": ("rate_limited", True, 62.0),
    "500": ("provider_error", True, None),
    "503": ("provider_overloaded", True, None),
    "529": ("provider_overloaded", True, None),
    "hang_before": ("first_token_timeout", True, None),
    "hang_after_headers": ("first_token_timeout", True, None),
    "hang_middle": ("stream_stalled", True, None),
    "pings": ("stream_stalled", True, None),
    "cut_mid_event": ("stream_broken", True, None),
    "cut_clean_mid_event": ("stream_broken", True, None),
    "no_finish": ("stream_broken", True, None),
    "malformed": ("unreadable_answer", True, None),
    "html": ("unreadable_answer", True, None),
    "error_in_stream": ("provider_overloaded", True, None),
    "reset": ("connection_failed", True, None),
    "401": ("auth_failed", False, None),
    "402": ("out_of_credit", False, None),
    "404": ("model_not_found", False, None),
    "400": ("invalid_request", False, None),
    "400_context": ("context_too_long", False, None),
    "refusal": ("content_refused", False, None),
}


async def outcome(server: FaultServer, fault: str, dialect: str) -> tuple[list[Delta], InferenceError | None]:
    deltas: list[Delta] = []
    patience = 0.15 if fault.startswith(("hang", "pings")) else 5.0
    async with inference_for(server, fault, first_token_timeout=patience, stall_timeout=patience) as inference:
        try:
            async with asyncio.timeout(10):
                async for delta in inference.stream(call_for(dialect)):
                    deltas.append(delta)
        except InferenceError as error:
            return deltas, error
    return deltas, None


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("fault", OUTCOMES)
async def test_each_fault_has_its_outcome(server: FaultServer, fault: str, dialect: str) -> None:
    code, retryable, retry_after = OUTCOMES[fault]
    _, error = await outcome(server, fault, dialect)
    assert error is not None
    assert (error.code, error.retryable) == (code, retryable), str(error)
    assert error.provider == dialect
    assert error.sentence and error.next_action
    if retry_after is None:
        assert error.retry_after is None
    else:
        assert error.retry_after == pytest.approx(retry_after, abs=1.1)
    assert len(server.seen) == 1, "one attempt is one request"


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("fault", ["ok", "whole", "drip", "length"])
async def test_good_answers_in_every_shape(server: FaultServer, fault: str, dialect: str) -> None:
    deltas, error = await outcome(server, fault, dialect)
    assert error is None
    answer = gather(deltas)
    assert answer.text == ("drop" if fault == "drip" else "".join(TEXT))
    assert answer.finish is not None
    assert answer.finish.reason == ("length" if fault == "length" else "stop")
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (12, 4)
    assert not answer.usage.estimated


async def test_a_line_without_end_is_cut_off_early(server: FaultServer) -> None:
    started = time.monotonic()
    _, error = await outcome(server, "huge_line", "openai")
    assert error is not None and error.code == "unreadable_answer"
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://no-such-host.invalid", "dns"),
        ("https://127.0.0.1:{port}", "tls"),
        ("http://127.0.0.1:1", "connection"),
    ],
)
async def test_no_connection(url: str, reason: str) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"this is not TLS\r\n")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as plain:
        port = plain.sockets[0].getsockname()[1]
        await no_connection(url.format(port=port), reason)


async def no_connection(url: str, reason: str) -> None:
    providers = {"openai": ProviderSettings(base_url=url, key=SecretStr(KEY))}
    async with Inference(InferenceSettings(providers=providers), client=shared_client()) as inference:
        with pytest.raises(InferenceError) as caught:
            async for _ in inference.stream(call_for("openai")):
                pass
    assert (caught.value.code, caught.value.reason) == ("connection_failed", reason)


async def test_no_error_shows_a_key(server: FaultServer) -> None:
    for fault in ("401", "400", "html"):
        _, error = await outcome(server, fault, "openai")
        assert error is not None
        shown = f"{error!r} {error} {error.__dict__} {to_application_error(error)!r}"
        assert KEY not in shown and "abcdefghijklmnop" not in shown
    settings = settings_for(server, "ok")
    assert KEY not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"


async def test_cancelling_closes_the_connection_within_a_second(server: FaultServer) -> None:
    async with inference_for(server, "hang_middle", stall_timeout=60) as inference:

        async def read() -> None:
            async for _ in inference.stream(call_for("openai")):
                pass

        task = asyncio.create_task(read())
        async with asyncio.timeout(5):
            while not server.seen:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        started = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(server.seen[0].closed.wait(), 2)
    assert server.seen[0].closed_at is not None
    assert server.seen[0].closed_at - started < 1


async def test_leaving_the_stream_closes_the_connection(server: FaultServer) -> None:
    async with inference_for(server, "endless") as inference:
        stream = inference.stream(call_for("anthropic"))
        assert isinstance(await anext(stream), object)
        async for delta in stream:
            if isinstance(delta, TextDelta):
                break
        await stream.aclose()
        await asyncio.wait_for(server.seen[0].closed.wait(), 1)


async def test_a_slow_consumer_is_not_a_stalled_provider(server: FaultServer) -> None:
    async with inference_for(server, "ok", stall_timeout=0.1) as inference:
        async for _ in inference.stream(call_for("openai")):
            await asyncio.sleep(0.12)


async def test_many_streams_at_once(server: FaultServer) -> None:
    async with inference_for(server, "ok", first_token_timeout=20, stall_timeout=20) as inference:

        async def one() -> str:
            return gather([delta async for delta in inference.stream(call_for("openai"))]).text

        texts = await asyncio.gather(*(one() for _ in range(100)))
    assert set(texts) == {"".join(TEXT)}


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("Please try again in 6m0s.", 360), ("Please try again in 7.66s. Visit", 7.66), ("try again in 850ms", 0.85),
        ("Please try again in 20 minutes.", 1200), ("try again in about 1 hour and 5 minutes", 3900),
        ("Retry after 2 hours, 3 seconds please", 7203), ("Retry after 30", 30), ("try again in 1h2m3.5s", 3723.5),
        ("Please retry in 1 minute or later", 60), ("try again in 3 requests", None), ("try again later", None),
        ("retry in 20 s or call us", 20), ("try again in 2 days", 172_800),
    ],
)  # fmt: skip
def test_the_time_to_wait_in_words(message: str, seconds: float | None) -> None:
    found = faults.retry_after({}, "", message)
    assert found == (None if seconds is None else pytest.approx(seconds))


def test_a_reset_is_a_time_to_wait_only_where_a_limit_is_what_failed() -> None:
    exhausted = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "9h"}
    body = {"error": {"message": "boom"}}
    for status, seconds in ((429, 32_400), (503, 32_400), (529, 32_400), (500, None), (502, None), (400, None)):
        assert faults.fault(status, body, exhausted, provider="openai", model="m").retry_after == seconds, status
    assert faults.fault(500, body, {"retry-after": "3"}, provider="openai", model="m").retry_after == 3


def test_a_routers_headers_inside_the_body_count() -> None:
    reset = str(int((time.time() + 40) * 1000))
    headers = {"X-RateLimit-Limit": "20", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}
    body = {"error": {"code": 429, "message": "Rate limit exceeded", "metadata": {"headers": headers}}}
    for status in (429, 200):
        error = faults.fault(status, body, {}, provider="openrouter", model="m")
        assert error.code == "rate_limited" and error.retry_after == pytest.approx(40, abs=2)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("API key not valid. Please pass a valid API key.", "auth_failed"),
        ("API key expired. Please renew the API key.", "auth_failed"),
        ("tools.0.input_schema: the property permission is invalid", "invalid_request"),
        ("GenerateContentRequest.safety_settings[0]: invalid", "invalid_request"),
        ("User location is not supported for the API use.", "model_not_found"),
        ("Invalid model: mistral-large", "model_not_found"),
        ("Failed to generate JSON. Please adjust your prompt.", "malformed_output"),
        ("Input data may contain inappropriate content.", "content_refused"),
        ("the request exceeds the available context size. try increasing it", "context_too_long"),
        ("This model's maximum prompt length is 131072 but the request contains 200000 tokens.", "context_too_long"),
        ("Your request exceeded model token limit: 262144", "context_too_long"),
        ("Range of input length should be [1, 98304]", "context_too_long"),
        ("Model Not Exist", "model_not_found"),
        ("The requested model 'x/y' does not exist", "model_not_found"),
        ("Unsupported parameter: 'safety_identifier' is not supported with this model.", "invalid_request"),
        ('Unknown name "safetySettings": Cannot find field.', "invalid_request"),
        ("moderation: Extra inputs are not permitted", "invalid_request"),
        ("safety_identifier is too long", "invalid_request"),
        ("Your request was flagged by our safety system.", "content_refused"),
        ("input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000", "context_too_long"),
    ],
)
def test_what_a_400_says(message: str, code: str) -> None:
    body = {"error": {"type": "invalid_request_error", "message": message}}
    assert faults.fault(400, body, {}, provider="openai", model="m").code == code
    google = {"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": message}}
    assert faults.fault(400, google, {}, provider="google", model="m").code == code
    routed = {"error": {"code": 400, "message": "Provider returned error", "metadata": {"raw": message}}}
    assert faults.fault(400, routed, {}, provider="openrouter", model="m").code == code
