"""Fewer tokens for the same text, and estimates."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codegen.tokens import estimate_tokens, optimise_text


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("", ""),
        ("  \n\t\n", ""),
        ("a  \nb\t \n", "a\nb"),
        ("\n\na\n", "a"),
        ("a\n\nb", "a\n\nb"),
        ("a\n\n\nb", "a\n\n\nb"),
        ("a\n\n\n\nb", "a\n\n\nb"),
        ("a\n \n\t\n  \n\n\nb", "a\n\n\nb"),
        ("a\n  b", "a\n  b"),
        ("a \r\n\r\n\r\n\r\n\r\nb\r\n", "a\r\n\r\n\r\nb"),
    ],
)
def test_optimise_text(text: str, result: str) -> None:
    assert optimise_text(text) == result


@settings(deadline=None)
@given(st.text(alphabet="ab \t\r\n\x0c", max_size=60))
def test_optimising_keeps_all_but_whitespace_and_is_done_at_once(text: str) -> None:
    once = optimise_text(text)
    assert once.split() == text.split()
    assert optimise_text(once) == once
    assert len(once) <= len(text)
    assert "\n\n\n\n" not in once
    assert " \n" not in once


def test_optimising_takes_linear_time() -> None:
    start = time.process_time()
    optimise_text("a" + " " * 1_000_000 + "b" + "\n \t" * 300_000)
    assert time.process_time() - start < 2


def test_estimates() -> None:
    assert estimate_tokens("") == 0
    assert estimate_tokens("a") == 1
    code = "export function total(items: Item[]) {\n  return items.reduce((sum, item) => sum + item.price, 0);\n}\n"
    assert 24 <= estimate_tokens(code) <= 36  # three tokenisers count 29 to 31
    assert 15 <= estimate_tokens("我们需要一个看板应用，可以拖放卡片") <= 30


@settings(deadline=None)
@given(st.text(max_size=50), st.text(max_size=50))
def test_estimates_grow_with_the_text(first: str, second: str) -> None:
    assert max(estimate_tokens(first), estimate_tokens(second)) <= estimate_tokens(first + second)
    assert estimate_tokens(first + second) <= estimate_tokens(first) + estimate_tokens(second)
