"""Edits in every format that models choose, applied as far as they go; and whether a file became worse."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegen.edits import NO_EDIT, apply_blocks, apply_hunks, read_edits
from codegen.order import predecessors
from codegen.regressions import regressions

TEXT = "one\ntwo\nthree\nfour\n"
FILES = {"a.txt": TEXT}


def block(search: str, replace: str) -> str:
    return f"<<<<<<< SEARCH\n{search}\n=======\n{replace}\n>>>>>>> REPLACE\n"


class TestReading:
    @pytest.mark.parametrize(
        "answer",
        [
            block("two", "2"),
            "Of course:\n```\n" + block("two", "2") + "```\n",
            "cat > a.txt << 'EOF'\none\n2\nthree\nfour\nEOF\n",
            "cat << 'EOF' | patch a.txt\n@@\n-two\n+2\nEOF\n",
            "cat << 'EOF' | patch a.txt\n" + block("two", "2") + "EOF\n",
        ],
    )
    def test_all_formats_mean_the_same(self, answer: str) -> None:
        edited = read_edits(answer, "a.txt", FILES)
        assert edited.ok and edited.text == "one\n2\nthree\nfour\n"

    def test_what_is_said_of_other_files_is_ignored(self) -> None:
        answer = "cat > b.txt << 'EOF'\nx\nEOF\n"
        assert read_edits(answer, "a.txt", FILES).failed == (NO_EDIT,)

    def test_a_diff_after_one_that_failed_keeps_what_failed(self) -> None:
        answer = "cat << 'E' | patch a.txt\n@@\n-zero\n+0\nE\ncat << 'E' | patch a.txt\n@@\n-two\n+2\nE\n"
        edited = read_edits(answer, "a.txt", FILES)
        assert edited.text == "one\n2\nthree\nfour\n"
        assert [failed.text for failed in edited.failed] == ["@@\n-zero\n+0\n"]

    def test_a_whole_file_makes_earlier_failures_good(self) -> None:
        answer = "cat << 'E' | patch a.txt\n@@\n-zero\n+0\nE\ncat > a.txt << 'E'\nnew\nE\n"
        edited = read_edits(answer, "a.txt", FILES)
        assert edited.ok and edited.text == "new\n"

    def test_packages_are_noticed_beside_the_edit(self) -> None:
        assert read_edits("bun add zod\n" + block("two", "2"), "a.txt", FILES).install == ("zod",)

    @given(st.text(max_size=200))
    def test_nothing_that_a_model_says_raises(self, answer: str) -> None:
        edited = read_edits(answer, "a.txt", FILES)
        assert edited.applied or edited.failed


class TestPartly:
    def test_the_hunks_that_fit_are_applied(self) -> None:
        edited = apply_hunks(TEXT, "@@\n-one\n+1\n@@\n-zero\n+0\n@@\n-four\n+4\n")
        assert (edited.text, edited.applied) == ("1\ntwo\nthree\n4\n", 2)
        assert [failed.text for failed in edited.failed] == ["@@\n-zero\n+0\n"]
        assert "zero" in edited.failed[0].reason

    def test_the_blocks_that_fit_are_applied(self) -> None:
        edited = apply_blocks(TEXT, block("one", "1") + block("zero", "0"))
        assert (edited.text, edited.applied) == ("1\ntwo\nthree\nfour\n", 1)
        assert edited.failed[0].text == block("zero", "0").rstrip("\n")

    def test_a_diff_that_is_none_is_one_failure(self) -> None:
        edited = apply_hunks(TEXT, "nonsense")
        assert (edited.text, edited.applied, len(edited.failed)) == (TEXT, 0, 1)


PROJECT = {
    "src/price.ts": "export const total = (a: number, b: number) => a * b;\nexport const tax = 0.2;\n",
    "src/App.tsx": "import { total } from './price';\nexport default () => <p>{total(1, 2)}</p>;\n",
    "src/main.css": "p { color: red; }\n",
    "data.json": "{}\n",
}


class TestRegressions:
    @pytest.mark.parametrize(
        ("path", "text", "said"),
        [
            ("src/price.ts", "export const total = (a: number => a;\n", "does not parse"),
            ("src/price.ts", "export const tax = 0.2;\n", "no longer export"),
            ("src/price.ts", "\n", "would be empty"),
            ("src/App.tsx", "import { sum } from './price';\nexport default () => <p>{sum}</p>;\n", "new fault"),
            ("src/App.tsx", "// ... rest of the component\nexport default () => null;\n", "left out"),
            ("src/App.tsx", "export default () => { /* existing code */ return null; };\n", "left out"),
            ("src/main.css", "p { color: red;\n", "braces"),
            ("data.json", "{", "not valid JSON"),
            ("src/new.ts", "export const = 1;\n", "does not parse"),
        ],
    )
    def test_what_is_worse_is_said(self, path: str, text: str, said: str) -> None:
        assert any(said in reason for reason in regressions(PROJECT, path, text))

    @pytest.mark.parametrize(
        ("path", "text"),
        [
            ("src/price.ts", "export const total = (a: number, b: number) => a + b;\n"),  # tax is imported by nobody
            ("src/App.tsx", "export default () => <p>...</p>; // the rest is up to you\n"),
            ("src/main.css", "p::before { content: '{'; }\n"),
            ("src/new.ts", "export const one = 1;\n"),
        ],
    )
    def test_what_is_not_worse_is_taken(self, path: str, text: str) -> None:
        assert regressions(PROJECT, path, text) == []

    def test_a_fault_that_was_there_does_not_count(self) -> None:
        broken = {**PROJECT, "src/App.tsx": "import { gone } from './price';\nexport default () => <p>{gone}</p>;\n"}
        text = "import { gone } from './price';\nexport default () => <b>{gone}</b>;\n"
        assert regressions(broken, "src/App.tsx", text) == []
        assert regressions(PROJECT, "src/App.tsx", text) != []

    @given(st.text(max_size=120))
    def test_nothing_raises(self, text: str) -> None:
        for path in PROJECT:
            regressions(PROJECT, path, text)


NAMES = [f"src/{name}.ts" for name in "abcdef"]


@given(st.dictionaries(st.sampled_from(NAMES), st.sets(st.sampled_from(NAMES)), min_size=1))
def test_an_order_never_goes_in_circles_and_every_import_counts(graph: dict[str, set[str]]) -> None:
    files = {path: "".join(f"import './{target[4:-3]}';\n" for target in sorted(graph[path])) for path in graph}
    order = predecessors(files, list(graph))
    done: set[str] = set()
    while len(done) < len(order):
        ready = {path for path, before in order.items() if path not in done and done.issuperset(before)}
        assert ready, "a circle"
        done |= ready
    for path, targets in graph.items():
        for target in targets & graph.keys() - {path}:
            assert target in order[path] or path in order[target]
