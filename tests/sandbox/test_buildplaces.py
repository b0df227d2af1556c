"""Places that a build tells, found in the files as they were written."""

from hypothesis import given
from hypothesis import strategies as st

from sandbox.buildplaces import located
from schemas.checks import Issue, IssueSource, Severity

PICTURE = "[PARSE_ERROR] Illegal break statement\n   ╭─[ src/a.ts:2:2 ]\n   │\n 2 │     break;\n   │     ─\n───╯"


def told(message: str, line: int | None) -> Issue:
    return Issue(
        file="src/a.ts", line=line, code="X", severity=Severity.ERROR, source=IssueSource.BUILD, message=message
    )


def test_a_pictured_line_is_found_below_what_was_taken_away() -> None:
    source = "interface A {\n  a: 1\n}\n\nexport function f() {\n  break\n}\n"
    assert located(told(PICTURE, 2), source).line == 6


def test_of_lines_that_read_alike_the_next_one_is_meant() -> None:
    source = "break\n\nfor (;;) {\n  break\n}\n  break\n"
    assert located(told(PICTURE, 2), source).line == 4


def test_what_is_imported_is_found_where_it_is_imported() -> None:
    source = "const name = './away'\n\nexport * from './away'\nvoid name\n"
    assert located(told("Could not resolve './away' in src/a.ts", 2), source).line == 3


@given(st.text(max_size=80), st.text(max_size=200), st.none() | st.integers(1, 99))
def test_whatever_is_told_stays_a_place(message: str, source: str, line: int | None) -> None:
    for text in (message, PICTURE, f"Could not resolve '{message}'"):
        found = located(told(text, line), source)
        assert found.line == line or 1 <= (found.line or 0) <= len(source.splitlines())
