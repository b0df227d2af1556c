"""Finds the place in the source for a place in a transformed module, from the source map inside the module."""

import base64
import binascii
import re
from collections.abc import Iterator

from pydantic import BaseModel, ValidationError

_INLINE = re.compile(r"//# sourceMappingURL=data:application/json;(?:charset=utf-?8;)?base64,([A-Za-z0-9+/=]+)\s*$")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_VALUES = {letter: value for value, letter in enumerate(_LETTERS)}
_LARGEST = 8 * 1024 * 1024


class _Map(BaseModel):
    mappings: str


def original(module: str, line: int, column: int) -> tuple[int, int] | None:
    """Return (line, column) in the source for a line and column (from 1) of the module; None without a usable map."""
    match = _INLINE.search(module[-_LARGEST:])
    if match is None:
        return None
    try:
        mappings = _Map.model_validate_json(base64.b64decode(match[1])).mappings
    except (ValidationError, binascii.Error, ValueError):
        return None
    best: tuple[int, int] | None = None
    for made_line, made_column, source_line, source_column in _segments(mappings):
        if made_line > line - 1 or (made_line == line - 1 and made_column > column - 1):
            break
        if made_line == line - 1 or best is None:
            best = (source_line + 1, source_column + 1)
    return best


def _segments(mappings: str) -> Iterator[tuple[int, int, int, int]]:
    """Yield (line, column, source line, source column), all from 0, of segments that have a source."""
    source_line = source_column = 0
    for line, group in enumerate(mappings.split(";")):
        column = 0
        for segment in group.split(",") if group else ():
            numbers = list(_numbers(segment))
            if not numbers:
                continue
            column += numbers[0]
            if len(numbers) >= 4:
                source_line += numbers[2]
                source_column += numbers[3]
                yield line, column, source_line, source_column


def _numbers(segment: str) -> Iterator[int]:
    """Decode base-64 variable length quantities; stops at a letter that is none."""
    value = shift = 0
    for letter in segment:
        digit = _VALUES.get(letter)
        if digit is None or shift > 40:
            return
        value |= (digit & 31) << shift
        if digit & 32:
            shift += 5
            continue
        yield -(value >> 1) if value & 1 else value >> 1
        value = shift = 0
