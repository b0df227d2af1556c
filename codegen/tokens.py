"""Fewer tokens for the same text, and how many a text takes."""

import re

_BLANK_RUN = re.compile(r"(?:\r?\n){4,}")


def optimise_text(text: str) -> str:
    """The text without spaces and tabs at line ends, with at most two blank lines in a row, and trimmed.

    Changes nothing but whitespace; applying it again changes nothing.
    """
    lines = [_without_trailing(line) for line in text.split("\n")]
    return _BLANK_RUN.sub(lambda run: "\r\n\r\n\r\n" if "\r" in run[0] else "\n\n\n", "\n".join(lines)).strip()


def _without_trailing(line: str) -> str:
    bare = line.rstrip(" \t")
    return bare.rstrip(" \t\r") + "\r" if bare.endswith("\r") else bare


def estimate_tokens(text: str) -> int:
    """Roughly how many tokens a model counts: a token for 3.5 characters, more for those beyond ASCII.

    Made from lengths alone, about a microsecond for a file. Against the tokenisers of two providers it is within a
    quarter for source code, prose and Markdown, high for text in other alphabets and for deep indentation, and low
    by up to a half for dense digits and punctuation. For budgets, not for bills.
    """
    beyond_ascii = 0 if text.isascii() else len(text.encode("utf-8", "surrogatepass")) - len(text)
    return -int(-(len(text) + 1.3 * beyond_ascii) // 3.5)
