"""What can go wrong in a model call: one tree, each class with its code, a plain sentence and the next action.

    InferenceError
    ├── ProviderFailure             the provider or the way to it failed; another attempt may succeed
    │   ├── RateLimited             429; `retry_after` when the provider says when
    │   ├── Overloaded              503, 529
    │   ├── ServerError             500 and other 5xx
    │   ├── ConnectionFailed        name not found, refused, TLS, reset before the answer
    │   ├── TimedOut                no first token in time
    │   ├── StreamStalled           tokens stopped coming
    │   ├── StreamBroken            the stream ended before the answer did
    │   ├── UnreadableAnswer        wrong content type, malformed JSON, a line without end
    │   └── GatewayFailed           the gateway itself, not the provider behind it
    ├── CallRejected                the same request would be rejected again
    │   ├── AuthFailed              401, 403
    │   ├── AddressNotAllowed       a user's server at an address that may not be reached
    │   ├── OutOfCredit             402, exhausted quota
    │   ├── ModelNotFound           404
    │   ├── NoRecording             the demo model was asked for something that it has no recording of
    │   ├── InvalidRequest          400, 422
    │   ├── ContextTooLong          more tokens than the model's window
    │   └── ContentRefused          a safety filter or the model declined
    ├── UnusableAnswer              an answer came, but not one that can be used
    │   ├── OutputTruncated         the output limit cut it
    │   ├── MalformedOutput         it does not fit the schema
    │   └── MalformedToolCall       the provider could not read its model's own tool call
    └── NotConfigured               no provider that could serve the action

`retryable` is about the same route; `elsewhere` is about the next step of the route (another provider, the fallback
model). No error text carries a key: provider text is passed through `redact` and cut.
"""

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import ClassVar

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from inference.providers import PROVIDERS
from schemas.secrets import mask_known

LONG_WAIT = 60.0
"""Seconds. A longer `Retry-After` is not waited for inside an activity: the workflow waits and shows a countdown."""

MESSAGE_LIMIT = 600

_SECRETS = re.compile(
    r"""(?ix)
    \b(?:sk|pk|gsk|csk|xai|rk)-?[-_a-z0-9]*[-_][-_a-z0-9*.]{8,}   # sk-..., sk-ant-..., gsk_..., csk-...
    | \bsk-[a-z0-9*.]{8,}
    | \bAIza[-_a-z0-9]{10,}
    | \bBearer\s+[^\s"',;]+
    | (?<=key[=:])\s*[^\s"',;&]{8,}
    """
)


def redact(text: str, limit: int = MESSAGE_LIMIT) -> str:
    """`text` without anything that looks like a key, on one line, cut to `limit` characters."""
    text = mask_known(_SECRETS.sub("[redacted]", " ".join(text.split())))
    return text if len(text) <= limit else text[: limit - 1] + "…"


SHORTEST_SECRET = 4
"""Characters: what is shorter is no key, and would tear words apart."""


def without(text: str, secrets: Iterable[str]) -> str:
    """`text` without `secrets`, nor the beginning of one where the text was cut."""
    for secret in secrets:
        if len(secret) < SHORTEST_SECRET:
            continue
        text = text.replace(secret, "[redacted]")
        for length in range(min(len(secret), len(text)) if text.endswith("…") else 0, SHORTEST_SECRET - 1, -1):
            if text.endswith(f"{secret[:length]}…"):
                text = f"{text[: -length - 1]}[redacted]…"
                break
    return text


class InferenceError(Exception):
    """Base of the tree. `partial` is the text received before the failure; it is never a result."""

    code: ClassVar[str] = "inference_error"
    sentence: ClassVar[str] = "The model call failed."
    next_action: ClassVar[str] = "Try again."
    retryable: ClassVar[bool] = False
    elsewhere: ClassVar[bool] = False
    health: bool = False
    """Whether the failure says something about the provider's health, and so counts for its breaker."""
    foreign: bool = False
    """Whether the answer was in no provider's form: behind a gateway, it was the gateway that gave it."""

    def __init__(
        self,
        detail: str = "",
        *,
        provider: str = "",
        model: str = "",
        status: int | None = None,
        retry_after: float | None = None,
        reason: str = "",
        partial: str = "",
    ) -> None:
        self.detail = redact(detail)
        self.provider = provider
        self.model = model
        self.status = status
        self.retry_after = retry_after
        self.reason = redact(reason, 100)
        self.partial = partial
        super().__init__(str(self))

    def __str__(self) -> str:
        where = f" ({self.provider})" if self.provider else ""
        detail = f" {self.detail}" if self.detail else ""
        return f"{self.sentence}{where}{detail}"

    def hide(self, secrets: Iterable[str]) -> None:
        """Take `secrets` out of the texts, as they are: a provider may echo a key that does not look like one."""
        for name in ("detail", "reason", "partial"):
            setattr(self, name, without(getattr(self, name), secrets))
        self.args = (str(self),)

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.__dict__.copy()))


def _rebuild(cls: type[InferenceError], state: dict[str, object]) -> InferenceError:
    error = cls()
    error.__dict__.update(state)
    error.args = (str(error),)
    return error


class ProviderFailure(InferenceError):
    code = "provider_failure"
    sentence = "The model provider failed."
    next_action = "Resume in a while, or choose a model of another provider."
    retryable = True
    elsewhere = True
    health = True


class RateLimited(ProviderFailure):
    code = "rate_limited"
    sentence = "The model provider asks to slow down."
    next_action = "Resume in a while, choose a model of another provider, or use a key of your own."


class Overloaded(ProviderFailure):
    code = "provider_overloaded"
    sentence = "The model provider is overloaded."


class ServerError(ProviderFailure):
    code = "provider_error"
    sentence = "The model provider reports a fault of its own."


class ConnectionFailed(ProviderFailure):
    code = "connection_failed"
    sentence = "The model provider cannot be reached."
    next_action = "Check the network and the provider's base URL if this goes on."


class TimedOut(ProviderFailure):
    code = "first_token_timeout"
    sentence = "The model did not begin to answer in time."


class StreamStalled(ProviderFailure):
    code = "stream_stalled"
    sentence = "The model stopped in the middle of its answer."


class StreamBroken(ProviderFailure):
    code = "stream_broken"
    sentence = "The connection closed before the answer was complete."


class UnreadableAnswer(ProviderFailure):
    code = "unreadable_answer"
    sentence = "The provider sent something that is not an answer."
    next_action = "Check the base URL if this goes on: a proxy or a wrong server may be answering."


class GatewayFailed(ProviderFailure):
    code = "gateway_failed"
    sentence = "The AI gateway failed; the provider behind it was not reached."
    next_action = "Check the gateway's address and token; calls go to the provider directly meanwhile."
    health = False


class CallRejected(InferenceError):
    code = "call_rejected"
    sentence = "The provider rejected the request."
    next_action = "Change the request or the model."


class AuthFailed(CallRejected):
    code = "auth_failed"
    sentence = "The provider does not accept the API key."
    next_action = "Set a valid key for this provider."


class AddressNotAllowed(CallRejected):
    code = "address_not_allowed"
    sentence = "The address of this model server may not be used."
    next_action = "Use a public address, or let the operator set STICH_ALLOW_PRIVATE_ADDRESSES=1."


class OutOfCredit(CallRejected):
    code = "out_of_credit"
    sentence = "The provider account has no credit left."
    next_action = "Add credit at the provider, or choose a model of another provider."
    elsewhere = True


class ModelNotFound(CallRejected):
    code = "model_not_found"
    sentence = "The provider does not serve this model to this account."
    next_action = "Choose another model."
    elsewhere = True


class NoRecording(CallRejected):
    code = "demo_no_recording"
    sentence = "There is no recording of this."
    next_action = "Try one of the examples, or set a provider's API key (for example OPENAI_API_KEY) and start again."


class InvalidRequest(CallRejected):
    code = "invalid_request"
    sentence = "The provider says that the request is invalid."


class ContextTooLong(CallRejected):
    code = "context_too_long"
    sentence = "The request is longer than the model can read."
    next_action = "Shorten the context, or choose a model with a larger window."


class ContentRefused(CallRejected):
    code = "content_refused"
    sentence = "The provider declined to answer this content."
    next_action = "Reword the request."


class UnusableAnswer(InferenceError):
    code = "unusable_answer"
    sentence = "The model's answer cannot be used."
    retryable = True
    elsewhere = True


class OutputTruncated(UnusableAnswer):
    code = "output_truncated"
    sentence = "The answer was longer than the output limit."
    next_action = "Raise the output limit of this action, or ask for less at once."


class MalformedOutput(UnusableAnswer):
    code = "malformed_output"
    sentence = "The answer does not have the form that was asked for."


class MalformedToolCall(UnusableAnswer):
    code = "malformed_tool_call"
    sentence = "The model asked for a tool in a form that the provider could not read."


class NotConfigured(InferenceError):
    code = "not_configured"
    sentence = "No model provider is configured that could serve this."
    next_action = "Set a provider's API key (for example OPENAI_API_KEY), or start the demo model."


def rejects(code: str | None) -> bool:
    """Whether a call that failed with `code` would fail in the same way again at the same place."""
    kinds: list[type[InferenceError]] = [InferenceError]
    for kind in kinds:  # grows while it is walked: the whole tree
        kinds += kind.__subclasses__()
    return any(kind.code == code and not kind.retryable for kind in kinds)


def _named(error: InferenceError) -> str:
    """The sentence with the provider's name in it, where it has one."""
    known = PROVIDERS.get(error.provider)
    return error.sentence.replace("The model provider", known.title) if known else error.sentence


def to_application_error(
    error: InferenceError, *, attempt: int = 1, waits: bool = True, steps_left: int = 0, then: str = ""
) -> ApplicationError:
    """`error` as Temporal reads it.

    `waits` says whether the next attempt goes to where the failure's `Retry-After` holds (only then it is waited for);
    `steps_left` is how many other steps the route has, `then` what the next attempt does, in plain words. Details are
    one JSON object: code, sentence, next_action, provider, model, retry_after, attempt, then.
    """
    retry_after = error.retry_after if waits else None
    too_long = retry_after is not None and retry_after > LONG_WAIT
    again = error.retryable and not too_long
    moves_on = error.elsewhere and steps_left > 0 and not too_long
    details = {
        "code": error.code,
        "sentence": _named(error),
        "detail": error.detail,
        "next_action": error.next_action,
        "provider": error.provider,
        "model": error.model,
        "retry_after": error.retry_after,
        "attempt": attempt,
        "then": then,
    }
    return ApplicationError(
        str(error),
        details,
        type=type(error).__name__,
        non_retryable=not (again or moves_on),
        next_retry_delay=timedelta(seconds=retry_after) if retry_after is not None and again else None,
        category=ApplicationErrorCategory.BENIGN
        if isinstance(error, RateLimited)
        else ApplicationErrorCategory.UNSPECIFIED,
    )
