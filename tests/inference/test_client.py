"""The client over real HTTP: structured answers, the gateway and the way around it, the cache, spans and metrics."""

import asyncio
import dataclasses
import json
import re
from collections.abc import Iterator

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import BaseModel, SecretStr

from inference import Inference
from inference.completion import complete
from inference.custom import UserCredentials
from inference.errors import GatewayFailed, InferenceError, MalformedOutput, OutputTruncated, to_application_error
from inference.providers import PROVIDERS
from inference.settings import GatewaySettings, InferenceSettings, ProviderSettings
from inference.wire import gather
from schemas.inference import ModelOverrides, Usage
from tests.fault_server import TEXT, FaultServer
from tests.inference.conftest import KEY, MODELS, call_for, inference_for, shared_client


class Fruit(BaseModel):
    name: str
    count: int = 1


PLUM = '{"name": "plum", "count": 3}'


@pytest.mark.parametrize("dialect", ["openai", "anthropic", "google"])
async def test_a_structured_answer(server: FaultServer, dialect: str) -> None:
    server.answers = [PLUM]
    shown: list[str] = []
    async with inference_for(server, "answers") as inference:
        done = await complete(inference, call_for(dialect), Fruit, on_text=shown.append)
    assert (done.value, done.repaired, shown) == (Fruit(name="plum", count=3), False, [PLUM])
    assert done.answer.finish is not None and done.answer.finish.price is not None


async def test_one_repair_and_no_more(server: FaultServer) -> None:
    server.answers = ["plum, three of them", PLUM]
    async with inference_for(server, "answers") as inference:
        done = await complete(inference, call_for("openai"), Fruit)
        assert done.repaired and done.value.count == 3
        server.answers = ["plum", "still plum", PLUM]
        with pytest.raises(MalformedOutput):
            await complete(inference, call_for("openai"), Fruit)
    assert server.answers == [PLUM]


async def test_truncation_and_refusal_are_themselves(server: FaultServer) -> None:
    async with inference_for(server, "length") as inference:
        with pytest.raises(OutputTruncated):
            await complete(inference, call_for("openai"), Fruit)
    async with inference_for(server, "refusal") as inference:
        with pytest.raises(InferenceError) as caught:
            await complete(inference, call_for("openai"), Fruit)
    assert caught.value.code == "content_refused"
    assert len(server.seen) == 2, "neither is repaired"


async def test_the_same_question_is_asked_once_where_that_was_wanted(server: FaultServer) -> None:
    server.answers = [PLUM, PLUM, PLUM]
    cold = ModelOverrides(model=MODELS["openai"], fallback=MODELS["openai"], temperature=0)
    async with inference_for(server, "answers", answer_cache_size=8) as inference:
        for operation in ("o1", "o2"):
            asked = call_for("openai", overrides=cold, operation_id=operation, user_id="u1")
            assert (await complete(inference, asked, Fruit)).value.name == "plum"
        assert len(server.seen) == 1
        await complete(inference, call_for("openai", overrides=cold, user_id="u2"), Fruit)
        assert len(server.seen) == 2, "another user's question is another question"
        warm = cold.model_copy(update={"temperature": 0.5})
        await complete(inference, call_for("openai", overrides=warm, user_id="u1"), Fruit)
    assert len(server.seen) == 3


def gateways(code: int, message: str) -> str:
    """An error as the gateway reports one of its own."""
    return json.dumps({"success": False, "result": [], "messages": [], "error": [{"code": code, "message": message}]})


class Fixed:
    """A server that gives every request the same answer."""

    def __init__(self, status: int, content_type: str, body: str) -> None:
        self.requests = 0
        self._answer = (
            f"HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n"
            f"connection: close\r\n\r\n{body}"
        ).encode()

    async def __aenter__(self) -> "Fixed":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.requests += 1
        head = await reader.readuntil(b"\r\n\r\n")
        lengths = re.findall(rb"(?i)content-length: (\d+)", head)
        await reader.readexactly(int(lengths[0]))
        writer.write(self._answer)
        await writer.drain()
        writer.close()


class TestGateway:
    def settings(self, server: FaultServer, gateway: str) -> InferenceSettings:
        # The provider's own address is what the catalogue says; nothing is sent there in these tests.
        return InferenceSettings(
            providers={"openai": ProviderSettings(base_url="https://api.openai.com/v1", key=SecretStr(KEY))},
            gateway=GatewaySettings(url=gateway, token=SecretStr("aig-token-123")),
            first_token_timeout=2,
        )

    async def test_calls_go_through_it(self, server: FaultServer) -> None:
        inference = Inference(self.settings(server, server.url("ok")), client=shared_client())
        deltas = [delta async for delta in inference.stream(call_for("openai"))]
        assert gather(deltas).text == "".join(TEXT)
        (seen,) = server.seen
        assert seen.path == "/ok/openai/chat/completions"
        assert seen.headers["cf-aig-authorization"] == "Bearer aig-token-123"
        assert '"action": "code_review"' in seen.headers["cf-aig-metadata"]
        assert seen.headers["cf-aig-skip-cache"] == "true"

    @pytest.mark.parametrize("gateway", ["fault", "dead"])
    async def test_its_own_fault_is_gone_around(self, server: FaultServer, gateway: str) -> None:
        url = server.url("gateway") if gateway == "fault" else "http://127.0.0.1:1"
        user = UserCredentials(user_id="u", keys={"openai": SecretStr("sk-user-123456")})
        inference = Inference(self.settings(server, url), client=shared_client())
        plan = inference.plan(call_for("openai"), user=user)
        assert plan.endpoint.via_gateway
        direct = plan.endpoint.provider
        assert inference._goes_around_gateway(plan, GatewayFailed()) and not plan.endpoint.via_gateway
        assert plan.endpoint.base_url == direct.base_url == "https://api.openai.com/v1"
        assert "past the failing gateway" in plan.step.reason
        assert plan.endpoint.request_headers()["authorization"] == "Bearer sk-user-123456"
        assert "cf-aig-authorization" not in plan.endpoint.request_headers()

    async def test_its_fault_is_told_from_the_providers(self, server: FaultServer) -> None:
        stored = GatewaySettings(url=server.url("gateway"), stored_keys=frozenset({"openai"}))
        inference = Inference(InferenceSettings(gateway=stored), client=shared_client())
        with pytest.raises(InferenceError) as caught:
            async for _ in inference.stream(call_for("openai")):
                pass
        assert caught.value.code == "gateway_failed", "without a key there is no way around"

    @pytest.mark.parametrize(
        ("status", "content_type", "body", "code"),
        [
            (424, "application/json", gateways(2016, "Prompt blocked due to security configurations"),
             "content_refused"),
            (200, "application/json", gateways(2017, "Response blocked due to security configurations"),
             "content_refused"),
            (429, "application/json", gateways(2003, "Rate limited"), "rate_limited"),
            (429, "text/plain", "error code: 1015", "rate_limited"),
            (502, "text/html", "<html>502 Bad gateway</html>", "gateway_failed"),
            (522, "text/html", "<html>connection timed out</html>", "gateway_failed"),
            (400, "application/json", '{"success": false, "errors": [{"code": 7003, "message": "Could not route"}]}',
             "gateway_failed"),
            (404, "text/plain", "not found", "gateway_failed"),
            (200, "text/html", "<html>login</html>", "gateway_failed"),
            (401, "application/json", gateways(2009, "Unauthorized"), "gateway_failed"),
            (500, "application/json", '{"error": {"message": "boom", "type": "server_error"}}', "provider_error"),
            (503, "application/json", '{"error": {"message": "boom"}}', "provider_overloaded"),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("own_key", [True, False])
    async def test_what_is_gone_around_and_whose_fault_it_is(
        self, monkeypatch: pytest.MonkeyPatch, status: int, content_type: str, body: str, code: str, own_key: bool
    ) -> None:
        async with Fixed(status, content_type, body) as front, FaultServer() as direct:
            provider = dataclasses.replace(PROVIDERS["groq"], base_url=direct.url("ok"))
            monkeypatch.setitem(PROVIDERS, "groq", provider)
            keys = {"groq": ProviderSettings(base_url=provider.base_url, key=SecretStr(KEY))} if own_key else {}
            stored = GatewaySettings(url=front.url, stored_keys=frozenset({"groq"}))
            inference = Inference(InferenceSettings(providers=keys, gateway=stored), client=shared_client())
            model = "[groq]cerebras/gpt-oss-120b"
            plan = inference.plan(call_for("openai", overrides=ModelOverrides(model=model, fallback=model)))
            if own_key and code == "gateway_failed":
                assert gather([delta async for delta in inference.run(plan)]).text == "".join(TEXT)
                assert len(direct.seen) == 1 and "past the failing gateway" in plan.step.reason
                return
            with pytest.raises(InferenceError) as caught:
                async for _ in inference.run(plan):
                    pass
            assert caught.value.code == code
            assert direct.seen == [] and front.requests == 1
            gateways_own = code not in ("provider_error", "provider_overloaded") and content_type != "text/plain"
            assert (plan.breaker(caught.value) is None) == (gateways_own or code == "gateway_failed")


ECHOED = "9f8e7d6c5b4a39281706f5e4d3c2b1a0"


@pytest.mark.parametrize("before", [0, 570, 580, 590])
async def test_a_key_that_does_not_look_like_one_is_not_shown(before: int) -> None:
    said = json.dumps({"error": {"message": f"{'x' * before} token {ECHOED} is wrong", "code": ECHOED}})
    async with Fixed(401, "application/json", said) as server:
        provider = ProviderSettings(base_url=server.url, key=SecretStr(ECHOED))
        inference = Inference(InferenceSettings(providers={"openai": provider}), client=shared_client())
        with pytest.raises(InferenceError) as caught:
            async for _ in inference.stream(call_for("openai")):
                pass
    shown = f"{caught.value} {caught.value!r} {caught.value.__dict__} {to_application_error(caught.value).details}"
    assert caught.value.code == "auth_failed" and "token" in shown
    assert ECHOED[:4] not in shown


async def test_tokens_of_a_broken_answer_are_estimated_and_marked(server: FaultServer) -> None:
    async with inference_for(server, "no_finish") as inference:
        plan = inference.plan(call_for("openai"))
        with pytest.raises(InferenceError):
            async for _ in inference.run(plan):
                pass
        assert plan.usage.estimated and plan.usage.input_tokens > 0 and plan.usage.output_tokens > 0
        refused = inference.plan(call_for("openai"))
        assert refused.usage == Usage(), "nothing was sent, nothing is charged"


@pytest.fixture(scope="module")
def telemetry() -> Iterator[tuple[InMemorySpanExporter, InMemoryMetricReader]]:
    spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    trace.set_tracer_provider(provider)
    metrics.set_meter_provider(MeterProvider([reader]))
    yield spans, reader
    provider.shutdown()


async def test_spans_and_metrics_follow_the_conventions(
    server: FaultServer, telemetry: tuple[InMemorySpanExporter, InMemoryMetricReader]
) -> None:
    spans, reader = telemetry
    spans.clear()
    for fault in ("ok", "503"):
        async with inference_for(server, fault) as inference:
            try:
                async for _ in inference.stream(call_for("anthropic")):
                    pass
            except InferenceError:
                pass
    good, bad = spans.get_finished_spans()
    assert good.name == "chat claude-haiku-4-5"
    assert good.attributes is not None and bad.attributes is not None
    expected = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": "claude-haiku-4-5",
        "gen_ai.response.model": "served",
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 4,
        "gen_ai.response.finish_reasons": ("stop",),
        "stich.action": "code_review",
    }
    assert expected.items() <= dict(good.attributes).items()
    assert bad.attributes["error.type"] == "provider_overloaded" and not bad.status.is_ok
    assert KEY not in good.to_json() + bad.to_json() and "Tell a story" not in good.to_json()
    data = reader.get_metrics_data()
    assert data is not None
    names = {metric.name for each in data.resource_metrics for scope in each.scope_metrics for metric in scope.metrics}
    assert {
        "gen_ai.client.operation.duration", "gen_ai.client.token.usage",
        "gen_ai.client.operation.time_to_first_chunk", "stich.inference.attempts",
    } <= names  # fmt: skip
