"""Unified diffs: each way of finding a hunk, what is kept, what is refused, and agreement with real diffs."""

import difflib
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codegen.unified_diff import DiffError, apply_unified_diff

LETTERS = "a\nb\nc\nd\ne\n"


def failure(text: str, diff: str) -> DiffError:
    with pytest.raises(DiffError) as caught:
        apply_unified_diff(text, diff)
    return caught.value


def two(first: str, second: str) -> str:
    """Ten lines between two blocks."""
    return first + "".join(f"{number}\n" for number in range(10)) + second


# Finding a hunk, in order


@pytest.mark.parametrize(
    "header", ["@@", "@@ -3 +3 @@", "@@ -900,1 +900,1 @@", "@@ ... @@", "@@ -1,9 +1,2 @@ def f():"]
)
def test_exact_and_unique_whatever_the_hint(header: str) -> None:
    assert apply_unified_diff(LETTERS, f"{header}\n b\n-c\n+C\n d\n") == "a\nb\nC\nd\ne\n"


@pytest.mark.parametrize("hint", [11, 12, 13, 14])
def test_exact_and_nearest_to_the_hint(hint: int) -> None:
    text = two("x\ny\n", "x\ny\n")
    assert apply_unified_diff(text, f"@@ -{hint},2 +{hint},2 @@\n x\n-y\n+z\n") == two("x\ny\n", "x\nz\n")
    assert apply_unified_diff(text, "@@ -2,2 +2,2 @@\n x\n-y\n+z\n") == two("x\nz\n", "x\ny\n")


@pytest.mark.parametrize("header", ["@@", "@@ -15,2 +15,2 @@", "@@ -0,2 +0,2 @@", "@@ -7,2 +7,2 @@", "@@ -x,2 +1,2 @@"])
def test_an_implausible_hint_or_a_tie_is_ambiguous(header: str) -> None:
    error = failure(two("x\ny\n", "x\ny\n"), f"@@\n-0\n+00\n{header}\n x\n-y\n+z\n")
    assert (error.code, error.hunk, error.header, error.candidates) == ("ambiguous", 2, header, 2)
    assert "Hunk 2" in str(error)
    assert "2 places" in str(error)


def test_a_hint_that_two_hunks_claim_is_implausible() -> None:
    text = two("x\ny\n", "x\ny\n")
    assert failure(text, "@@ -1 +1 @@\n-5\n+6\n@@ -1 +1 @@\n-y\n+z\n").code == "ambiguous"


def test_up_to_trailing_whitespace() -> None:
    assert apply_unified_diff("a  \nb\t\nc\n", "@@\n a\n-b\n+B\n c  \n") == "a  \nB\nc\n"
    assert failure("b \nx\nb\t\n", "@@\n-b\n+B\n").candidates == 2


def test_up_to_a_common_indentation() -> None:
    text = "class A:\n    def f(self):\n        return 1\n"
    diff = "@@\n def f(self):\n-    return 1\n+    if self:\n+        return 2\n+    # no\n"
    assert apply_unified_diff(text, diff) == (
        "class A:\n    def f(self):\n        if self:\n            return 2\n        # no\n"
    )
    assert (
        apply_unified_diff("\tif x:\n\t\ty()\n", "@@\n if x:\n-\ty()\n+\tz()\n+\n+w()\n")
        == "\tif x:\n\t\tz()\n\n\tw()\n"
    )
    assert apply_unified_diff("x\n  y\n", "@@\n         x\n-          y\n+          z\n+         w\n") == "x\n  z\n w\n"


def test_a_common_indentation_goes_before_any_whitespace() -> None:
    text = "  if x:\n    y\n\nif x:\n        y\n"
    assert apply_unified_diff(text, "@@\n     if x:\n-      y\n+      z\n") == "  if x:\n    z\n\nif x:\n        y\n"


def test_up_to_any_whitespace() -> None:
    assert apply_unified_diff("f( a,b )\ng()\n", "@@\n-f(a, b)\n+f(c)\n g( )\n") == "f(c)\ng()\n"
    text = "def f():\n    if x:\n        y()\n"
    assert apply_unified_diff(text, "@@\n def f():\n   if x:\n-    y()\n+    z()\n+      w()\n") == (
        "def f():\n    if x:\n        z()\n            w()\n"
    )
    assert failure("a b\nab\n", "@@\n-a  b\n+c\n").code == "ambiguous"


def test_less_context_at_the_edges() -> None:
    assert apply_unified_diff(LETTERS, "@@\n zz\n b\n-c\n+C\n d\n yy\n") == "a\nb\nC\nd\ne\n"
    assert apply_unified_diff(LETTERS, "@@\n zz\n-c\n+C\n") == "a\nb\nC\nd\ne\n"
    assert apply_unified_diff(LETTERS, "@@\n b\n+new\n yy\n") == "a\nb\nnew\nc\nd\ne\n"
    assert apply_unified_diff(LETTERS, "@@\n yy\n+new\n c\n") == "a\nb\nnew\nc\nd\ne\n"
    assert apply_unified_diff("  a\n  b\n", "@@\n zz\n a\n-b\n+c\n") == "  a\n  c\n"


def test_less_context_must_still_be_unique() -> None:
    text = two("x\ny\n", "w\ny\n")
    assert apply_unified_diff(text, "@@\n q\n w\n-y\n+z\n") == two("x\ny\n", "w\nz\n")
    assert failure(text, "@@\n q\n-y\n+z\n").code == "ambiguous"
    assert failure(text, "@@\n q\n+z\n r\n").code == "missing"
    assert failure("\n\nx\n", "@@\n \n+z\n r\n").code in ("ambiguous", "missing")


def test_context_stays_as_the_file_has_it() -> None:
    assert apply_unified_diff("  a \n\tb\n c\n", "@@\n a\n-b\n+x\n c\n") == "  a \n\tx\n c\n"


def test_never_a_guess() -> None:
    error = failure("const alpha = 1\nconst beta = 2\n", "@@\n-const alpha = 2\n+const alpha = 3\n")
    assert (error.code, error.hunk) == ("missing", 1)
    assert "const alpha = 2" in str(error)
    assert failure("return xyz\n", "@@\n-return x\n+return y\n").code == "missing"


# All or none, several hunks


def test_all_hunks_or_none() -> None:
    error = failure(LETTERS, "@@\n-a\n+A\n@@\n-zz\n+Z\n@@\n-e\n+E\n")
    assert (error.code, error.hunk) == ("missing", 2)


def test_hunks_in_any_order_and_sharing_context() -> None:
    assert apply_unified_diff(LETTERS, "@@\n d\n-e\n+E\n@@\n-a\n+A\n b\n") == "A\nb\nc\nd\nE\n"
    assert apply_unified_diff(LETTERS, "@@\n a\n-b\n+B\n c\n@@\n c\n-d\n+D\n e\n") == "a\nB\nc\nD\ne\n"


def test_a_hunk_is_found_in_the_file_as_it_was() -> None:
    assert apply_unified_diff("x\nb\n", "@@\n-x\n+b\n@@\n-b\n+c\n") == "b\nc\n"


def test_a_hunk_may_build_on_the_one_before() -> None:
    assert apply_unified_diff(LETTERS, "@@\n a\n+new\n b\n@@\n new\n-b\n+B\n") == "a\nnew\nB\nc\nd\ne\n"


def test_hunks_must_not_change_the_same_lines() -> None:
    assert failure(LETTERS, "@@\n-b\n-c\n+x\n@@\n-c\n-d\n+y\n").code == "overlap"
    assert failure(LETTERS, "@@\n-b\n+x\n@@\n-b\n+x\n").hunk == 2


# What a diff looks like


def test_headers_only_before_a_hunk() -> None:
    assert apply_unified_diff("-- x\ny\n", "@@\n--- x\n y\n") == "y\n"
    assert apply_unified_diff("y\n", "@@\n y\n+++ y\n") == "y\n++ y\n"
    assert (
        apply_unified_diff("-- x\ny\n", "--- a/q.sql\n+++ b/q.sql\n@@ -1,2 +1,2 @@\n--- x\n+++ y\n y\n") == "++ y\ny\n"
    )
    counted = "@@ -1,2 +1,2 @@\n a\n--- x\n+++ y\n@@ -9 +9 @@\n-z\n+Z\n"
    assert apply_unified_diff("a\n-- x\nz\n", counted) == "a\n++ y\nZ\n"
    assert apply_unified_diff("a\n-- x\nz\n", "@@\n a\n--- x\n+++ y\n@@\n-z\n+Z\n") == "a\n++ y\nZ\n"


def test_headers_between_hunks() -> None:
    for second in ("--- a/f\n+++ b/f\n", "--- f\n+++ f\n", "diff --git a/f b/f\nindex 1..2 100644\n--- a/f\n+++ b/f\n"):
        diff = f"--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+A\n{second}@@ -5 +5 @@\n-e\n+E\n"
        assert apply_unified_diff(LETTERS, diff) == "A\nb\nc\nd\nE\n"
        assert (
            apply_unified_diff(LETTERS, diff.replace("@@ -1 +1 @@", "@@").replace("@@ -5 +5 @@", "@@"))
            == "A\nb\nc\nd\nE\n"
        )


@pytest.mark.parametrize(
    "diff",
    [
        "-c\n+C\n",
        "--- a/f\n+++ b/f\n-c\n+C\n",
        "```diff\n@@\n-c\n+C\n```\n",
        "\n\n--- a/f\n+++ b/f\n@@\n-c\n+C\n\n\n",
        "diff --git a/f b/f\nindex 123..456 100644\n--- a/f\t2024-01-01\n+++ b/f\n@@ -3 +3 @@\n-c\n+C\n",
        "Here is the change:\n@@\n-c\n+C\n",
        "@@\r\n b\r\n-c\r\n+C\r\n",
        "@@\n-c\n+C",
    ],
)
def test_diffs_as_models_write_them(diff: str) -> None:
    assert apply_unified_diff(LETTERS, diff) == "a\nb\nC\nd\ne\n"


def test_a_blank_context_line_that_lost_its_space() -> None:
    assert apply_unified_diff("a\n\nb\nc\n", "@@\n a\n\n-b\n+B\n") == "a\n\nB\nc\n"
    assert apply_unified_diff("a\nb\n\nc\n", "@@ -1,4 +1,4 @@\n a\n-b\n+B\n\n c\n") == "a\nB\n\nc\n"
    assert apply_unified_diff("b\n\nx\nb\nx\n", "@@ -1,2 +1,2 @@\n-b\n+B\n\n") == "B\n\nx\nb\nx\n"


def test_blank_lines_between_hunks_are_not_context() -> None:
    assert apply_unified_diff(LETTERS, "@@\n-a\n+A\n\n\n@@\n-c\n+C\n\n") == "A\nb\nC\nd\ne\n"


@pytest.mark.parametrize("diff", ["", "\n", "nothing here\n", "--- a/f\n+++ b/f\n", "@@\n@@\n", "```\n```"])
def test_a_diff_without_a_hunk_is_an_error(diff: str) -> None:
    assert failure(LETTERS, diff).code == "no_hunk"
    assert failure("", diff).code == "no_hunk"


# Creating and emptying


def test_a_file_may_be_created() -> None:
    assert apply_unified_diff("", "--- /dev/null\n+++ b/f\n@@ -0,0 +1,2 @@\n+a\n+b\n") == "a\nb\n"
    assert apply_unified_diff("", "@@\n+a\n\\ No newline at end of file\n") == "a"
    assert failure("", "@@\n a\n+b\n").code == "missing"


def test_lines_alone_do_not_say_where() -> None:
    assert failure(LETTERS, "@@ -0,0 +1 @@\n+new\n").code == "missing"
    assert failure(LETTERS, "+new\n").code == "missing"
    assert apply_unified_diff(LETTERS, "@@ -2,0 +3 @@\n+new\n") == "a\nb\nnew\nc\nd\ne\n"


def test_emptied_only_on_purpose() -> None:
    removal = "@@ -1,5 +0,0 @@\n-a\n-b\n-c\n-d\n-e\n"
    assert failure(LETTERS, removal).code == "would_empty"
    assert failure(LETTERS, f"--- a/f\n+++ b/f\n{removal}").code == "would_empty"
    assert apply_unified_diff(LETTERS, f"--- a/f\n+++ /dev/null\n{removal}") == ""
    assert apply_unified_diff(LETTERS, "--- a/f\n+++ /dev/null\n") == ""
    assert failure(LETTERS, "--- a/f\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n").code == "not_emptied"


# Line ends


@pytest.mark.parametrize("transport", ["\n", "\r\n"])
def test_line_endings_are_kept(transport: str) -> None:
    diff = "@@\n b\n-c\n+C\n+D\n".replace("\n", transport)
    assert apply_unified_diff("a\r\nb\r\nc\r\n", diff) == "a\r\nb\r\nC\r\nD\r\n"
    assert apply_unified_diff("a\nb\nc\n", diff) == "a\nb\nC\nD\n"
    assert apply_unified_diff("a\nb\r\nc\r\nd\n", diff) == "a\nb\r\nC\r\nD\r\nd\n"


def test_a_diff_that_tells_line_ends_apart() -> None:
    assert apply_unified_diff("a\r\nb\nc\r\n", "@@ -1,3 +1,3 @@\n a\r\n-b\n+x\n+y\r\n c\r\n") == "a\r\nx\ny\r\nc\r\n"


def test_the_final_newline_is_kept() -> None:
    assert apply_unified_diff("a\nb", "@@\n a\n-b\n+c\n") == "a\nc"
    assert apply_unified_diff("a\nb", "@@\n b\n+c\n") == "a\nb\nc"
    assert apply_unified_diff("a\r\nb", "@@\n b\n+c\n") == "a\r\nb\r\nc"
    assert apply_unified_diff("a\nb\n", "@@\n a\n-b\n+c") == "a\nc\n"
    assert apply_unified_diff("a\nb", "@@\n-b\n") == "a"
    assert apply_unified_diff("a", "@@\n-a\n+b\n") == "b"


def test_the_final_newline_changes_where_the_diff_says_so() -> None:
    note = "\\ No newline at end of file\n"
    assert apply_unified_diff("a\nb", f"@@ -1,2 +1,2 @@\n a\n-b\n{note}+b\n") == "a\nb\n"
    assert apply_unified_diff("a\nb\n", f"@@ -1,2 +1,2 @@\n a\n-b\n+b\n{note}") == "a\nb"
    assert apply_unified_diff("a\nb", f"@@ -1,2 +1,2 @@\n-a\n+A\n b\n{note}") == "A\nb"


# Real diffs


LINES = st.lists(st.sampled_from(["a", "b", "", " ", "  a", "-- x", "++ y", "@@", "\\ x", "}", "a\r"]), max_size=25)


@settings(max_examples=100, deadline=None)
@given(LINES, LINES, st.booleans(), st.integers(1, 3))
def test_real_diffs_apply(before: list[str], after: list[str], final_newline: bool, context: int) -> None:
    end = "\n" if final_newline else ""
    old, new = ("\n".join(lines) + end if lines else "" for lines in (before, after))
    assert_applies(old, new, context)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=120), st.lists(st.tuples(st.integers(0, 119), st.integers(0, 2)))
)
def test_real_diffs_of_small_changes_apply(numbers: list[int], changes: list[tuple[int, int]]) -> None:
    lines = [f"line {number}" for number in numbers]
    changed = list(lines)
    for at, kind in changes:
        if kind == 0 or not changed:
            changed.insert(at % (len(changed) + 1), "new")
        elif kind == 1:
            changed[at % len(changed)] += "!"
        else:
            del changed[at % len(changed)]
    for context in (1, 3):
        assert_applies("".join(f"{line}\n" for line in lines), "".join(f"{line}\n" for line in changed), context)


def assert_applies(old: str, new: str, context: int) -> None:
    def rows(text: str) -> list[str]:
        return [f"{row}\n" for row in text.split("\n")[:-1]] + ([text.split("\n")[-1]] if text.split("\n")[-1] else [])

    diff = ""
    for row in difflib.unified_diff(rows(old), rows(new), "a/f", "/dev/null" if not new else "b/f", n=context):
        diff += row if row.endswith("\n") else f"{row}\n\\ No newline at end of file\n"
    if old == new or not diff:
        return
    assert apply_unified_diff(old, diff) == new


@settings(max_examples=100, deadline=None)
@given(LINES, st.text(alphabet=" +-@\\ab\n\r", max_size=80))
def test_any_diff_applies_or_fails_in_kind(lines: list[str], diff: str) -> None:
    try:
        apply_unified_diff("\n".join(lines), diff)
    except DiffError as error:
        assert str(error)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 8))
def test_a_reindented_hunk_gives_the_place_its_indentation(seed: int, indent: int) -> None:
    generator = random.Random(seed)
    body = [" " * 4 * generator.randint(0, 3) + f"line{number}()" for number in range(12)]
    at = generator.randint(2, 9)
    new = [" " * 4 * generator.randint(0, 3) + "new()" for _ in range(generator.randint(1, 3))]
    base = " " * indent
    text = "".join(f"{base}{line}\n" for line in body)
    rows = [f" {line}" for line in body[at - 2 : at]] + [f"-{body[at]}"] + [f"+{line}" for line in new]
    expected = [*body[:at], *new, *body[at + 1 :]]
    applied = apply_unified_diff(text, "@@\n" + "".join(f"{row}\n" for row in [*rows, f" {body[at + 1]}"]))
    known = {len(line) - len(line.lstrip()) for line in body[at - 2 : at + 2]}
    if all(len(line) - len(line.lstrip()) >= min(known) for line in new):
        assert applied == "".join(f"{base}{line}\n" for line in expected)


# Time


@pytest.mark.parametrize(
    ("text", "diff"),
    [
        ("x\n" * 100_000, "@@ -5 +5 @@\n" + " x\n" * 1_000 + "-y\n+z\n"),
        ("x\n" * 100_000, "@@ -50000,2 +50000,2 @@\n x\n-x\n+z\n"),
        ("x\n" * 100_000, "@@\n " + "\n ".join("  x" for _ in range(500)) + "\n-  x\n+z\n"),
        ("x\n" * 50_000, "@@\n q\n-x\n+z\n"),
        ("x" * 2_000_000, "@@\n-" + "x" * 2_000_001 + "\n+z\n"),
        ("".join(f"{n}\n" for n in range(50_000)), "".join(f"@@\n-{n}\n+x{n}\n" for n in range(0, 50_000, 50))),
        ("".join(f"{n}\n" for n in range(50_000)), "".join(f"@@\n-{n}x\n+x{n}\n" for n in range(0, 50_000, 5))),
        ("  a\n\ta\n" * 20_000, "@@\n-    a\n+b\n" * 100),
        ("a\n" * 20_000, " " * 100_000),
        ("a\n" * 20_000, "@@\n" + "".join(f"{' ' * number}x\n" for number in range(1_000)) + "+a\n"),
    ],
)
def test_hard_diffs_take_bounded_time(text: str, diff: str) -> None:
    start = time.process_time()
    try:
        apply_unified_diff(text, diff)
    except DiffError as error:
        assert error.code
    assert time.process_time() - start < 5
