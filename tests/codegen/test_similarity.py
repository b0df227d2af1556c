"""The likeness of runs of lines, against the plain definition."""

from hypothesis import given, settings
from hypothesis import strategies as st

from codegen.similarity import ENOUGH, GAP, common_subsequence, similar_windows


def plain_common_subsequence(a: str, b: str) -> int:
    row = [0] * (len(b) + 1)
    for x in a:
        before = row[:]
        for at, y in enumerate(b):
            row[at + 1] = before[at] + 1 if x == y else max(before[at + 1], row[at])
    return row[-1]


def plain_likeness(ours: list[str], theirs: list[str]) -> float:
    total = sum(len(a.strip()) + len(b.strip()) for a, b in zip(ours, theirs, strict=True))
    common = sum(plain_common_subsequence(a.strip(), b.strip()) for a, b in zip(ours, theirs, strict=True))
    return 2 * common / total if total else 0.0


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="abc é", max_size=30), st.text(alphabet="abc é", max_size=30))
def test_common_subsequence(a: str, b: str) -> None:
    assert common_subsequence(a, b) == plain_common_subsequence(a, b)


WORDS = st.lists(st.sampled_from(["const", "value", "compute", "x", "1", "(y)", "=>"]), max_size=6).map(" ".join)


@settings(max_examples=60, deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=8), st.integers(1, 3), st.data())
def test_windows_are_those_of_the_definition(bodies: list[str], size: int, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, max(0, len(bodies) - size)))
    wanted = [data.draw(st.sampled_from([body, body + "z", body[1:], f"  {body}"])) for body in bodies[at : at + size]]
    likeness = {
        start: plain_likeness(wanted, bodies[start : start + len(wanted)])
        for start in range(len(bodies) - len(wanted) + 1)
    }
    best = max(likeness.values(), default=0.0)
    found = {window.start: round(window.likeness, 9) for window in similar_windows(bodies, wanted)}
    if best < ENOUGH - 1e-9:
        assert not found
    else:
        assert found == {start: round(value, 9) for start, value in likeness.items() if value >= best - GAP - 1e-9}


def test_the_best_comes_first() -> None:
    bodies = ["const a = compute(items);", "const b = compute(items);", "const c = other(things);"]
    windows = similar_windows(bodies, ["const b = compute(item);"])
    assert [window.start for window in windows] == [1, 0]
    assert windows[0].likeness > windows[1].likeness
