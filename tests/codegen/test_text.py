"""Lines and their ends, places of blocks, and moved indentation."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codegen.text import MAX_PLACES, Edit, Likeness, Lines, Places, Shift, same_shift

TEXTS = st.text(alphabet="ab\r\n ", max_size=40)


@settings(deadline=None)
@given(TEXTS)
def test_lines_join_to_the_text(text: str) -> None:
    lines = Lines(text)
    assert "".join(body + end for body, end in zip(lines.bodies, lines.ends, strict=True)) == text
    assert lines.spliced([]) == text


ENDED = st.lists(st.sampled_from(["a\n", "b\r\n", "\n", " \r\n"]), max_size=8)


@settings(deadline=None)
@given(ENDED, st.booleans(), st.integers(0, 8), st.integers(0, 3), st.lists(st.sampled_from(["x", "y"]), max_size=3))
def test_a_splice_changes_no_other_line(rows: list[str], ended: bool, start: int, size: int, new: list[str]) -> None:
    lines = Lines("".join(rows) + ("" if ended else "c"))
    start = min(start, len(lines.bodies))
    stop = min(start + size, len(lines.bodies))
    result = Lines(lines.spliced([Edit(start, stop, new)]))
    expected = [*lines.bodies[:start], *new, *lines.bodies[stop:]]
    if ended or (expected and expected[-1]):  # a blank last line without a newline is no line
        assert result.bodies == expected
        assert result.ends[-1:] == ([""] if not ended else result.ends[-1:])
        assert result.ends[: start - 1] == lines.ends[: start - 1] or start == 0


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["a", "b", "a ", " a", "a b"]), max_size=12),
    st.lists(st.sampled_from(["a", "b", "a b"]), min_size=1, max_size=3),
)
def test_places_are_all_places(bodies: list[str], block: list[str]) -> None:
    starts = range(len(bodies) - len(block) + 1)
    places = Places(bodies)
    keys = {Likeness.EXACT: str, Likeness.TRAILING: str.rstrip, Likeness.SPACED: lambda line: line.replace(" ", "")}
    for likeness, key in keys.items():
        wanted = [at for at in starts if list(map(key, bodies[at : at + len(block)])) == list(map(key, block))]
        assert places.of(block, likeness) == wanted
    stripped = [at for at in starts if [line.strip() for line in bodies[at : at + len(block)]] == block]
    assert places.of(block, Likeness.INDENTED) == [
        at for at in stripped if same_shift(block, bodies[at : at + len(block)])
    ]


@settings(deadline=None)
@given(st.lists(st.sampled_from("ab"), min_size=1, max_size=15), st.integers(0, 14))
def test_the_nearest_place(bodies: list[str], target: int) -> None:
    at = Places(bodies).of(["a"], Likeness.EXACT)
    if not at:
        return
    distances = sorted((abs(place - target), place) for place in at)
    tied = len(distances) > 1 and distances[0][0] == distances[1][0]
    assert Places(bodies).nearest(["a"], target) == (None if tied else distances[0][1])


def test_places_are_counted_up_to_a_limit() -> None:
    assert len(Places(["x"] * 5_000).of(["x", "x"], Likeness.EXACT)) == MAX_PLACES


@pytest.mark.parametrize(
    ("block", "found", "line", "moved"),
    [
        (["a", "  b"], ["    a", "      b"], "  c", "      c"),
        (["a", "  b"], ["    a", "      b"], "    c", "        c"),
        (["    a"], ["a"], "      c", "  c"),
        (["    a"], ["  a"], "c", "c"),
        (["    a"], ["      a"], "  c", "    c"),
        (["a", "  b"], ["a", "\tb"], "    c", "\t\tc"),
        (["a", "\tb"], ["a", "    b"], "\t\tc", "        c"),
        (["a"], ["  a"], "", ""),
        (["a"], ["  a"], "   ", "   "),
        ([], [], "  c", "  c"),
    ],
)
def test_indentation_moves_with_the_block(block: list[str], found: list[str], line: str, moved: str) -> None:
    assert Shift(block, found).applied([line]) == [moved]


def test_the_nearest_line_decides_how_indentation_moves() -> None:
    block, found = ["a", "b", "c"], ["  a", "\tb", " c"]
    assert [Shift(block, found, near=near).applied(["x"])[0] for near in (0, 1, 2)] == ["  x", "\tx", " x"]
