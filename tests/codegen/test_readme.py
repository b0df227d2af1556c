"""The README of a generated application."""

import json

import pytest

from codegen.readme import compose
from schemas.blueprint import ReadmeWords
from schemas.templates import ProjectType

WORDS = ReadmeWords(summary="A board.", features=["Move\ncards"], usage="Drag one.")
PACKAGE = json.dumps(
    {"scripts": {"build": "vite build", "dev": "vite", "odd": "rm"}, "dependencies": {"b": "1", "a": "2"}}
)


def test_facts_come_from_the_project_and_words_from_the_model() -> None:
    assert compose("My  board", WORDS, ProjectType.VITE_REACT, {"package.json": PACKAGE}) == (
        "# My board\n\nA board.\n\n## What it does\n\n- Move cards\n\n## How it is used\n\nDrag one.\n\n## Run it\n\n"
        "```sh\nnpm install    # once\nnpm run dev    # start it for development\n"
        "npm run build  # make the files to publish, in `dist/`\n```\n\n## Made with\n\n`a`, `b`\n"
    )


@pytest.mark.parametrize("package", ["{,", "[]", "{}", '{"scripts": null}'])
def test_a_project_without_scripts_is_served_as_it_is(package: str) -> None:
    text = compose("Page", WORDS, ProjectType.STATIC, {"package.json": package})
    assert "python3 -m http.server" in text and "npm" not in text


def test_a_python_service_is_started_by_its_server() -> None:
    assert "uvicorn app.main:app" in compose("Service", WORDS, ProjectType.PYTHON_API, {})
