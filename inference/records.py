"""The ledger's row of a call, made from its plan at any moment of its life."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from inference import prices, tokens
from inference.errors import InferenceError
from inference.plan import Plan
from schemas.inference import AttemptRecord, Finish, FinishReason, Outcome, Usage


def most_tokens(plan: Plan) -> int:
    """The most tokens that the call of `plan` can take, read and written."""
    return tokens.of_call(plan.call) + plan.target.max_output_tokens


def attempt_record(
    plan: Plan,
    outcome: Outcome,
    *,
    started_at: datetime,
    execution: int = 0,
    error: InferenceError | None = None,
    finish: Finish | None = None,
    parts: Mapping[str, int] | None = None,
) -> AttemptRecord:
    """The row as it is now. A call that has not begun (`started`, nothing counted) reserves the most it can cost."""
    call, usage = plan.call, plan.usage
    if outcome == "started" and not usage.input_tokens:
        usage = Usage(input_tokens=tokens.of_call(call), estimated=True)
    price, source = prices.price(plan.step.provider, plan.target.wire_id, usage)
    most = Usage(input_tokens=tokens.of_call(call), output_tokens=plan.target.max_output_tokens)
    reserved, _ = prices.price(plan.step.provider, plan.target.wire_id, most)
    reason: FinishReason | None = finish.reason if finish else None
    return AttemptRecord(
        session_id=call.session_id,
        operation_id=call.operation_id,
        execution=execution,
        attempt=plan.attempt,
        call_number=call.call_number,
        user_id=call.user_id,
        action=call.action,
        provider=plan.step.provider,
        model=plan.step.model.name,
        served_model=plan.reader.served_model if plan.reader else "",
        route_reason=plan.step.reason,
        credential=plan.endpoint.credential,
        via_gateway=plan.endpoint.via_gateway,
        input_tokens=usage.input_tokens,
        cached_input_tokens=usage.cached_input_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        output_tokens=usage.output_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        estimated=usage.estimated,
        price=price,
        price_source=source,
        reserved=reserved or Decimal(0),
        time_to_first_token=plan.first_token,
        duration=plan.duration,
        outcome=outcome,
        finish_reason=reason,
        error_code=error.code if error else ("cancelled" if outcome == "cancelled" else None),
        context_parts=dict(parts or {}),
        started_at=started_at,
    )
