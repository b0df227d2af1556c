"""The model client of one worker process: plans an attempt, makes its one HTTP call, yields what comes back."""

import time
from collections.abc import AsyncGenerator, Mapping, Sequence, Set
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Self

import httpx
import orjson

from inference import agents, prices, routing, structured, telemetry, tokens
from inference.answers import AnswerCache
from inference.bulk import BATCH_PRICE, Bulk
from inference.custom import UserCredentials
from inference.dialects import BUILDERS, READERS
from inference.errors import (
    ConnectionFailed,
    GatewayFailed,
    InferenceError,
    RateLimited,
    TimedOut,
    UnreadableAnswer,
)
from inference.gateway import endpoint
from inference.guarded_transport import guarded_client
from inference.history import repaired
from inference.plan import Plan
from inference.routing import Step, Tried
from inference.settings import InferenceSettings
from inference.transport import exchange, make_client
from inference.wire import AnswerReader, Target, WireRequest
from schemas.inference import (
    ActionKey,
    Delta,
    Finish,
    Message,
    ModelCall,
    ModelOverrides,
    Speed,
)


class Inference:
    """Calls models. One per worker process; `async with` or `aclose` ends it. Safe for many concurrent calls."""

    def __init__(self, settings: InferenceSettings, *, client: httpx.AsyncClient | None = None) -> None:
        self.settings = settings
        self._client = client or make_client(settings.connect_timeout)
        self._owns_client = client is None
        self._guarded: httpx.AsyncClient | None = None
        self.answers = AnswerCache(settings.answer_cache_size)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End it. A client that was given is its owner's to close."""
        if self._owns_client:
            await self._client.aclose()
        if self._guarded is not None:
            await self._guarded.aclose()

    def serves(
        self, action: ActionKey, user: UserCredentials | None = None, overrides: ModelOverrides | None = None
    ) -> tuple[str, bool]:
        """(name of the model that a plain call of `action` goes to first, whether it is the demo model).
        Raises NotConfigured, and agents.NotAllowed as `plan` does."""
        step = self._first(action, user, overrides)
        return step.model.name, step.provider == "demo"

    def reads_images(
        self, action: ActionKey, user: UserCredentials | None = None, overrides: ModelOverrides | None = None
    ) -> bool:
        """Whether the model that `serves` names can see pictures. Raises as `serves` does."""
        return self._first(action, user, overrides).model.images

    def _first(self, action: ActionKey, user: UserCredentials | None, overrides: ModelOverrides | None) -> Step:
        messages = (Message(role="user", content="?"),)
        return self.plan(
            ModelCall(action=action, messages=messages, overrides=overrides or ModelOverrides()), user=user
        ).step

    def plan(
        self,
        call: ModelCall,
        *,
        attempt: int = 1,
        user: UserCredentials | None = None,
        tried: Sequence[Tried] | None = None,
        avoid: Set[str] = frozenset(),
        speeds: Mapping[str, Speed] | None = None,
    ) -> Plan:
        """Resolve `call` for `attempt` (from 1). `tried` are the steps of the attempts before it, oldest first; None
        means that they walked the route. `avoid` are keys of open breakers. Raises NotConfigured, ContextTooLong, and
        agents.NotAllowed for an override that the action's constraints exclude."""
        config = agents.configuration(call.action, call.overrides, user)
        route = routing.route(call, config, self.settings, user=user, speeds=speeds)
        if tried is None:
            tried = [Tried(step.provider, step.model.name) for step in route[: attempt - 1]]
        steps = routing.ordered(route, tried, avoid)
        step = steps[0]
        model = step.model
        room = model.context_window - tokens.of_call(call)
        limit = min(config.max_output_tokens, model.output_limit, max(room, 1_024))
        target = Target(
            provider=(where := endpoint(step.provider, self.settings, user, call=call, retry=attempt > 1)).provider,
            model=model,
            wire_id=model.served[step.provider],
            effort=config.effort if model.thinking != "none" else "none",
            max_output_tokens=limit,
            temperature=config.temperature,
            cache_key=call.session_id,
        )
        return Plan(call, attempt, step, target, where, steps, tried, avoid, user)

    def stream(
        self,
        call: ModelCall,
        *,
        attempt: int = 1,
        user: UserCredentials | None = None,
        avoid: Set[str] = frozenset(),
        speeds: Mapping[str, Speed] | None = None,
    ) -> AsyncGenerator[Delta, None]:
        """The answer to `call`, delta by delta; the last one is Finish. Raises InferenceError: then what came before
        it is not an answer."""
        return self.run(self.plan(call, attempt=attempt, user=user, avoid=avoid, speeds=speeds))

    async def run(self, plan: Plan) -> AsyncGenerator[Delta, None]:
        """Make the call of `plan`. A gateway that fails by itself is gone around, once, before anything was read."""
        span = telemetry.begin(plan.call, plan, plan.attempt)
        plan.started = time.perf_counter()
        failure: BaseException | None = None
        finish: Finish | None = None
        try:
            while True:
                try:
                    async with aclosing(self._exchange(plan)) as pieces:
                        async for deltas in pieces:
                            if plan.first_token is None:
                                plan.first_token = time.perf_counter() - plan.started
                            if type(deltas[-1]) is Finish:
                                finish = self._complete(plan, deltas[-1])
                            for delta in deltas:
                                yield delta
                    break
                except InferenceError as error:
                    error.hide(plan.endpoint.secrets())
                    blamed = _behind_gateway(plan, error)
                    if not self._goes_around_gateway(plan, blamed):
                        if blamed is error:
                            raise
                        raise blamed from error
        except BaseException as error:
            failure = error
            raise
        finally:
            plan.duration = time.perf_counter() - plan.started
            code = failure.code if isinstance(failure, InferenceError) else None
            telemetry.end(
                span,
                plan,
                usage=plan.usage,
                duration=plan.duration,
                first_token=plan.first_token,
                error=failure if code else None,
                error_code=code or ("cancelled" if finish is None else None),
                finish_reason=finish.reason if finish else None,
                served_model=plan.reader.served_model if plan.reader else "",
                response_id=plan.reader.response_id if plan.reader else "",
            )

    # --- batches -----------------------------------------------------------------------------------------------------

    @property
    def bulk(self) -> Bulk:
        """The batch endpoints of providers."""
        return Bulk(self._client)

    def bulk_request(self, plan: Plan) -> tuple[str, dict[str, Any]]:
        """(path, body) of the call of `plan`, to be made by somebody else: what `run` would send, in one piece."""
        target = replace(plan.target, stream=False)
        mode = structured.output_mode(plan.call, target)
        request = BUILDERS[target.provider.dialect](plan.call, repaired(plan.call.messages), target, mode)
        return request.path, orjson.loads(request.body)

    def from_batch(self, plan: Plan, answer: bytes) -> list[Delta]:
        """What `run` would have yielded for this answer of the provider. Raises InferenceError."""
        plan.started, plan.first_token = time.perf_counter(), 0.0
        provider = plan.target.provider
        reader = plan.reader = READERS[provider.dialect](
            provider.id, plan.target.model.name, status=200, content_type="application/json", headers={}
        )
        deltas = [*reader.feed(answer), *reader.end()]
        assert isinstance(deltas[-1], Finish), "a reader ends with it"
        finish = self._complete(plan, deltas[-1])
        if finish.price is not None:
            finish.price *= BATCH_PRICE
        return deltas

    # --- inside ------------------------------------------------------------------------------------------------------

    def _goes_around_gateway(self, plan: Plan, error: InferenceError) -> bool:
        """Turn `plan` past its gateway if `error` is the gateway's own fault, nothing was read, and there is a key."""
        if not plan.endpoint.via_gateway or plan.first_token is not None:
            return False
        if not (isinstance(error, GatewayFailed) or (isinstance(error, TimedOut) and not error.status)):
            return False  # the gateway did its work, or it is the provider behind it that is slow
        try:
            direct = endpoint(plan.step.provider, self.settings, plan.user, call=plan.call, gateway=False)
        except InferenceError:
            return False
        if direct.key is None and direct.provider.needs_key:
            return False
        plan.endpoint = direct
        plan.step = replace(plan.step, reason=f"{plan.step.reason}, past the failing gateway")
        return True

    def _exchange(self, plan: Plan) -> AsyncGenerator[list[Delta], None]:
        target, dialect = plan.target, plan.target.provider.dialect
        mode = structured.output_mode(plan.call, target)
        request: WireRequest = BUILDERS[dialect](plan.call, repaired(plan.call.messages), target, mode)
        headers = {"content-type": "application/json", **request.headers, **plan.endpoint.request_headers()}

        def make_reader(status: int, content_type: str, answered: Mapping[str, str]) -> AnswerReader:
            plan.reader = READERS[dialect](
                target.provider.id, target.model.name, status=status, content_type=content_type, headers=answered
            )
            return plan.reader

        patience = 2.0 if target.effort in ("medium", "high") else 1.0
        return exchange(
            self._guarded_client() if plan.endpoint.guarded else self._client,
            plan.endpoint.base_url + request.path,
            headers,
            request.body,
            make_reader,
            first_token_timeout=self.settings.first_token_timeout * patience,
            stall_timeout=self.settings.stall_timeout,
        )

    def _guarded_client(self) -> httpx.AsyncClient:
        """The client for addresses that users named."""
        if self._guarded is None:
            self._guarded = guarded_client(
                self.settings.allow_private,
                timeout=httpx.Timeout(None, connect=self.settings.connect_timeout, write=60),
                headers={"accept-encoding": "identity"},
            )
        return self._guarded

    def _complete(self, plan: Plan, finish: Finish) -> Finish:
        """Fill in what only the plan knows."""
        finish.usage = plan.usage
        finish.route_reason = plan.step.reason
        finish.demo = plan.demo
        finish.price, _ = prices.price(plan.step.provider, plan.target.wire_id, finish.usage)
        finish.time_to_first_token = plan.first_token
        finish.duration = plan.duration = time.perf_counter() - plan.started
        return finish


def _behind_gateway(plan: Plan, error: InferenceError) -> InferenceError:
    """`error`, as the gateway's own failure where it is one: it could not be reached, or what answered has no
    provider's form. A limit stays one, whoever set it."""
    own = isinstance(error, (ConnectionFailed, UnreadableAnswer)) or error.foreign
    if not plan.endpoint.via_gateway or plan.first_token is not None or not own or isinstance(error, RateLimited):
        return error
    failed = GatewayFailed(provider=error.provider, model=error.model, status=error.status, reason=error.code)
    failed.detail = error.detail
    return failed
