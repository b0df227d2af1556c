"""Which files a model is shown."""

from hypothesis import given
from hypothesis import strategies as st

from codegen.context import CHARACTERS_PER_TOKEN, select_files

FILES = {
    "src/App.tsx": 'import { Board } from "./Board"\nimport x from "@/lib/x"\n',
    "src/Board.tsx": "export const Board = 1\n" * 10,
    "src/lib/x.ts": "export default 1\n",
    "src/other.ts": "y" * 100,
    "src/user.ts": 'import App from "./App"\n' + "z" * 400,
    "bun.lock": "lock",
}


def test_everything_fits_but_lock_files() -> None:
    shown, omitted = select_files(FILES, ["src/App.tsx"], 10_000)
    assert list(shown) == sorted(FILES.keys() - {"bun.lock"})
    assert omitted == []


def test_the_focus_and_its_neighbours_come_first() -> None:
    shown, omitted = select_files(FILES, ["src/App.tsx"], 257)
    assert {"src/App.tsx", "src/Board.tsx", "src/lib/x.ts", "src/user.ts"} == set(shown)
    assert omitted == ["src/other.ts"]


def test_a_file_larger_than_the_budget_is_left_out_and_named() -> None:
    assert select_files({"a.ts": "x" * 1000}, ["a.ts", "gone.ts"], 10) == ({}, ["a.ts"])


@given(st.dictionaries(st.text("abc/", min_size=1, max_size=5), st.text(max_size=50)), st.integers(0, 100))
def test_every_file_is_shown_or_named_and_the_budget_holds(files: dict[str, str], budget: int) -> None:
    shown, omitted = select_files(files, [], budget)
    assert set(shown) | set(omitted) == set(files)
    assert not set(shown) & set(omitted)
    assert sum(map(len, shown.values())) <= budget * CHARACTERS_PER_TOKEN
    assert all(shown[path] == files[path] for path in shown)
