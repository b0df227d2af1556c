"""Addresses and bodies for any route of the table, for tests that try all of them."""

import re
from typing import Any

from api.endpoints import Endpoint

QUERIES = {"git_refs": "?service=git-receive-pack"}
"""What a route cannot be asked without."""


def path_of(endpoint: Endpoint, **values: str) -> str:
    """An address of the route; names that are not given become `x`."""
    path = re.sub(r"\{(\w+)(:\w+)?\}", lambda found: values.get(found[1], "x"), endpoint.path)
    return path + QUERIES.get(endpoint.name, "")


def example_of(endpoint: Endpoint) -> Any:
    """The documented body."""
    example = endpoint.body_example
    return example.model_dump(mode="json", exclude_unset=True) if hasattr(example, "model_dump") else example
