"""Places in transformed modules, traced back."""

import base64
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.sourcemaps import original

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def vlq(number: int) -> str:
    value = (-number << 1) | 1 if number < 0 else number << 1
    text = ""
    while True:
        digit, value = value & 31, value >> 5
        text += _LETTERS[digit | (32 if value else 0)]
        if not value:
            return text


def module(segments: list[tuple[int, int, int, int]], last_line: int) -> str:
    """A module whose map has the given (line, column, source line, source column), sorted."""
    lines: list[list[str]] = [[] for _ in range(last_line + 1)]
    previous = (-1, 0, 0, 0)
    for line, column, source_line, source_column in segments:
        from_column = previous[1] if previous[0] == line else 0
        steps = (column - from_column, 0, source_line - previous[2], source_column - previous[3])
        lines[line].append("".join(map(vlq, steps)))
        previous = (line, column, source_line, source_column)
    content = json.dumps({"version": 3, "mappings": ";".join(",".join(line) for line in lines)})
    return "code\n//# sourceMappingURL=data:application/json;base64," + base64.b64encode(content.encode()).decode()


places = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 200), st.integers(0, 500), st.integers(0, 200)),
    min_size=1,
    max_size=40,
    unique_by=lambda place: place[:2],
).map(sorted)


@given(places)
@settings(deadline=None)
def test_finds_every_mapped_place(segments: list[tuple[int, int, int, int]]) -> None:
    text = module(segments, 31)
    for line, column, source_line, source_column in segments:
        assert original(text, line + 1, column + 1) == (source_line + 1, source_column + 1)


@settings(deadline=None)
@given(st.text(max_size=200), st.integers(1, 50), st.integers(1, 50))
def test_nonsense_is_no_place(text: str, line: int, column: int) -> None:
    assert original(text, line, column) is None
    broken = "//# sourceMappingURL=data:application/json;base64," + base64.b64encode(text.encode()).decode()
    assert original(broken, line, column) is None
