"""The OpenAPI 3.1 document, made from the table of endpoints and the pydantic models: nothing is written twice."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from api.endpoints import Answer, Endpoint
from api.problems import (
    BAD_JSON,
    FOREIGN_ORIGIN,
    INVALID,
    LIMIT_REACHED,
    NOT_ALLOWED,
    NOT_OPERATOR,
    NOT_SIGNED_IN,
    SCOPE_MISSING,
    TOO_LARGE,
    WRONG_TYPE,
    Kind,
    Refusal,
)
from schemas.http import Problem

Json = dict[str, Any]

DESCRIPTION = (
    "stich turns a prompt into a working web application. A session is durable: it goes on when any process that "
    "serves it ends. Errors are problem documents (RFC 9457) with a `code` for programs, a plain sentence and what "
    "to do next."
)
PATH_PARAMETERS = {
    "session_id": "Id of a session.",
    "path": "Path of a file in the project, slashes included.",
    "sign_in_id": "Id of a sign-in.",
    "link_id": "Id of a share link.",
    "key_id": "Id of an API key.",
    "user_id": "Id of a user.",
    "provider": "Name of a provider: of accounts (google, github) or of models (openai, anthropic, ...).",
    "provider_id": "Your name for a server: letters, digits and hyphens.",
    "ticket": "What `stich up` tells the page of Temporal that it starts.",
    "action": "What a model call is for, such as blueprint or code_review.",
    "version": "Number of a version, as the history lists it.",
    "message_id": "Id of a message, as its sender chose it or the service answered it.",
    "webhook_id": "Id of a webhook.",
    "phase_id": "Id of a phase, as the session lists it.",
    "image_id": "Id of an uploaded picture.",
    "target": "Where an application is published: cloudflare, netlify or vercel.",
    "sha256": "SHA-256 of an image, as a phase names it.",
}


def openapi_document(endpoints: Sequence[Endpoint], version: str, cookie_name: str) -> Json:
    """The document as JSON data."""
    references, definitions = _schemas(endpoints)
    paths: dict[str, Json] = {}
    for endpoint in endpoints:
        path = re.sub(r"\{(\w+):\w+\}", r"{\1}", endpoint.path)
        paths.setdefault(path, {})[endpoint.method.lower()] = _operation(endpoint, path, references)
    return {
        "openapi": "3.1.0",
        "info": {"title": "stich", "version": version, "description": DESCRIPTION},
        "security": [{"bearer": []}, {"cookie": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": cookie_name},
            },
            "schemas": definitions,
        },
    }


class _References:
    """Where each type of the table is described in the document."""

    def __init__(self, schemas: Mapping[tuple[str, JsonSchemaMode], Json]) -> None:
        self._schemas = schemas

    def __call__(self, type_: Any, mode: JsonSchemaMode) -> Json:
        return self._schemas[(repr(type_), mode)]


def _schemas(endpoints: Sequence[Endpoint]) -> tuple[_References, Json]:
    wanted: dict[tuple[str, JsonSchemaMode], Any] = {(repr(Problem), "serialization"): Problem}
    for endpoint in endpoints:
        if endpoint.body is not None:
            wanted[(repr(endpoint.body), "validation")] = endpoint.body
        if endpoint.answer.schema is not None:
            wanted[(repr(endpoint.answer.schema), "serialization")] = endpoint.answer.schema
    found, shared = TypeAdapter.json_schemas(
        [(key, mode, TypeAdapter(type_)) for (key, mode), type_ in wanted.items()],
        ref_template="#/components/schemas/{model}",
    )
    return _References(found), shared.get("$defs", {})


def _operation(endpoint: Endpoint, path: str, references: _References) -> Json:
    operation: Json = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "responses": {str(endpoint.answer.status): _answer(endpoint.answer, references)},
    }
    if endpoint.open:
        operation["security"] = []
    if parameters := [*_path_parameters(path), *_parameters(endpoint.query, "query"), *_headers(endpoint)]:
        operation["parameters"] = parameters
    if endpoint.body is not None:
        content: Json = {"schema": references(endpoint.body, "validation")}
        if endpoint.body_example is not None:
            example = endpoint.body_example
            if isinstance(example, BaseModel):
                example = example.model_dump(mode="json", exclude_unset=True)
            content["example"] = example
        operation["requestBody"] = {"required": True, "content": {"application/json": content}}
    if endpoint.upload:
        binary: Json = {"schema": {"type": "string", "format": "binary"}}
        operation["requestBody"] = {"required": True, "content": dict.fromkeys(endpoint.upload, binary)}
    for status, kinds in _problems(endpoint).items():
        operation["responses"][str(status)] = _problem(kinds, references)
    return operation


def _answer(answer: Answer, references: _References) -> Json:
    described: Json = {"description": answer.description}
    if answer.headers:
        described["headers"] = {
            name: {"description": text, "schema": {"type": "string"}} for name, text in answer.headers
        }
    if answer.schema is not None:
        content: Json = {"schema": references(answer.schema, "serialization")}
        if isinstance(answer.example, BaseModel):
            content["example"] = answer.example.model_dump(mode="json")
        elif answer.example is not None:
            content["example"] = answer.example
        described["content"] = {answer.media_type: content}
    return described


def _path_parameters(path: str) -> list[Json]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": PATH_PARAMETERS[name],
            "schema": {"type": "string"},
        }
        for name in re.findall(r"\{(\w+)\}", path)
    ]


def _parameters(model: type[BaseModel] | None, where: str) -> list[Json]:
    """The fields of a flat model as parameters."""
    if model is None:
        return []
    schema = model.model_json_schema()
    required = schema.get("required", [])
    return [
        {
            "name": name,
            "in": where,
            "required": name in required,
            "description": field.pop("description", ""),
            "schema": field,
        }
        for name, field in schema["properties"].items()
    ]


def _headers(endpoint: Endpoint) -> list[Json]:
    return [{**header, "name": header["name"].title()} for header in _parameters(endpoint.headers, "header")]


def _problems(endpoint: Endpoint) -> dict[int, list[Kind]]:
    """The kinds of problem an endpoint answers, by status: its own, and those that its shape implies."""
    kinds = list(endpoint.problems)
    if not endpoint.open:
        kinds += [NOT_SIGNED_IN, FOREIGN_ORIGIN, SCOPE_MISSING, LIMIT_REACHED]
    if endpoint.needed_scope == "operator":
        kinds.append(NOT_OPERATOR)
    if "{session_id}" in endpoint.path and endpoint.needed_scope != "read":
        kinds.append(NOT_ALLOWED)
    if endpoint.body is not None:
        kinds += [BAD_JSON, TOO_LARGE, WRONG_TYPE, INVALID]
    elif endpoint.query is not None or endpoint.headers is not None:
        kinds.append(INVALID)
    by_status: dict[int, list[Kind]] = {}
    for kind in dict.fromkeys(kinds):
        by_status.setdefault(kind.status, []).append(kind)
    return dict(sorted(by_status.items()))


def _problem(kinds: list[Kind], references: _References) -> Json:
    examples = {
        kind.code: {"value": Refusal(kind, f"{kind.title}.").problem("5f2c7e1a90b34d68").model_dump(mode="json")}
        for kind in kinds
    }
    described: Json = {
        "description": "; ".join(f"{kind.title} (`{kind.code}`)" for kind in kinds),
        "content": {"application/problem+json": {"schema": references(Problem, "serialization"), "examples": examples}},
    }
    if any(kind.retry_after is not None for kind in kinds):
        described["headers"] = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
    return described
