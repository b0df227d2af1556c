"""The script that previews run inside the frame of the session's page: console lines and picked elements go to it.

It is put into documents that are asked for by a frame, and talks only with pages of the origins that may show it.
Nothing else of a document changes; looked at by itself or by the browser of the checks, the application is as it is.
"""

import json
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

from sandbox.http1 import Answer

PATH: Final = "/__stich/inspect.js"
TAG: Final = b'<script src="/__stich/inspect.js"></script>'
_PROGRAM: Final = Path(__file__).with_name("inspect.js")
_BEFORE: Final = (
    re.compile(rb"<head(?:\s[^>]*)?>", re.I),
    re.compile(rb"<html(?:\s[^>]*)?>", re.I),
    re.compile(rb"<!doctype[^>]*>", re.I),
)
_MOST_HELD: Final = 64 * 1024


def script(parents: Sequence[str]) -> bytes:
    """The script for pages of these origins."""
    return _program().replace("'PARENTS'", json.dumps(list(parents))).encode()


@cache
def _program() -> str:
    return _PROGRAM.read_text()


def belongs_into(answer: Answer) -> bool:
    """Whether an answer for a frame is a document, as text that can be read."""
    fields = answer.fields
    return (
        answer.status == 200
        and not answer.bodiless
        and fields.get(b"content-type").lower().startswith(b"text/html")
        and (fields.get(b"content-encoding").lower() or b"identity") == b"identity"
    )


class Insertion:
    """Puts the script's tag at the beginning of a document's head, while it comes in pieces."""

    def __init__(self) -> None:
        self._held: bytes | None = b""

    def feed(self, piece: bytes, more: bool) -> bytes:
        """What can go on, now that `piece` has come; without `more` it is the last one."""
        if self._held is None:
            return piece
        held = self._held + piece
        head = _BEFORE[0].search(held)
        if head is None and more and len(held) < _MOST_HELD:
            self._held = held
            return b""
        self._held = None
        found = head or next(filter(None, (before.search(held) for before in _BEFORE[1:])), None)
        cut = found.end() if found else 0
        return held[:cut] + TAG + held[cut:]
