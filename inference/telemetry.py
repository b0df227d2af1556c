"""Spans and metrics of model calls, in OpenTelemetry's GenAI semantic conventions. No prompt, no answer, no key."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from opentelemetry import metrics, trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from schemas.inference import ModelCall, Usage

if TYPE_CHECKING:
    from inference.plan import Plan

_NAMES = {"google": "gcp.gemini", "cloudflare": "cloudflare.workers_ai"}

_tracer = trace.get_tracer("stich.inference")
_meter = metrics.get_meter("stich.inference")
_duration = _meter.create_histogram(
    "gen_ai.client.operation.duration",
    unit="s",
    description="Duration of a model call",
    explicit_bucket_boundaries_advisory=[0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 102.4, 204.8, 409.6],
)
_tokens = _meter.create_histogram(
    "gen_ai.client.token.usage",
    unit="{token}",
    description="Tokens of a model call",
    explicit_bucket_boundaries_advisory=[4**power for power in range(14)],
)
_first_token = _meter.create_histogram(
    "gen_ai.client.operation.time_to_first_chunk",
    unit="s",
    description="Time from the request to the first token",
    explicit_bucket_boundaries_advisory=[0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120],
)
_attempts = _meter.create_counter(
    "stich.inference.attempts", unit="{attempt}", description="Model calls by outcome and route"
)


def begin(call: ModelCall, plan: "Plan", attempt: int) -> Span:
    """Open the span of one attempt."""
    attributes: dict[str, str | int | float | bool] = {
        **_common(plan),
        "gen_ai.request.max_tokens": plan.target.max_output_tokens,
        "gen_ai.request.stream": plan.target.stream,
        "gen_ai.conversation.id": call.session_id,
        "stich.action": call.action.value,
        "stich.operation": call.operation_id,
        "stich.attempt": attempt,
        "stich.route": plan.step.reason,
    }
    if plan.target.temperature is not None:
        attributes["gen_ai.request.temperature"] = plan.target.temperature
    return _tracer.start_span(f"chat {plan.target.wire_id}", kind=SpanKind.CLIENT, attributes=attributes)


def end(
    span: Span,
    plan: "Plan",
    *,
    usage: Usage,
    duration: float,
    first_token: float | None,
    error: BaseException | None,
    error_code: str | None,
    finish_reason: str | None,
    served_model: str,
    response_id: str,
) -> None:
    """Close the span and count the attempt."""
    common = dict(_common(plan))
    span.set_attribute("gen_ai.usage.input_tokens", usage.input_tokens)
    span.set_attribute("gen_ai.usage.output_tokens", usage.output_tokens)
    span.set_attribute("gen_ai.usage.cache_read.input_tokens", usage.cached_input_tokens)
    span.set_attribute("gen_ai.usage.cache_creation.input_tokens", usage.cache_write_tokens)
    if served_model:
        span.set_attribute("gen_ai.response.model", served_model)
        common["gen_ai.response.model"] = served_model
    if response_id:
        span.set_attribute("gen_ai.response.id", response_id)
    if finish_reason:
        span.set_attribute("gen_ai.response.finish_reasons", [finish_reason])
    if first_token is not None:
        _first_token.record(first_token, common)
    failed = common | {"error.type": error_code} if error_code else common
    if error_code:
        span.set_attribute("error.type", error_code)
        span.set_status(Status(StatusCode.ERROR, str(error) if error else error_code))
    _duration.record(duration, failed)
    if usage.input_tokens:
        _tokens.record(usage.input_tokens, common | {"gen_ai.token.type": "input"})
    if usage.output_tokens:
        _tokens.record(usage.output_tokens, common | {"gen_ai.token.type": "output"})
    _attempts.add(1, {**failed, "stich.route": plan.step.reason})
    span.end()


def _common(plan: "Plan") -> Mapping[str, str]:
    provider = plan.step.provider
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": _NAMES.get(provider, provider),
        "gen_ai.request.model": plan.target.wire_id,
    }
