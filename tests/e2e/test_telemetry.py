"""Traces and metrics of a whole system, as a collector receives them."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from schemas.http import CreateSession
from stich.client import StichClient
from tests.e2e.conftest import MakeUp
from tests.e2e.service import until


class Collector:
    """An OpenTelemetry collector that keeps what it gets."""

    def __init__(self) -> None:
        self.traces: dict[bytes, set[tuple[str, str]]] = {}
        self.metrics: set[str] = set()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                (collector.take_spans if self.path == "/v1/traces" else collector.take_metrics)(body)
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *arguments: object) -> None:
                """Nothing is printed."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take_spans(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = next(a.value.string_value for a in resource.resource.attributes if a.key == "service.name")
            for scope in resource.scope_spans:
                for span in scope.spans:
                    self.traces.setdefault(span.trace_id, set()).add((service, span.name))

    def take_metrics(self, body: bytes) -> None:
        for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            self.metrics |= {metric.name for scope in resource.scope_metrics for metric in scope.metrics}


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.mark.timeout(240)
async def test_one_trace_leads_from_the_request_to_the_model(make_up: MakeUp, collector: Collector) -> None:
    up = make_up(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, STICH_API_PROCESSES="1")
    running = up.wait_ready()
    async with StichClient(running.local_url, running.token) as client:
        session = await client.start(CreateSession(prompt="A counter that is traced"), "traced")
        assert (await client.wait(session.id)).state.name == "completed"
    up.process.terminate()  # what was not sent yet is sent at the end
    up.end()

    def whole() -> bool:
        return any(
            {"stich-api", "stich-worker"} == {service for service, _ in trace} for trace in collector.traces.values()
        )

    until(whole, 10)
    trace = next(found for found in collector.traces.values() if ("stich-api", "POST /api/sessions") in found)
    names = {name for _, name in trace}
    assert ("stich-api", "StartWorkflow:CodeGenSession") in trace
    assert "RunWorkflow:CodeGenSession" in names
    assert "RunActivity:write_blueprint" in names
    assert any(name.startswith("chat ") for name in names), "the calls of the model are in the same trace"
    assert {"stich.step.duration", "gen_ai.client.operation.duration"} <= collector.metrics
