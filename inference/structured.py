"""Answers in a given form: the schema in each vendor's own words, and the reading of what comes back.

A provider that follows a schema gets it ("native"); one that only calls tools gets a tool whose arguments are the
answer ("tool"); any other is told the schema in words ("instruction") and its answer is read with tolerance. Whatever
the way, the pydantic model decides in the end: nothing is filled in, a refusal is not an answer.
"""

import copy
import itertools
import re
from collections.abc import Iterator, Mapping
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
    provider = target.provider
    able = provider.native_schema and target.model.native_schema and (provider.schema_streams or not target.stream)
    google_conflict = provider.dialect == "google" and call.tools and target.model.thinking != "level"
    too_loose = not provider.loose_schema and _has_free_objects(call.output_schema)
    if able and not google_conflict and not too_loose:
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
    value = json_in(text, _kind(schema))
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
_OPENING = re.compile(r"[{\[]")
_FENCE = re.compile(r"```[a-zA-Z0-9]*\s*\n(.*?)```", re.DOTALL)


def json_in(text: str, kind: type[dict[str, Any]] | type[list[Any]] | None = None) -> Any | None:
    """The JSON value in `text`: the whole of it, a fenced block of it, or an object or array that is complete. The
    first of `kind` goes before one of the other kind, which may be part of the talk around it. None where there is
    none. Nothing is guessed: a value that is cut off is not a value, nor is what stands inside another one."""
    text = text.strip().removeprefix("\ufeff")
    whole = _loaded(text)
    if whole is not None:
        return whole
    first = None
    for value in _values(text):
        if kind is None or isinstance(value, kind):
            return value
        first = value if first is None else first
    return first


def _values(text: str) -> Iterator[Any]:
    for match in _FENCE.finditer(text):
        if (value := _loaded(match.group(1).strip())) is not None:
            yield value
    work, position = MOST_WORK, 0
    for _ in range(MOST_STARTS):
        if (start := _OPENING.search(text, position)) is None:
            return
        end, work = _closing(text, start.start(), work)
        position = start.end()
        if end is not None and (value := _loaded(text[start.start() : end])) is not None:
            position = end
            yield value


def _loaded(text: str) -> Any | None:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, (dict, list)) else None


def _kind(schema: Mapping[str, Any]) -> type[dict[str, Any]] | type[list[Any]] | None:
    """What an answer in the form of `schema` is, where the schema says so at its root."""
    node = _referred(schema, schema)
    if node.get("type") == "object" or "properties" in node:
        return dict
    return list if node.get("type") == "array" else None


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


def _referred(node: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """`node`, or what it refers to in `root`."""
    if not isinstance(reference := node.get("$ref"), str):
        return node
    target: Any = root
    for step in reference.removeprefix("#/").split("/"):
        target = target.get(step, {}) if isinstance(target, Mapping) else {}
    return target if isinstance(target, Mapping) else {}


def _without_nulls(value: Any, node: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    """`value` without the nulls that stand for optional properties left out (see `strict_schema`)."""
    node = _referred(node, root)
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
