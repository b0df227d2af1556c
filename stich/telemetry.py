"""Where traces and metrics go: to an OpenTelemetry collector, where one is named by OTEL_EXPORTER_OTLP_ENDPOINT.

One trace leads from the request through the workflow and its activities to the calls of models. It carries ids, names,
counts and times; no prompt, no answer, no key.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from opentelemetry import metrics, trace
from temporalio import activity
from temporalio.client import Interceptor as ClientInterceptor
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from stich import __version__

ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
"""The collector's address over HTTP; the exporters read it and its kin (headers, timeouts) themselves."""

_steps = metrics.get_meter("stich.steps").create_histogram(
    "stich.step.duration",
    unit="s",
    description="Duration of an attempt of a step",
    explicit_bucket_boundaries_advisory=[0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600],
)


def exported(env: Mapping[str, str]) -> bool:
    """Whether somebody wants traces and metrics."""
    return bool(env.get(ENDPOINT, "").strip())


@contextmanager
def telemetry(env: Mapping[str, str], role: str) -> Iterator[None]:
    """Send what this process measures, as service `stich-ROLE`, until the block is left; once per process."""
    if not exported(env):
        yield
        return
    # Imported where they are used: they take a second, which a process that sends nothing need not wait.
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create({"service.name": f"stich-{role}", "service.version": __version__})
    spans = TracerProvider(resource=resource)
    spans.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(spans)
    measured = MeterProvider(resource=resource, metric_readers=[PeriodicExportingMetricReader(OTLPMetricExporter())])
    metrics.set_meter_provider(measured)
    try:
        yield
    finally:
        spans.shutdown()
        measured.shutdown()


def client_interceptors(env: Mapping[str, str]) -> list[ClientInterceptor]:
    """What carries a trace through Temporal, in clients and in the workers made of them."""
    if not exported(env):
        return []
    from temporalio.contrib.opentelemetry import TracingInterceptor

    return [TracingInterceptor()]


class StepDurations(Interceptor):
    """Measures every attempt of an activity by its type and outcome."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Measured(next)


class _Measured(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        started, outcome = time.monotonic(), "failed"
        try:
            result = await super().execute_activity(input)
            outcome = "completed"
            return result
        finally:
            attributes = {"stich.step": activity.info().activity_type, "stich.outcome": outcome}
            _steps.record(time.monotonic() - started, attributes)
