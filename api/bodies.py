"""Reads what a request brings (JSON body, query, headers) into its model, and says in plain words what does not fit."""

import asyncio
from collections.abc import Mapping
from typing import TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails
from starlette.requests import Request

from api.problems import BAD_JSON, INVALID, SLOW_BODY, TOO_LARGE, WRONG_TYPE, Refusal

JSON_LIMIT = 64 * 1024
"""Bytes of an ordinary JSON body."""
PROMPT_LIMIT = 256 * 1024
"""Bytes of a body that holds a prompt: 20,000 characters take up to 240 KB when each is escaped as a surrogate pair."""
MAX_DEPTH = 16
BODY_SECONDS = 10.0

Model = TypeVar("Model", bound=BaseModel)


class Nothing(BaseModel):
    """The body of a request that has nothing to say: an empty object, or no body at all."""

    model_config = ConfigDict(extra="forbid")


async def read_nothing(request: Request) -> None:
    """Raises Refusal 400, 408, 413 or 422 when the request brings a body that says anything."""
    if raw := (await read_bytes(request, JSON_LIMIT, BODY_SECONDS)).strip():
        _parse(raw, Nothing)


async def read_json(request: Request, model: type[Model], limit: int = JSON_LIMIT) -> Model:
    """The request's JSON body as `model`. Raises Refusal: 400, 408, 413, 415 or 422."""
    require_json_type(request)
    return _parse(await read_bytes(request, limit, BODY_SECONDS), model)


async def read_bytes(request: Request, limit: int, seconds: float) -> bytes:
    """The request's body as it is, at most `limit` bytes within `seconds`. Raises Refusal: 408, 413."""
    try:
        async with asyncio.timeout(seconds):
            return await _read(request, limit)
    except TimeoutError:
        raise Refusal(SLOW_BODY, f"The body did not arrive within {seconds:.0f} seconds.") from None


def _parse(raw: bytes, model: type[Model]) -> Model:
    try:
        data: object = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise Refusal(BAD_JSON, "The body is not valid JSON in UTF-8.") from None
    if not isinstance(data, dict):
        raise Refusal(BAD_JSON, "The body must be a JSON object.")
    _check_content(data)
    return _fit(model, data)


def read_query(request: Request, model: type[Model]) -> Model:
    """The query string as `model`; what the model does not know is ignored. Raises Refusal 422."""
    data: dict[str, object] = dict(request.query_params)
    _check_content(data)
    return _fit(model, data)


def read_headers(request: Request, model: type[Model]) -> Model:
    """Headers as `model`, whose aliases are the names of headers in lower case. Raises Refusal 422."""
    return _fit(model, dict(request.headers))


def require_json_type(request: Request) -> None:
    """Raises Refusal 415 unless the body is declared to be JSON."""
    media_type = request.headers.get("content-type", "").split(";", 1)[0].strip().lower()
    if media_type != "application/json":
        sent = f"not {media_type[:80]!r}" if media_type else "and the request names no type"
        raise Refusal(WRONG_TYPE, f"The body must be JSON, {sent}.")


async def _read(request: Request, limit: int) -> bytes:
    too_large = Refusal(TOO_LARGE, f"The body is larger than the {limit // 1024} KB allowed here.")
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length[:12]) > limit:
        raise too_large
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise too_large
    return bytes(body)


def _check_content(data: object) -> None:
    """Bounds the nesting, and refuses the null character, which the database cannot store."""
    level: list[object] = [data]
    for _ in range(MAX_DEPTH):
        if any("\0" in item for item in level if isinstance(item, str)):
            raise Refusal(INVALID, "The text holds a null character, which cannot be stored.")
        deeper: list[object] = []
        for item in level:
            if isinstance(item, dict):
                deeper.extend(item)
                deeper.extend(item.values())
            elif isinstance(item, list):
                deeper.extend(item)
        if not deeper:
            return
        level = deeper
    raise Refusal(BAD_JSON, f"The JSON is nested deeper than {MAX_DEPTH} levels.")


def _fit(model: type[Model], data: Mapping[str, object]) -> Model:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=True)
        raise Refusal(INVALID, " ".join(map(sentence, details[:3]))) from None


def sentence(error: ErrorDetails) -> str:
    """One validation error in plain words, naming the field."""
    field = ".".join(map(str, error["loc"])) or "body"
    context = error.get("ctx", {})
    match error["type"]:
        case "missing":
            return f"The field “{field}” is missing."
        case "extra_forbidden":
            return f"There is no field “{field[:80]}” here."
        case "string_too_short":
            return f"The field “{field}” is empty."
        case "string_too_long":
            return f"The field “{field}” is longer than the {context['max_length']:,} characters allowed."
        case "string_type":
            return f"The field “{field}” must be text."
        case "literal_error":
            return f"The field “{field}” must be one of: {_names(context['expected'])}."
        case "greater_than_equal":
            return f"The field “{field}” must be at least {context['ge']}."
        case "less_than_equal":
            return f"The field “{field}” must be at most {context['le']}."
        case "int_type" | "int_parsing" | "int_from_float":
            return f"The field “{field}” must be a whole number."
        case "bool_type" | "bool_parsing":
            return f"The field “{field}” must be true or false."
        case "string_pattern_mismatch":
            return f"The field “{field}” holds characters that are not allowed there, or is too long."
        case "value_error":  # a sentence of ours
            where = f"The field “{field}”" if error["loc"] else "The request"
            return f"{where} does not fit: {str(context['error'])[:300].rstrip('.')}."
        case _:
            return f"The field “{field}” does not fit: {error['msg'][:1].lower()}{error['msg'][1:200]}."


def _names(expected: str) -> str:
    """pydantic's `'a', 'b' or 'c'` as `a, b, c`."""
    return expected.replace(" or ", ", ").replace("'", "")
