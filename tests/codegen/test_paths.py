"""Paths that may be written, and their one spelling."""

from pathlib import PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codegen.paths import PathRefused, PathRules, normalise_path


@pytest.mark.parametrize(
    ("path", "normal"),
    [
        ("a", "a"),
        ("./a", "a"),
        ("a//b", "a/b"),
        ("a/./b", "a/b"),
        ("a\\b", "a/b"),
        ("...", "..."),
        ("a b", "a b"),
        ("..a/b..", "..a/b.."),
    ],
)
def test_one_spelling(path: str, normal: str) -> None:
    assert normalise_path(path) == normal


@settings(deadline=None)
@given(st.text(alphabet="ab./\\: ~\x00\n", max_size=12))
def test_what_is_admitted_stays_inside(path: str) -> None:
    try:
        normal = normalise_path(path)
    except PathRefused as error:
        assert str(error).isprintable()
        return
    parts = PurePosixPath(normal).parts
    assert not PurePosixPath(normal).is_absolute()
    assert ".." not in parts
    assert "\x00" not in normal
    assert normalise_path(normal) == normal


def test_protected_and_linked() -> None:
    rules = PathRules(protected=["./a.json", "locked/", ""], symlinks=["link/"])
    refused = {}
    for path in ("a.json", "b/../a.json", "locked", "locked/x/y", "link", "link/x", "a.json5", "lockedx", "x/link"):
        try:
            refused[path] = rules.check(path) and None
        except PathRefused as error:
            refused[path] = error.code
    assert refused == {
        "a.json": "write_protected",
        "b/../a.json": "parent_path",
        "locked": "write_protected",
        "locked/x/y": "write_protected",
        "link": "symbolic_link",
        "link/x": "symbolic_link",
        "a.json5": None,
        "lockedx": None,
        "x/link": None,
    }


@pytest.mark.parametrize("path", [".git/config", "a/.Git/HEAD", ".git /x", "GIT~1/x", "./.git", "a/\u202egnp.ts"])
def test_what_git_or_the_eye_would_take_for_something_else(path: str) -> None:
    with pytest.raises(PathRefused):
        PathRules().check(path)


def test_paths_longer_than_a_file_system_allows() -> None:
    assert normalise_path("a" * 255) == "a" * 255
    for path in ("a" * 256, "é" * 128, "/".join(["a" * 250] * 17)):
        with pytest.raises(PathRefused, match="longer"):
            normalise_path(path)
