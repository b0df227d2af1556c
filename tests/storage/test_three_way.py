"""Merging: nothing is lost, nothing is made up, and what is in conflict is said to be."""

from hypothesis import given, settings
from hypothesis import strategies as st

from storage.three_way import MAX_LINES, MIDDLE, MINE, THEIRS, merge

BASE = "".join(f"line {number}\n" for number in range(20))

lines = st.lists(st.sampled_from(["a\n", "b\n", "c\n", "}\n", "\n", "x\u2028y\n", "r\r\n", "end"]), max_size=12)
texts = lines.map("".join)


def test_changes_apart_are_both_kept() -> None:
    mine = BASE.replace("line 2\n", "my line\n")
    theirs = BASE.replace("line 15\n", "their line\nand one more\n")
    merged = merge(BASE, mine, theirs)
    assert merged.conflicts == 0
    assert merged.text == mine.replace("line 15\n", "their line\nand one more\n")


def test_changes_of_one_line_are_shown_side_by_side() -> None:
    merged = merge(BASE, BASE.replace("line 5\n", "mine\n"), BASE.replace("line 5\n", "theirs\n"))
    assert merged.conflicts == 1
    assert f"line 4\n{MINE}mine\n{MIDDLE}theirs\n{THEIRS}line 6\n" in merged.text


def test_a_missing_end_of_line_does_not_swallow_a_marker() -> None:
    assert merge("a", "b", "c").text == f"{MINE}b\n{MIDDLE}c\n{THEIRS}"


def test_a_text_beyond_the_bound_is_one_conflict() -> None:
    base = "x\n" * (MAX_LINES + 1)
    merged = merge(base, f"mine\n{base}", f"{base}theirs\n")
    assert merged.conflicts == 1
    assert merge(base, base, f"{base}theirs\n") == (f"{base}theirs\n", 0)


@given(texts, texts)
def test_one_side_alone_is_taken_as_it_is(base: str, changed: str) -> None:
    assert merge(base, changed, base) == (changed, 0)
    assert merge(base, base, changed) == (changed, 0)
    assert merge(base, changed, changed) == (changed, 0)


@settings(max_examples=300)
@given(texts, texts, texts)
def test_it_makes_nothing_up_and_turns_around(base: str, mine: str, theirs: str) -> None:
    merged, turned = merge(base, mine, theirs), merge(base, theirs, mine)
    assert merged.conflicts == turned.conflicts
    if merged.conflicts == 0:
        assert merged.text == turned.text
    known = {line.rstrip("\n") for text in (base, mine, theirs) for line in text.split("\n")}
    markers = {MINE.strip(), MIDDLE.strip(), THEIRS.strip()}
    assert set(merged.text.split("\n")) - known - markers - {""} == set()


@given(st.sets(st.integers(0, 99), max_size=8), st.sets(st.integers(0, 99), max_size=8))
def test_edits_that_do_not_touch_are_all_there(one: set[int], other: set[int]) -> None:
    apart = {place for place in other if all(abs(place - taken) > 1 for taken in one)}
    base = [f"line {number}\n" for number in range(100)]
    mine = [f"mine {n}\n" if n in one else line for n, line in enumerate(base)]
    theirs = [f"theirs {n}\n" if n in apart else line for n, line in enumerate(base)]
    both = [mine[n] if n in one else line for n, line in enumerate(theirs)]
    assert merge("".join(base), "".join(mine), "".join(theirs)) == ("".join(both), 0)
