"""Structured answers: schemas in strict form, and reading with tolerance but without invention."""

import time
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, RootModel

from inference.structured import NotInForm, json_in, read, schema_of, strict_schema


class Part(BaseModel):
    name: str = Field(min_length=1, max_length=9)
    size: int = Field(default=3, ge=0)
    note: str | None = None


class Plan(BaseModel):
    title: str
    kind: Literal["a", "b"] = "a"
    parts: list[Part] = Field(default_factory=list)
    default: int = 7
    main: Part | None = None


class Free(BaseModel):
    extras: dict[str, str]


def parse(text: str) -> Plan:
    return read(text, Plan, schema_of(Plan))


def test_a_property_named_like_a_keyword_survives() -> None:
    schema, strict = strict_schema(schema_of(Plan))
    assert strict and "default" in schema["properties"]
    assert set(schema["required"]) == set(schema["properties"])


def test_every_object_is_closed_and_limits_are_told_in_words() -> None:
    schema, _ = strict_schema(schema_of(Plan))
    part = schema["$defs"]["Part"]
    assert part["additionalProperties"] is False and set(part["required"]) == {"name", "size", "note"}
    assert "minLength" not in part["properties"]["name"] and "minLength: 1" in part["properties"]["name"]["description"]


def test_a_schema_with_free_objects_is_not_strict() -> None:
    schema = schema_of(Free)
    assert strict_schema(schema) == (schema, False)


def test_nulls_that_stand_for_what_was_left_out_become_defaults() -> None:
    plan = parse('{"title": "x", "kind": null, "parts": [{"name": "p", "size": null, "note": null}],'
                 ' "default": null, "main": {"name": "m", "size": null, "note": null}}')  # fmt: skip
    assert plan == Plan(title="x", parts=[Part(name="p")], main=Part(name="m"))


@pytest.mark.parametrize(
    "text",
    [
        '{"title": "x"}',
        'Here it is:\n```json\n{"title": "x"}\n```\nEnjoy.',
        'Sure! {"title": "x"} is the answer.',
        '\ufeff  {"title": "x"}',
        'A brace { that means nothing, then {"title": "x"}',
    ],
)
def test_reads_the_object_wherever_it_stands(text: str) -> None:
    assert parse(text) == Plan(title="x")


def test_an_object_goes_before_an_array_that_is_part_of_the_talk() -> None:
    talk = 'I choose option [1]: {"title": "x"}'
    assert parse(talk) == Plan(title="x")
    assert parse('```json\n[1]\n```\nbecomes {"title": "x"}') == Plan(title="x")
    assert read(talk, RootModel[list[int]], schema_of(RootModel[list[int]])).root == [1]
    assert read("{} or [1]", RootModel[list[int]], schema_of(RootModel[list[int]])).root == [1]
    assert json_in('Only [{"title": "x"}] here', dict) == [{"title": "x"}], "the inside of a value is not the answer"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "empty"),
        ("I'm sorry, I can't help with that.", "not JSON"),
        ('{"title": "x", "parts": [', "not JSON"),
        ("{}", "title: Field required"),
        ('{"title": "x", "kind": "z"}', "kind"),
        ('{"title": "x", "parts": [{"name": ""}]}', "parts.0.name"),
        ("[1, 2]", "whole answer"),
    ],
)
def test_nothing_is_invented(text: str, problem: str) -> None:
    with pytest.raises(NotInForm) as caught:
        parse(text)
    assert problem in caught.value.problems


@settings(deadline=None)
@given(st.builds(Plan, title=st.text(), default=st.integers(-99, 99)), st.text("`{}[]\"' \n", max_size=20))
def test_what_is_written_is_read(plan: Plan, around: str) -> None:
    assert parse(plan.model_dump_json()) == plan
    assert json_in(f"```json\n{plan.model_dump_json()}\n```") == plan.model_dump(mode="json")
    json_in(around + plan.model_dump_json() + around)


def test_an_answer_made_of_brackets_does_not_hold_up_the_process() -> None:
    started = time.process_time()
    for text in ("[" * 300_000, '{"a":' * 100_000, '{"' * 200_000 + "x"):
        assert json_in(text) is None
    assert time.process_time() - started < 5
