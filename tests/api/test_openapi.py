"""The document describes exactly the routes that answer, with examples that fit."""

import re
from typing import Any

import pytest
from pydantic import TypeAdapter
from starlette.routing import Route

from api.app import ENDPOINTS
from api.endpoints import Endpoint
from api.openapi import openapi_document
from api.pages import Pages
from schemas.http import Problem
from tests.api.conftest import Service

Json = dict[str, Any]
DOCUMENT = openapi_document(ENDPOINTS, "1.2.3", "stich_8080")


OPEN = {(endpoint.method, endpoint.path) for endpoint in ENDPOINTS if endpoint.open}


def operations() -> dict[tuple[str, str], Json]:
    return {
        (method.upper(), path): operation
        for path, item in DOCUMENT["paths"].items()
        for method, operation in item.items()
    }


async def test_every_route_is_in_the_document_and_back(service: Service) -> None:
    document = (await service.anonymous.get("/openapi.json")).json()
    assert document["openapi"] == "3.1.0"
    described = {(m.upper(), path) for path, item in document["paths"].items() for m in item}
    pages = {route.path for route in Pages(None).routes() if isinstance(route, Route)}
    answering = {
        (method, re.sub(r"\{(\w+):\w+\}", r"{\1}", route.path))
        for route in service.app.routes
        if isinstance(route, Route) and route.path not in pages
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert described == answering


def test_names_of_operations_are_unique() -> None:
    names = [operation["operationId"] for operation in operations().values()]
    assert len(set(names)) == len(names)


def references(node: object) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*(references(value) for value in node.values()))
    if isinstance(node, list):
        return set().union(*(references(value) for value in node))
    return set()


def test_every_reference_leads_somewhere() -> None:
    found = references(DOCUMENT)
    assert found == {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]}


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_examples_fit_their_schemas(endpoint: Endpoint) -> None:
    operation = operations()[(endpoint.method, re.sub(r"\{(\w+):\w+\}", r"{\1}", endpoint.path))]
    answer = operation["responses"][str(endpoint.answer.status)]
    if endpoint.answer.schema is not None and endpoint.answer.media_type == "application/json":
        example = answer["content"]["application/json"].get("example")
        assert example is not None or endpoint.name == "openapi"
        if example is not None:
            TypeAdapter(endpoint.answer.schema).validate_python(example)
    if endpoint.body is not None:
        endpoint.body.model_validate(operation["requestBody"]["content"]["application/json"]["example"])
    for name in re.findall(r"\{(\w+)", endpoint.path):
        assert any(parameter["name"] == name for parameter in operation["parameters"])


def test_every_closed_operation_says_so() -> None:
    for (method, path), operation in operations().items():
        is_open = (method, path) in OPEN
        assert "not_signed_in" in str(operation["responses"].get("401")) or is_open, (method, path)
        assert (operation.get("security") == []) == is_open


def test_problems_are_described_by_their_model() -> None:
    for operation in operations().values():
        for status, response in operation["responses"].items():
            for content in (
                content for kind, content in response.get("content", {}).items() if kind == "application/problem+json"
            ):
                for example in content["examples"].values():
                    assert Problem.model_validate(example["value"]).status == int(status)


def test_headers_and_queries_come_from_their_models() -> None:
    create = operations()[("POST", "/api/sessions")]["parameters"]
    assert [(parameter["in"], parameter["name"]) for parameter in create] == [("header", "Idempotency-Key")]
    listed = operations()[("GET", "/api/sessions")]["parameters"]
    assert {parameter["name"]: parameter["schema"].get("maximum") for parameter in listed} == {
        "before": None,
        "limit": 100,
        "q": None,
        "show": None,
    }
