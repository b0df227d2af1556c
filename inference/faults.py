"""From what a provider says when it fails to one of the typed errors.

Status codes come first, then the words: providers agree on the former more than on the latter.
"""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from inference.errors import (
    AuthFailed,
    ContentRefused,
    ContextTooLong,
    GatewayFailed,
    InferenceError,
    InvalidRequest,
    MalformedOutput,
    MalformedToolCall,
    ModelNotFound,
    NoRecording,
    OutOfCredit,
    OutputTruncated,
    Overloaded,
    RateLimited,
    ServerError,
    TimedOut,
)

_CONTEXT = re.compile(
    r"context[_ ](length|window|limit|size)|maximum (context|prompt length)|prompt is too long|prompt exceeds max|"
    r"too many (input )?tokens|input token count|model token limit|range of input length|"
    r"exceeds? the (maximum|max|model'?s) (number of )?(input )?(tokens|context|length)|"
    r"reduce the length|input (is )?too long|request too large",
    re.IGNORECASE,
)
_CREDIT = re.compile(
    r"insufficient[_ ](quota|credits?|balance|funds)|credit balance|billing_(error|hard_limit)|payment required|"
    r"out of credits?",
    re.IGNORECASE,
)
_REFUSED = re.compile(
    r"content[_ ](policy|filter)|content management policy|safety(?!_?(identifier|settings?))|flagged|moderation|"
    r"invalid_prompt|limited access to this content|data_inspection_failed|inappropriate content|content exists risk",
    re.IGNORECASE,
)
_PARAMETER = re.compile(
    r"(unknown|unsupported|unrecogni[sz]ed|unexpected)[_ ](request[_ ])?(parameter|argument|field|name)\b|"
    r"invalid[_ ](request[_ ])?(parameter|field|name)\b|unsupported_value|extra inputs are not permitted",
    re.IGNORECASE,
)
"""A parameter that the server does not take. What it is called is no reason."""
_KEY = re.compile(
    r"(invalid|incorrect|wrong|missing|no)[_ ](x-)?api[_ -]?key|"
    r"api[_ ]?key[_ ](is )?(not valid|invalid|expired|missing)|"
    r"authentication[_ ](error|fail|token)|unauthori[sz]ed|no auth credentials|permission[_ ](denied|error)",
    re.IGNORECASE,
)
_FORM = re.compile(r"json_validate_failed|failed to (generate|validate) json", re.IGNORECASE)
_TOOL = re.compile(r"tool_use_failed|malformed_function_call|failed to call a function|tool call validation", re.I)
_NO_MODEL = re.compile(
    r"model[_ ]not[_ ](found|available|exist)|not_found_error|(unknown|invalid|no such)[_ ]model|not a valid model|"
    r"model .{0,80} does not exist|location is not supported",
    re.IGNORECASE,
)
_TRUNCATED = re.compile(r"token limit reached|max(imum)?[_ ](output|completion)?[_ ]?tokens? (limit )?reached", re.I)
_LIMITED = re.compile(r"rate[_ -]?limit|resource_exhausted|too many requests|quota exceeded", re.I)
_OVERLOADED = re.compile(r"overloaded|unavailable|at capacity|capacity exceeded", re.I)
_TRY_IN = re.compile(
    r"(?:try again|retry)(?:ing)? (?:in|after) (?:about |approximately )?"
    r"((?:\d{1,9}(?:\.\d{1,9})? ?[a-z]{0,12}(?:,? (?:and )?)?){1,4})",
    re.I,
)
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?) ?([a-z]*)", re.I)
_UNITS = {"ms": 0.001, "millisecond": 0.001, "msec": 0.001, "": 1, "s": 1, "sec": 1, "second": 1, "m": 60, "min": 60,
          "minute": 60, "h": 3600, "hr": 3600, "hour": 3600, "d": 86400, "day": 86400}  # fmt: skip
_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")
_FAR = 30 * 24 * 3600.0


def fault(
    status: int, body: Mapping[str, Any] | str, headers: Mapping[str, str], *, provider: str, model: str
) -> InferenceError:
    """The typed error of an HTTP error answer, or of an error object inside a 200 answer (`status` < 400).

    `body` is the JSON answer or the beginning of a text that is none. Header names are lower-case.
    """
    if isinstance(body, Mapping) and body.get("success") is False:
        said = body.get("error") if provider == _SAME_FORM else body.get("error", body.get("errors"))
        if isinstance(said, list):
            return _gateways(status, said, headers, provider=provider, model=model)
    message, code, inner_status, extra = _said(body)
    if status < 400 or (status == 400 and inner_status):
        status = inner_status or next((_STATUS_OF[word] for word in code.split() if word in _STATUS_OF), status)
    kind = _kind(status, f"{code} {message} {extra}")
    detail = message or (body if isinstance(body, str) else "")
    error = kind(
        f"{detail} {extra}".strip(),
        provider=provider,
        model=model,
        status=status,
        reason=code,
        retry_after=retry_after({**headers, **_upstream_headers(body)}, body, message, limited=_is_limit(kind)),
    )
    error.foreign = isinstance(body, str)
    return error


def _gateways(status: int, said: list[Any], headers: Mapping[str, str], *, provider: str, model: str) -> InferenceError:
    """The error that a gateway reports of itself: what its guardrails block is a refusal and its own limit is a limit,
    neither to be gone around; anything else is its failure. None of them says anything about the provider."""
    first = next((each for each in said if isinstance(each, Mapping)), {})
    code, message = first.get("code"), str(first.get("message") or "")
    kind: type[InferenceError] = GatewayFailed
    if code == _GATEWAY_LIMIT or status == 429:
        kind = RateLimited
    elif code in _BLOCKED or _BLOCKED_WORDS.search(message):
        kind = ContentRefused
    error = kind(
        message,
        provider=provider,
        model=model,
        status=status,
        reason=f"gateway {code}",
        retry_after=retry_after(headers, "", message, limited=kind is RateLimited),
    )
    error.health = False
    return error


_BLOCKED = (2016, 2017, 2029, 2030)
"""Codes of the gateway for a prompt and an answer that its guardrails, or its rules against data loss, block."""
_BLOCKED_WORDS = re.compile(r"blocked due to (security|dlp|policy|content)|guardrail", re.I)
_GATEWAY_LIMIT = 2003
_SAME_FORM = "cloudflare"
"""The provider that itself answers with a list of `errors`; in front of the others only a gateway does."""


def _is_limit(kind: type[InferenceError]) -> bool:
    return issubclass(kind, (RateLimited, Overloaded))


def _upstream_headers(body: Mapping[str, Any] | str) -> dict[str, str]:
    """Headers that a router hands on inside the body of its error."""
    error = body.get("error") if isinstance(body, Mapping) else None
    metadata = error.get("metadata") if isinstance(error, Mapping) else None
    headers = metadata.get("headers") if isinstance(metadata, Mapping) else None
    return {str(name).lower(): str(value) for name, value in headers.items()} if isinstance(headers, Mapping) else {}


def _kind(status: int, words: str) -> type[InferenceError]:
    rules: tuple[tuple[bool, type[InferenceError]], ...] = (
        (status == 402 or (bool(_CREDIT.search(words)) and status not in (401, 403)), OutOfCredit),
        (status == 429, RateLimited),
        (status in (503, 529), Overloaded),
        (status in (408, 504), TimedOut),
        (status >= 500, ServerError),
        (bool(_TOOL.search(words)), MalformedToolCall),
        (bool(_FORM.search(words)), MalformedOutput),
        (bool(_TRUNCATED.search(words)), OutputTruncated),
        (status == 413 and bool(_LIMITED.search(words)), RateLimited),
        (bool(_CONTEXT.search(words)) or status == 413, ContextTooLong),
        (status == 401 or bool(_KEY.search(words)), AuthFailed),
        (status in (400, 422) and bool(_PARAMETER.search(words)), InvalidRequest),
        (bool(_REFUSED.search(words)), ContentRefused),
        (status == 403, AuthFailed),
        ("demo_no_recording" in words, NoRecording),
        (status == 404 or bool(_NO_MODEL.search(words)), ModelNotFound),
        (status in (409, 425, 499), ServerError),
        (bool(_LIMITED.search(words)), RateLimited),
        (bool(_OVERLOADED.search(words)), Overloaded),
        (status >= 400, InvalidRequest),
        ("invalid_request" in words, InvalidRequest),
    )
    return next((kind for holds, kind in rules if holds), ServerError)


def _said(body: Mapping[str, Any] | str) -> tuple[str, str, int | None, str]:
    """(message, code, status inside the body as a number, upstream's own words)."""
    if isinstance(body, str):
        return _from_html(body), "", None, ""
    error = body.get("error", body.get("errors", body))
    if isinstance(error, list):
        error = error[0] if error else {}
    if not isinstance(error, Mapping):
        return str(error), "", None, ""
    message = error.get("message") or error.get("detail") or body.get("message") or ""
    code = error.get("code")
    words = [str(value) for value in (error.get("type"), error.get("status"), code) if value and value != "error"]
    details = error.get("details")
    if isinstance(details, list):
        words += [str(each["reason"]) for each in details if isinstance(each, Mapping) and each.get("reason")]
    inner = next(
        (value for value in (error.get("status_code"), code, error.get("status"), body.get("status"))
         if isinstance(value, int) and 400 <= value < 600),
        None,
    )  # fmt: skip
    metadata = error.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, Mapping) else None
    return str(message), " ".join(dict.fromkeys(words)), inner, str(raw) if raw else ""


_STATUS_OF = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "api_error": 500,
    "server_error": 500,
    "internal_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
    "CANCELLED": 499,
    "ABORTED": 409,
}


def _from_html(text: str) -> str:
    if "<" not in text:
        return text
    text = re.sub(r"(?is)<(script|style).*?</\1>", " ", text)
    return re.sub(r"<[^>]*>", " ", text)


def retry_after(
    headers: Mapping[str, str], body: Mapping[str, Any] | str = "", message: str = "", *, limited: bool = True
) -> float | None:
    """Seconds to wait, as the provider says: `retry-after-ms`, `retry-after` (seconds or a date), Google's RetryInfo,
    the rate-limit reset headers of an exhausted limit where a limit is what failed (`limited`: answers of every kind
    carry them), or the words of the message. None where it does not."""
    now = datetime.now(UTC)
    for value in (
        _milliseconds(headers.get("retry-after-ms")),
        _seconds_or_date(headers.get("retry-after"), now),
        _retry_info(body),
        _resets(headers, now) if limited else None,
        _in_words(message),
    ):
        if value is not None:
            return min(max(value, 0.0), _FAR)
    return None


def _milliseconds(text: str | None) -> float | None:
    value = _float(text)
    return None if value is None else value / 1000


def _seconds_or_date(text: str | None, now: datetime) -> float | None:
    if not text:
        return None
    if (value := _float(text)) is not None:
        return value
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return _timestamp(text, now) or _span(text)
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return (when - now).total_seconds()


def _resets(headers: Mapping[str, str], now: datetime) -> float | None:
    """The latest reset among the limits that are exhausted: OpenAI, Groq (`6m0s`), Cerebras (seconds), OpenRouter
    (milliseconds since the epoch) and Anthropic (RFC 3339) each write it in their own way."""
    waits = []
    for name, value in headers.items():
        if "ratelimit" not in name or "reset" not in name:
            continue
        remaining = headers.get(name.replace("reset", "remaining"))
        if _float(remaining) is not None and _float(remaining) != 0:
            continue
        waits.append(_reset(value, now))
    known = [wait for wait in waits if wait is not None]
    return max(known) if known else None


def _reset(text: str, now: datetime) -> float | None:
    value = _float(text)
    if value is None:
        return _timestamp(text, now) or _span(text)
    if value > 1e11:
        return value / 1000 - now.timestamp()
    return value - now.timestamp() if value > 1e9 else value


def _retry_info(body: Mapping[str, Any] | str) -> float | None:
    if isinstance(body, str):
        return None
    error = body.get("error")
    details = error.get("details") if isinstance(error, Mapping) else None
    for detail in details if isinstance(details, list) else ():
        delay = detail.get("retryDelay") if isinstance(detail, Mapping) else None
        if isinstance(delay, str):
            return _span(delay)
    return None


def _in_words(message: str) -> float | None:
    """The time in "try again in 6m0s", "in 850ms", "in 20 minutes", "in 1 hour and 5 minutes", "in 20"."""
    found = _TRY_IN.search(message)
    if not found:
        return None
    waits: list[float] = []
    for amount, unit in _AMOUNT.findall(found.group(1)):
        unit = unit.lower()
        seconds = _UNITS.get(unit, _UNITS.get(unit.removesuffix("s")))
        if seconds is None:
            if waits:
                break  # the sentence goes on
            return None
        waits.append(float(amount) * seconds)
    return sum(waits)


def _span(text: str) -> float | None:
    found = _DURATION.fullmatch(text.strip())
    if not found or not any(found.groups()):
        return None
    hours, minutes, seconds, millis = (float(group or 0) for group in found.groups())
    return hours * 3600 + minutes * 60 + seconds + millis / 1000


def _timestamp(text: str, now: datetime) -> float | None:
    try:
        when = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return (when - now).total_seconds() if when.tzinfo else None


def _float(text: str | None) -> float | None:
    try:
        value = float(text) if text else None
    except ValueError:
        return None
    return value if value is not None and math.isfinite(value) else None
