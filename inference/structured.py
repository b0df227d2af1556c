"""Answers in a given form: the schema in each vendor's own words, and the reading of what comes back.

A provider that follows a schema gets it ("native"); one that only calls tools gets a tool whose arguments are the
answer ("tool"); any other is told the schema in words ("instruction") and its answer is read with tolerance. Whatever
the way, the pydantic model decides in the end: nothing is filled in, a refusal is not an answer.
"""

import copy
import itertools
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import orjson
from pydantic import BaseModel, JsonValue, ValidationError

if TYPE_CHECKING:
    from inference.wire import Target
    from schemas.inference import ModelCall

OutputMode = Literal["text", "native", "tool", "instruction"]
T = TypeVar("T", bound=BaseModel)
Schema = dict[str, Any]

_LIMITS = (
    "minLength", "maxLength", "pattern", "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
    "multipleOf", "minItems", "maxItems", "uniqueItems",
)  # fmt: skip
"""Constraints that strict modes do not take. They go into the description; pydantic enforces them."""


class NotInForm(ValueError):
    """The answer does not fit the schema. `problems` says where, for the model that is to repair it."""

    def __init__(self, problems: str) -> None:
        super().__init__(problems)
        self.problems = problems


def output_mode(call: "ModelCall", target: "Target") -> OutputMode:
    """How `target` is asked for the form that `call` wants."""
    if call.output_schema is None:
        return "text"
    able = target.provider.native_schema and target.model.native_schema
    google_conflict = target.provider.dialect == "google" and call.tools and target.model.thinking != "level"
    if able and not google_conflict:
        return "native"
    if target.model.tools and not call.tools and target.model.listed:
        return "tool"
    return "instruction"


def schema_of(model: type[BaseModel]) -> dict[str, JsonValue]:
    """The JSON schema that an answer of `model` must fit."""
    return model.model_json_schema(mode="validation")


def instruction(schema: Mapping[str, Any]) -> str:
    """The words that ask for an answer in the form of `schema`."""
    text = orjson.dumps(schema, option=orjson.OPT_INDENT_2).decode()
    return f"Answer with one JSON object and nothing else, valid against this JSON schema:\n{text}"


# --- schemas in the vendors' words -----------------------------------------------------------------------------------


def strict_schema(schema: Mapping[str, Any]) -> tuple[Schema, bool]:
    """(`schema` in the strict subset, whether it fits there).

    Every object is closed and all its properties are required; an optional one becomes nullable, which `read` undoes.
    A schema with free-form objects does not fit: it is returned as it was.
    """
    if _has_free_objects(schema):
        return dict(copy.deepcopy(schema)), False
    strict = _strict(copy.deepcopy(dict(schema)))
    return strict, True


def _has_free_objects(node: Any) -> bool:
    if isinstance(node, list):
        return any(_has_free_objects(each) for each in node)
    if not isinstance(node, Mapping):
        return False
    if node.get("additionalProperties"):
        return True
    if node.get("type") == "object" and "properties" not in node:
        return True
    if not node.keys() - {"title", "description", "default"}:
        return True  # anything at all may stand here
    return any(_has_free_objects(child) for child in _children(node))


def _children(node: Mapping[str, Any]) -> list[Any]:
    """Sub-schemas, with the names of properties and definitions kept apart from keywords of the same name."""
    found: list[Any] = []
    for keyword in ("properties", "$defs", "definitions"):
        found += list((node.get(keyword) or {}).values())
    for keyword in ("items", "not", "if", "then", "else"):
        if isinstance(node.get(keyword), Mapping):
            found.append(node[keyword])
    for keyword in ("anyOf", "oneOf", "allOf", "prefixItems"):
        found += list(node.get(keyword) or [])
    return found


def _strict(node: Schema) -> Schema:
    for keyword in ("default", "title", "$schema", "examples", "discriminator"):
        node.pop(keyword, None)
    if "oneOf" in node:
        node["anyOf"] = node.pop("oneOf")
    if len(node.get("allOf") or ()) == 1:
        node |= node.pop("allOf")[0]
    if "const" in node:
        node["enum"] = [node.pop("const")]
    if "$ref" in node:
        return {"$ref": node["$ref"]}  # nothing may stand beside a reference
    limits = [f"{name}: {node.pop(name)}" for name in _LIMITS if name in node]
    if limits:
        node["description"] = f"{node.get('description', '')} ({', '.join(limits)})".strip()
    if "properties" in node:
        required = set(node.get("required", ()))
        node["properties"] = {
            name: _strict(child) if name in required else _nullable(_strict(child))
            for name, child in node["properties"].items()
        }
        node["required"] = list(node["properties"])
        node["additionalProperties"] = False
    for keyword in ("$defs", "definitions"):
        if keyword in node:
            node[keyword] = {name: _strict(child) for name, child in node[keyword].items()}
    if isinstance(node.get("items"), dict):
        node["items"] = _strict(node["items"])
    for keyword in ("anyOf", "allOf", "prefixItems"):
        if keyword in node:
            node[keyword] = [_strict(child) for child in node[keyword]]
    return node


def _nullable(node: Schema) -> Schema:
    if node.get("type") == "null" or {"type": "null"} in node.get("anyOf", ()):
        return node
    if "anyOf" in node:
        return {**node, "anyOf": [*node["anyOf"], {"type": "null"}]}
    return {"anyOf": [node, {"type": "null"}]}


def google_schema(schema: Mapping[str, Any]) -> Schema:
    """`schema` without the keywords that Google's reader rejects."""
    return _google(copy.deepcopy(dict(schema)))


def _google(node: Schema) -> Schema:
    for keyword in ("default", "$schema", "examples", "discriminator", "exclusiveMinimum", "exclusiveMaximum"):
        node.pop(keyword, None)
    if "const" in node:
        node["enum"] = [node.pop("const")]
    for keyword in ("properties", "$defs", "definitions"):
        if keyword in node:
            node[keyword] = {name: _google(child) for name, child in node[keyword].items()}
    for keyword in ("items", "additionalProperties"):
        if isinstance(node.get(keyword), dict):
            node[keyword] = _google(node[keyword])
    for keyword in ("anyOf", "oneOf", "allOf", "prefixItems"):
        if keyword in node:
            node[keyword] = [_google(child) for child in node[keyword]]
    return node


# --- reading ---------------------------------------------------------------------------------------------------------


def read(text: str, model: type[T], schema: Mapping[str, Any]) -> T:
    """`text` as `model`. Raises NotInForm with what is wrong, in words that a model can act on."""
    value = json_in(text)
    if value is None:
        raise NotInForm("the answer is not JSON" if text.strip() else "the answer is empty")
    try:
        return model.model_validate(value)
    except ValidationError as first:
        try:
            return model.model_validate(_without_nulls(value, schema, schema))
        except ValidationError:
            raise NotInForm(problems(first)) from None


def problems(error: ValidationError, limit: int = 12) -> str:
    """The errors of a validation, one a line, without the values."""
    lines = [
        f"{'.'.join(str(step) for step in each['loc']) or '(the whole answer)'}: {each['msg']}"
        for each in error.errors(include_url=False, include_input=False, include_context=False)
    ]
    return "\n".join(lines[:limit] + ([f"and {len(lines) - limit} more"] if len(lines) > limit else []))


MOST_STARTS = 20
"""How many opening brackets are tried as the beginning of the value."""

MOST_WORK = 300_000
"""How many strings and brackets are looked at in all: an answer made of brackets must not hold up the process."""

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]]', re.DOTALL)
_FENCE = re.compile(r"```[a-zA-Z0-9]*\s*\n(.*?)```", re.DOTALL)


def json_in(text: str) -> Any | None:
    """The JSON value in `text`: the whole of it, a fenced block of it, or the first object or array that is complete.
    None where there is none. Nothing is guessed: a value that is cut off is not a value."""
    text = text.strip().removeprefix("\ufeff")
    for candidate in (text, *(match.group(1).strip() for match in _FENCE.finditer(text))):
        try:
            value = orjson.loads(candidate)
        except orjson.JSONDecodeError:
            continue
        if isinstance(value, (dict, list)):
            return value
    work = MOST_WORK
    for start in itertools.islice(re.finditer(r"[{\[]", text), MOST_STARTS):
        end, work = _closing(text, start.start(), work)
        if end is None:
            continue
        try:
            return orjson.loads(text[start.start() : end])
        except orjson.JSONDecodeError:
            continue
    return None


def _closing(text: str, start: int, work: int) -> tuple[int | None, int]:
    """(where the bracket at `start` is closed, strings skipped; what is left of `work`)."""
    depth = 0
    for token in itertools.islice(_TOKEN.finditer(text, start), work):
        work -= 1
        if token.group() in ("{", "["):
            depth += 1
        elif token.group() in ("}", "]"):
            depth -= 1
            if depth == 0:
                return token.end(), work
    return None, work


def _without_nulls(value: Any, node: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    """`value` without the nulls that stand for optional properties left out (see `strict_schema`)."""
    if isinstance(reference := node.get("$ref"), str):
        target: Any = root
        for step in reference.removeprefix("#/").split("/"):
            target = target.get(step, {}) if isinstance(target, Mapping) else {}
        node = target
    branches = [child for key in ("anyOf", "oneOf", "allOf") for child in node.get(key, ())]
    if isinstance(value, dict):
        known = dict(node.get("properties") or {})
        for branch in branches:
            if isinstance(branch.get("$ref"), str) or branch.get("properties"):
                value = _without_nulls(value, branch, root)
        required = set(node.get("required", ()))
        return {
            name: _without_nulls(child, known.get(name, {}), root)
            for name, child in value.items()
            if child is not None or name not in known or name in required
        }
    if isinstance(value, list):
        items = node.get("items")
        for branch in branches:
            items = items or branch.get("items")
        return [_without_nulls(child, items if isinstance(items, Mapping) else {}, root) for child in value]
    return value
