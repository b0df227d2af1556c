"""Search and replace: each way of finding a block, the reports, and bounded time."""

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codegen.search_replace import BlockReport, apply_search_replace


def block(search: str, replace: str, width: int = 7) -> str:
    return f"{'<' * width} SEARCH\n{search}{'=' * width}\n{replace}{'>' * width} REPLACE\n"


def only(text: str, blocks: str) -> tuple[str, BlockReport]:
    """The text after one block, and its report."""
    report = apply_search_replace(text, blocks)
    assert len(report.blocks) == 1
    assert report.content == report.text
    assert report.ok == report.blocks[0].applied
    if not report.ok:
        assert report.text == text
        assert report.failed == report.blocks
        assert report.blocks[0].reason
    return report.text, report.blocks[0]


# Matching, in order


def test_exact() -> None:
    text, report = only("a\nb\nc\n", block("b\n", "B\nBB\n"))
    assert text == "a\nB\nBB\nc\n"
    assert report == BlockReport(1, 1, "b", "B\nBB", applied=True, how="exact", candidates=1)


def test_trailing_whitespace() -> None:
    text, report = only("a  \nb\t\nc\n", block("a\nb \n", "x  \n"))
    assert (text, report.how) == ("x  \nc\n", "trailing_whitespace")


def test_indentation_is_given_to_the_replacement() -> None:
    text, report = only(
        "def f():\n    if x:\n        y()\n    z()\n",
        block("if x:\n    y()\n", "if x:\n    w()\n\n    if v:\n        u()\n"),
    )
    assert text == "def f():\n    if x:\n        w()\n\n        if v:\n            u()\n    z()\n"
    assert report.how == "indentation"
    assert only("\t\ta\n\t\t\tb\n", block("a\n\tb\n", "c\n\td\n"))[0] == "\t\tc\n\t\t\td\n"
    assert only("a\n  b\n", block("    a\n      b\n", "    c\n      d\n"))[0] == "c\n  d\n"


def test_similarity() -> None:
    text = "function total(items: Item[]): number {\n  return items.reduce((sum, item) => sum + item.price, 0);\n}\n"
    search = "function total(items: Items[]): number {\n  return items.reduce((sum, item) => sum + item.prize, 0);\n}\n"
    result, report = only("x\n" + text + "y\n", block(search, "new\n"))
    assert (result, report.how) == ("x\nnew\ny\n", "similarity")


def test_similarity_reindents() -> None:
    text = "  const total = compute(items, options.limit);\n"
    result, report = only(
        text, block("const total = compute(item, options.limit);\n", "const total = 1;\nif (x) {\n  y();\n}\n")
    )
    assert result == "  const total = 1;\n  if (x) {\n    y();\n  }\n"
    assert report.how == "similarity"


def test_too_little_similarity_is_a_miss() -> None:
    report = only("const alpha = compute(1);\n", block("const omega = other(2);\n", "x\n"))[1]
    assert (report.why, report.candidates) == ("missing", 0)
    assert "const omega" in report.reason
    assert only("return xyz\n", block("return x\n", "y\n"))[1].why == "missing"


def test_similarity_needs_a_gap_to_the_runner_up() -> None:
    text = "const first = compute(items, limits, 1);\nconst first = compute(items, limits, 2);\n"
    report = only(text, block("const first = compute(items, limits, 3);\n", "x\n"))[1]
    assert (report.why, report.candidates) == ("ambiguous", 2)


@pytest.mark.parametrize(
    ("text", "search", "count"),
    [
        ("a\nb\na\n", "a\n", 2),
        ("a\na\na\n", "a\na\n", 2),
        ("a \nb\na\t\n", "a\n", 2),
        ("  a\n    a\n a\n", "a\n", 3),
        ("x\n" * 12, "x\n", 12),
    ],
)
def test_more_than_one_candidate_says_how_many(text: str, search: str, count: int) -> None:
    report = only(text, block(search, "z\n"))[1]
    assert (report.why, report.candidates) == ("ambiguous", count)
    assert str(count) in report.reason


def test_an_exact_place_goes_before_like_ones() -> None:
    assert only("  a\na\na \n", block("a\n", "b\n"))[0] == "  a\nb\na \n"


# Empty search


@pytest.mark.parametrize("search", ["", "\n", "  \n\n"])
def test_an_empty_search_fills_an_empty_file_only(search: str) -> None:
    text, report = only("", block(search, "a\nb\n"))
    assert (text, report.how) == ("a\nb\n", "new_file")
    assert only("\n", block(search, "a\n"))[0] == "\na\n"
    assert only("x\n", block(search, "a\n"))[1].why == "empty_search"


def test_an_empty_replacement_removes() -> None:
    assert only("a\nb\nc\n", block("b\n", ""))[0] == "a\nc\n"
    assert only("a", block("a\n", ""))[0] == ""


# Reading blocks


@pytest.mark.parametrize("width", [5, 6, 7, 8, 9])
def test_five_to_nine_marks(width: int) -> None:
    assert only("a\n", block("a\n", "b\n", width))[0] == "b\n"


@pytest.mark.parametrize("width", [4, 10])
def test_other_marks_are_text(width: int) -> None:
    report = apply_search_replace("a\n", block("a\n", "b\n", width))
    assert (report.text, report.blocks, report.ok) == ("a\n", (), False)


@pytest.mark.parametrize(
    "blocks",
    [
        "  <<<<<<< SEARCH  \na\n\t=======\t\nb\n  >>>>>>> REPLACE  \n",
        "<<<<<<< SEARCH\r\na\r\n=======\r\nb\r\n>>>>>>> REPLACE\r\n",
        "src/a.ts\n```ts\n<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\n```\n",
        "<<<<<<< SEARCH\n```ts\na\n```\n=======\n```ts\nb\n```\n>>>>>>> REPLACE\n",
        "Sure:\n\n<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE",
        "<<<<<SEARCH\na\n=====\nb\n>>>>>REPLACE\n",
        "<<<<<<< SEARCH\na\n======\nb\n>>>>>>>> REPLACE\n",
    ],
)
def test_whitespace_and_fences_are_tolerated(blocks: str) -> None:
    assert only("a\nx\n", blocks)[0] == "b\nx\n"


def test_a_fence_may_be_content() -> None:
    assert only("```\na\n```\n", block("```\na\n```\n", "```\nb\n```\n"))[0] == "```\nb\n```\n"


def test_a_line_of_equal_signs_may_be_content() -> None:
    assert only("T\n=====\nx\n", block("T\n=====\n", "U\n=====\n"))[0] == "U\n=====\nx\n"
    assert only("T\n=======\nx\n", block("T\n=======\n", "U\n"))[0] == "U\nx\n"
    assert only("T\nx\n", block("T\n", "T\n=======\n"))[0] == "T\n=======\nx\n"


@pytest.mark.parametrize(
    "blocks",
    [
        "<<<<<<< SEARCH\na\n",
        "<<<<<<< SEARCH\na\n=======\nb\n",
        "<<<<<<< SEARCH\na\n>>>>>>> REPLACE\n",
    ],
)
def test_malformed_blocks_are_reported(blocks: str) -> None:
    assert only("a\n", blocks)[1].why == "malformed"


def test_a_block_that_begins_inside_another() -> None:
    report = apply_search_replace("a\nc\n", "<<<<<<< SEARCH\na\n" + block("c\n", "d\n"))
    assert [(entry.line, entry.why) for entry in report.blocks] == [(1, "malformed"), (3, None)]
    assert report.text == "a\nd\n"


def test_each_block_is_reported_and_none_keeps_another_from_applying() -> None:
    blocks = block("a\n", "1\n") + "text between\n" + block("nowhere at all\n", "2\n") + block("1\nb\n", "3\n")
    report = apply_search_replace("a\nb\nc\n", blocks)
    assert report.text == "3\nc\n"
    assert [entry.applied for entry in report.blocks] == [True, False, True]
    assert [entry.number for entry in report.blocks] == [1, 2, 3]
    assert [entry.number for entry in report.failed] == [2]
    assert not report.ok
    assert (report.failed[0].search, report.failed[0].replace, report.failed[0].line) == ("nowhere at all", "2", 7)


# What is kept


def test_line_ends_are_kept() -> None:
    assert only("a\r\nb\r\nc\r\n", block("b\n", "x\ny\n"))[0] == "a\r\nx\r\ny\r\nc\r\n"
    assert only("a\r\nb\nc\r\n", block("b\n", "x\n"))[0] == "a\r\nx\nc\r\n"
    assert only("a\nb", block("b\n", "x\ny\n"))[0] == "a\nx\ny"
    assert only("a\nb", block("a\n", "x\n"))[0] == "x\nb"


LINES = st.lists(st.sampled_from(["a", "b", "  a", "", " ", "=======", "```", "const x = 1;", "é"]), max_size=12)


@settings(max_examples=80, deadline=None)
@given(LINES, LINES, LINES, LINES)
def test_a_unique_block_is_replaced(before: list[str], search: list[str], after: list[str], replace: list[str]) -> None:
    search = ["unique start", *search]
    text, expected = ("".join(f"{line}\n" for line in [*before, *middle, *after]) for middle in (search, replace))
    blocks = block("".join(f"{line}\n" for line in search), "".join(f"{line}\n" for line in replace))
    report = only(text, blocks)[1]
    if "=======" not in search + replace:
        assert (report.how, only(text, blocks)[0]) == ("exact", expected)


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=60), st.text(alphabet="<=>` \nabSEARCHREPLACE", max_size=200))
def test_any_input_gives_a_report(text: str, blocks: str) -> None:
    report = apply_search_replace(text, blocks)
    if not any(entry.applied for entry in report.blocks):
        assert report.text == text


# Time


def source(seed: int) -> str:
    """100 KB that look like source code."""
    generator = random.Random(seed)
    words = "const let value compute render useState return function props item index list map state onClick div"
    lines: list[str] = []
    while sum(map(len, lines)) + len(lines) < 100_000:
        words_of_line = " ".join(generator.choice(words.split()) for _ in range(generator.randint(1, 8)))
        lines.append("  " * generator.randint(0, 4) + words_of_line + generator.choice(["", ";", "(", ") {", "}"]))
    return "\n".join(lines) + "\n"


CODE = source(1)
ROWS = "".join(f'  {{ id: {number}, name: "item {number}", price: {number * 7 % 100} }},\n' for number in range(2_000))
MISSES = {
    "one line": (CODE, "const total = compute(items);\n"),
    "one like line": (CODE, "  const let value compute render;\n"),
    "three lines": (CODE, "const foo = bar(1)\nreturn baz\nlet y = 2\n"),
    "fifty lines": (CODE, "".join(f"{line}x\n" for line in random.Random(3).sample(CODE.split("\n"), 50))),
    "five hundred lines": (CODE, "".join(f"{line}x\n" for line in random.Random(3).sample(CODE.split("\n"), 500))),
    "shuffled lines": (CODE, "".join(f"{line}\n" for line in random.Random(4).sample(CODE.split("\n"), 40))),
    "a like row": (ROWS, '  { id: 77777, name: "item 9x", price: 3 },\n'),
    "three like rows": (ROWS, '  { id: 77777, name: "item 9x", price: 3 },\n' * 3),
    "blank lines": ("\n" * 100_000, "x\n\n"),
    "short lines": ("a\n" * 50_000, "b\na\n" * 5),
    "one long line": ("ab" * 50_000 + "\n", "b" + "aab" * 33_000 + "\n"),
    "equal lines": (("a" * 40 + "\n") * 2_500, ("a" * 37 + "b\n") * 3),
    "two letters": ("".join(random.Random(5).choice("ab\n") for _ in range(100_000)), "aaab\nabx\nabababb\nb\n"),
}


@pytest.mark.parametrize("name", MISSES)
def test_a_miss_takes_less_than_50_ms(name: str) -> None:
    text, search = MISSES[name]
    blocks = block(search, "x\n")
    times = []
    for _ in range(5):
        start = time.process_time()
        report = apply_search_replace(text, blocks)
        times.append(time.process_time() - start)
        assert not report.ok
    assert min(times) < 0.05
