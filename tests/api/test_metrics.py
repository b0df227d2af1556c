"""What Prometheus reads, and the spans of requests."""

import re

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import api.tracing
from api.metrics import METRICS
from tests.api.conftest import Service
from tests.api.people import signed_in

SAMPLE = re.compile(r'[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [0-9.e+-]+')
QUOTE = r"\""  # in the value of a label


async def test_every_metric_is_there_in_the_form_that_prometheus_reads(service: Service) -> None:
    await service.database.pool.execute(
        """INSERT INTO sessions (id, prompt, mode, state)
           VALUES ('measured', 'x', 'smart', 'idle') ON CONFLICT DO NOTHING"""
    )
    await service.database.pool.execute(
        """INSERT INTO operations (session_id, id, begun_at, finished_at)
           VALUES ('measured', 'one', now() - interval '7 seconds', now()) ON CONFLICT DO NOTHING"""
    )
    await service.database.pool.execute(
        """INSERT INTO model_attempts (session_id, operation_id, attempt, action, provider, model, credential, outcome,
             input_tokens, output_tokens, price, started_at)
           VALUES ('measured', 'one', 1, 'blueprint', 'demo', 'a"b', 'platform', 'succeeded', 120, 30, 0.25, now())
           ON CONFLICT DO NOTHING"""
    )
    answer = await service.signed_in.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    text = answer.text
    for metric in METRICS:
        assert f"# TYPE {metric.name} {metric.kind}" in text
    for line in text.splitlines():
        assert line.startswith("# ") or SAMPLE.fullmatch(line.replace(QUOTE, "")), line
    assert 'stich_sessions{state="idle"}' in text
    labels = f'provider="demo",model="a{QUOTE}b",outcome="succeeded"'
    assert f"stich_model_calls_total{{{labels}}} 1" in text
    assert f'stich_model_tokens_total{{{labels},direction="input"}} 120' in text
    assert f"stich_model_cost_usd_total{{{labels}}} 0.25" in text
    assert 'stich_step_seconds_bucket{le="5"} 0' in text and 'stich_step_seconds_bucket{le="15"} 1' in text


async def test_only_operators_read_them(accounts: Service) -> None:
    assert (await accounts.anonymous.get("/metrics")).status_code == 401
    async with signed_in(accounts, "meg@example.org") as meg:
        assert (await meg.browser.get("/metrics")).status_code == 403


async def test_a_request_is_a_span_below_that_of_its_caller(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(api.tracing, "_tracer", provider.get_tracer("test"))
    caller = "0af7651916cd43dd8448eb211c80319c"
    headers = {"traceparent": f"00-{caller}-b7ad6b7169203331-01"}
    await service.signed_in.get("/api/sessions/nobodys?token=hunter22hunter22", headers=headers)
    (span,) = exporter.get_finished_spans()
    assert span.context is not None and trace.format_trace_id(span.context.trace_id) == caller
    assert span.attributes is not None and span.attributes["http.response.status_code"] == 404
    assert span.name == "GET /api/sessions/{session_id}"
    assert "hunter22" not in span.to_json() and "nobodys" not in span.to_json()
