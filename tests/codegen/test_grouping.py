"""Which files of a phase are written side by side."""

from hypothesis import given
from hypothesis import strategies as st

from codegen.grouping import MOST_CALLS, waves
from schemas.blueprint import PlannedFile


def file(path: str, *uses: str) -> PlannedFile:
    return PlannedFile(path=path, uses=list(uses))


VIEWS = [f"src/View{number}.tsx" for number in range(6)]
APP = [file("src/App.tsx", *VIEWS), file("src/store.ts"), *(file(view, "src/store.ts") for view in VIEWS)]


def test_what_is_used_comes_first_and_the_independent_side_by_side() -> None:
    first, second, third = waves(APP, 3)
    assert (first, third) == ([["src/store.ts"]], [["src/App.tsx"]])
    assert len(second) == 3
    assert sorted(path for group in second for path in group) == VIEWS


def test_one_call_where_several_would_save_little() -> None:
    chain = [file("a.tsx"), file("b.tsx", "a.tsx"), file("c.tsx", "b.tsx"), file("d.tsx", "c.tsx")]
    small = [file("a.ts"), file("b.ts"), file("c.ts", "a.ts")]
    untold = [file(view) for view in VIEWS]
    for files in (chain, small, untold, []):
        assert waves(files, 4) == [[[each.path for each in files]]]
    assert len(waves(APP, 1)) == 1


plans = st.lists(
    st.builds(
        PlannedFile,
        path=st.integers(0, 12).map(lambda n: f"src/F{n}.{'tsx' if n % 3 else 'ts'}"),
        uses=st.lists(st.integers(0, 15).map(lambda n: f"src/F{n}.{'tsx' if n % 3 else 'ts'}"), max_size=4),
    ),
    unique_by=lambda each: each.path,
    min_size=1,
    max_size=13,
)


@given(plans, st.integers(1, 4))
def test_every_file_is_written_once_and_after_what_it_uses(files: list[PlannedFile], at_once: int) -> None:
    planned = waves(files, at_once)
    order = [path for wave in planned for group in wave for path in group]
    assert sorted(order) == sorted(file.path for file in files)
    assert all(len(wave) <= at_once for wave in planned)
    assert sum(map(len, planned)) <= max(1, MOST_CALLS)
    place = {path: number for number, wave in enumerate(planned) for group in wave for path in group}
    uses = {file.path: set(file.uses) & place.keys() - {file.path} for file in files}

    def reaches(start: str, goal: str) -> bool:
        seen, pending = set(), [start]
        while pending:
            path = pending.pop()
            if path not in seen:
                seen.add(path)
                pending += uses[path]
        return goal in seen

    for path, needed in uses.items():
        for other in needed:
            assert place[other] <= place[path] or reaches(other, path), "only files in a circle may come too early"
