"""The client over real HTTP: structured answers, the gateway and the way around it, the cache, spans and metrics."""

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
from inference.errors import InferenceError, MalformedOutput, OutputTruncated
from inference.gateway import UserCredentials
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
        done = await inference.complete(call_for(dialect), Fruit, on_text=shown.append)
    assert (done.value, done.repaired, shown) == (Fruit(name="plum", count=3), False, [PLUM])
    assert done.answer.finish is not None and done.answer.finish.price is not None


async def test_one_repair_and_no_more(server: FaultServer) -> None:
    server.answers = ["plum, three of them", PLUM]
    async with inference_for(server, "answers") as inference:
        done = await inference.complete(call_for("openai"), Fruit)
        assert done.repaired and done.value.count == 3
        server.answers = ["plum", "still plum", PLUM]
        with pytest.raises(MalformedOutput):
            await inference.complete(call_for("openai"), Fruit)
    assert server.answers == [PLUM]


async def test_truncation_and_refusal_are_themselves(server: FaultServer) -> None:
    async with inference_for(server, "length") as inference:
        with pytest.raises(OutputTruncated):
            await inference.complete(call_for("openai"), Fruit)
    async with inference_for(server, "refusal") as inference:
        with pytest.raises(InferenceError) as caught:
            await inference.complete(call_for("openai"), Fruit)
    assert caught.value.code == "content_refused"
    assert len(server.seen) == 2, "neither is repaired"


async def test_the_same_question_is_asked_once_where_that_was_wanted(server: FaultServer) -> None:
    server.answers = [PLUM, PLUM, PLUM]
    cold = ModelOverrides(model=MODELS["openai"], fallback=MODELS["openai"], temperature=0)
    async with inference_for(server, "answers", answer_cache_size=8) as inference:
        for operation in ("o1", "o2"):
            asked = call_for("openai", overrides=cold, operation_id=operation, user_id="u1")
            assert (await inference.complete(asked, Fruit)).value.name == "plum"
        assert len(server.seen) == 1
        await inference.complete(call_for("openai", overrides=cold, user_id="u2"), Fruit)
        assert len(server.seen) == 2, "another user's question is another question"
        warm = cold.model_copy(update={"temperature": 0.5})
        await inference.complete(call_for("openai", overrides=warm, user_id="u1"), Fruit)
    assert len(server.seen) == 3


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
        assert inference._goes_around_gateway(plan, InferenceError()) and not plan.endpoint.via_gateway
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
