"""The README of a generated application: facts from the project itself, words from a model."""

import json
from collections.abc import Mapping

from schemas.blueprint import ReadmeWords
from schemas.templates import ProjectType

PATH = "README.md"
_SCRIPTS = {  # in the order in which people need them
    "dev": "start it for development",
    "build": "make the files to publish, in `dist/`",
    "preview": "look at what was built",
    "lint": "check the style of the code",
    "typecheck": "check the types",
    "test": "run the tests",
}


def compose(title: str, words: ReadmeWords, project_type: ProjectType, files: Mapping[str, str]) -> str:
    """The whole README. `files` are those of the project: its scripts and packages are read from them."""
    parts = [f"# {_line(title)}", words.summary]
    if words.features:
        parts += ["## What it does", "\n".join(f"- {_line(feature)}" for feature in words.features)]
    if words.usage:
        parts += ["## How it is used", words.usage]
    parts += ["## Run it", _commands(project_type, files)]
    if packages := _packages(files):
        parts += ["## Made with", ", ".join(f"`{package}`" for package in packages)]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _commands(project_type: ProjectType, files: Mapping[str, str]) -> str:
    if project_type is ProjectType.PYTHON_API:
        return _shell(
            ("pip install fastapi uvicorn jinja2 python-multipart", ""), ("uvicorn app.main:app --reload", "")
        )
    scripts = _package(files).get("scripts") or {}
    known = [(f"npm run {name}", what) for name, what in _SCRIPTS.items() if name in scripts]
    if not known:
        return (
            "Nothing has to be installed or built: open `index.html` through any web server, for instance\n\n"
            + _shell(("python3 -m http.server", ""))
        )
    return _shell(("npm install", "once"), *known)


def _shell(*commands: tuple[str, str]) -> str:
    width = max(len(command) for command, _ in commands)
    lines = [f"{command:<{width}}  # {what}" if what else command for command, what in commands]
    return "```sh\n" + "\n".join(lines) + "\n```"


def _packages(files: Mapping[str, str]) -> list[str]:
    return sorted(_package(files).get("dependencies") or {})


def _package(files: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """The package.json, empty where there is none that can be read."""
    try:
        found = json.loads(files.get("package.json", "{}"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _line(text: str) -> str:
    return " ".join(text.split())
