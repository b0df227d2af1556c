"""Which files a template's entries mean."""

import pytest

from schemas.templates import matches


@pytest.mark.parametrize(
    "path,patterns,found",
    [
        ("package.json", ["package.json"], True),
        ("src/package.json", ["package.json"], False),
        ("tsconfig.app.json", ["tsconfig*.json"], True),
        ("node_modules/a/b.js", ["node_modules/*"], True),
        ("Package.json", ["package.json"], False),
        ("src/App.tsx", [], False),
    ],
)
def test_entries_are_paths_or_globs(path: str, patterns: list[str], found: bool) -> None:
    assert matches(path, patterns) is found
