"""Secrets in files: keys of known forms, and values that look random where a program has its secrets.

Unlike `schemas.secrets`, which takes out what people paste, this only tells: a file is somebody's work, and what merely
looks random may be meant. What is random by its nature (hashes of lock files, embedded pictures, minified code) is not
looked at.
"""

import re
from itertools import pairwise
from typing import Final

from pydantic import BaseModel

from schemas.secrets import MASKED, looks_random, mask_known, masked_in, named_values

MOST: Final = 5
"""Findings of one file: more of them say nothing new."""
LONGEST_LINE: Final = 600
"""Characters; longer lines were written by programs."""


class FoundSecret(BaseModel):
    """What may be a secret, in a line counted from 1. `provider` is the provider of models whose key it could be."""

    kind: str
    line: int
    provider: str | None = None
    hint: str = ""

    def sentence(self, path: str) -> str:
        """What people are told."""
        ending = f" ending in {self.hint.removeprefix('…')}" if self.hint else ""
        what = "what looks like a secret" if self.kind == LOOKS_SO else f"a key or password ({self.kind})"
        return f"{path} has {what}{ending} in line {self.line}: whoever can see the app's code can use it."

    @property
    def next_action(self) -> str:
        """What people can do about it. A key for model calls has a better place."""
        if self.provider is None:
            return NEXT_ACTION
        return f"{NEXT_ACTION} A key for the calls of this service belongs under your keys, where nobody sees it."


LOOKS_SO: Final = "random value"
NEXT_ACTION: Final = "Let the application read it from its environment, and renew it where it was issued."

_BY_PROGRAMS: Final = re.compile(
    r"(?:^|/)(?:package-lock\.json|npm-shrinkwrap\.json|pnpm-lock\.yaml|bun\.lockb?|go\.sum|[^/]+\.lock)$"
    r"|\.min\.[a-z]+$|\.(?:map|svg|snap|lock)$|(?:^|/)(?:node_modules|dist|build|vendor)/"
)
_EMBEDDED: Final = re.compile(
    r"data:[\w./+-]{0,60}(?:;[\w=-]{1,40}){0,3};base64,[A-Za-z0-9+/=_-]*|sha(?:256|384|512)-\S+"
)
_ABOUT_HASHES: Final = re.compile(
    r"(?i)integrity|checksum|digest|\bhash|sha-?(?:1|256|384|512)|etag|fingerprint|commit"
)
_LITERAL: Final = re.compile(r"(?<=[\"'`=])[A-Za-z0-9+/_-]{32,200}={0,2}(?=[\"'`\s;,)]|$)")
_STAND_IN: Final = re.compile(
    r"(?i)example|placeholder|change.?me|your[_-]|dummy|sample|lorem|abcdef|12345678|test[_-]?key"
)


def scan(path: str, text: str) -> list[FoundSecret]:
    """What may be a secret in a file, in order of line, at most `MOST`."""
    found: list[FoundSecret] = []
    guess = not _BY_PROGRAMS.search(path)
    known = mask_known(text)
    if known != text:
        # A mark has no line ends, but what it stands for may: lines are counted in what stood before it.
        for number, line in _lines(text, known):
            found += [FoundSecret(kind=one.kind, provider=one.provider, hint=one.hint, line=number) for one in
                      masked_in(line)]  # fmt: skip
    if guess:
        for number, line in enumerate(text.splitlines(), 1):
            if len(line) <= LONGEST_LINE:
                found += [FoundSecret(kind=LOOKS_SO, hint=f"…{value[-4:]}", line=number) for value in _guesses(line)]
    found.sort(key=lambda one: one.line)
    return found[:MOST]


def new_secrets(path: str, text: str, before: str | None) -> list[FoundSecret]:
    """Those of `scan` that were not in the file before: nobody is told twice."""
    found = scan(path, text)
    if not found or not before:
        return found
    known = {(one.kind, one.hint) for one in scan(path, before)}
    return [one for one in found if (one.kind, one.hint) not in known]


def _lines(text: str, masked: str) -> list[tuple[int, str]]:
    """The lines of a masked text that have marks, each with its number in the text as it was."""
    if text.count("\n") == masked.count("\n"):
        return [(number, line) for number, line in enumerate(masked.splitlines(), 1) if MASKED in line]
    # A private key of several lines: its first line is found by what stands before the mark.
    before = masked.index(MASKED)
    return [(masked.count("\n", 0, before) + 1, masked)]


def _guesses(line: str) -> list[str]:
    line = _EMBEDDED.sub("", mask_known(line))
    found = [value for value in named_values(line) if not _STAND_IN.search(value) and not _is_words(value)]
    if not _ABOUT_HASHES.search(line):
        for each in _LITERAL.finditer(line):
            value = each.group()
            if value not in found and not _STAND_IN.search(value) and _is_noise(value):
                found.append(value)
    return found


def _is_words(value: str) -> bool:
    """Whether it is made of words and numbers, as names and paths are."""
    return all(part.isalpha() or part.isdigit() or len(part) < 8 for part in re.split(r"[-_./~+=]", value))


def _is_noise(value: str) -> bool:
    """Whether the letters follow each other as they do in random values, and not as in names, words and paths."""
    plain = value.rstrip("=")
    kinds = ["d" if c.isdigit() else "u" if c.isupper() else "l" if c.islower() else "-" for c in plain]
    if min(kinds.count(kind) for kind in "dul") < 3:
        return False  # hashes have no capitals, names no digits
    changes = sum(one != other for one, other in pairwise(kinds))
    return changes >= 0.4 * len(plain) and looks_random(plain, 4.2)
