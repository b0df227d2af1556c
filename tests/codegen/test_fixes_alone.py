"""What is wrong with one file, whatever the files around it will be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegen.fixes import find_faults, lost_exports

STORE = "export const useBoard = () => 1;\nexport default function Main() {}\n"


def codes(text: str, path: str = "src/App.tsx", expected: tuple[str, ...] = (), **files: str) -> list[str]:
    others = {f"src/{name}.ts": content for name, content in files.items()}
    return [issue.code for issue in find_faults(path, {**others, path: text}, expected)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("export const a = (\n", ["stich/does-not-parse"]),
        ("import { useBoard } from './store';\n", []),
        ("import { useBored } from './store';\n", ["TS2305"]),
        ("import Main, { useBoard as use } from '@/store';\n", []),
        ("import { useBoard } from './Store';\n", ["TS2307"]),
        ("import { Card } from './Card';\n", []),  # somebody may write it yet
        ("import { anything } from 'a-package';\n", []),
        ("export const x = () => useState(0);\n", ["TS2304"]),
        ("export const x = () => useMine(0);\n", []),  # no hook of React: the type checker's business
        ("export const x = () => <Card />;\n", ["TS2304"]),
        ("const make = () => { function Card() { return null; } return <Card />; };\n", []),
        ("const show = ({ Icon }: { Icon: any }) => <Icon />;\n", []),
        ("const show = (all: any) => all.map(([Icon, name]: any) => <Icon key={name} />);\n", []),
    ],
)
def test_faults_of_a_script(text: str, found: list[str]) -> None:
    assert codes(text, store=STORE) == found


def test_a_file_that_will_be_written_anew_is_not_judged_by_what_it_is_now() -> None:
    text = "import { more } from './store';\n"
    assert codes(text, store=STORE) == ["TS2305"]
    assert codes(text, store=STORE, expected=("src/store.ts",)) == []


def test_json_is_read_and_other_kinds_are_not() -> None:
    assert codes("{,}", "data.json") == ["stich/does-not-parse"]
    assert codes('{"a": 1}', "data.json") == codes("a { b", "src/x.css") == codes("(", "README.md") == []


def test_exports_that_went_missing() -> None:
    assert lost_exports("a.ts", STORE, STORE) == set()
    assert lost_exports("a.ts", STORE, "export const useBoard = 1;\n") == {"default"}
    assert lost_exports("a.ts", STORE, "export default 1;\n") == {"useBoard"}


@given(st.text(max_size=200), st.sampled_from(["src/a.tsx", "src/a.ts", "a.json"]))
def test_any_text_is_read_without_an_error(text: str, path: str) -> None:
    find_faults(path, {path: text}, ["src/b.ts"])
