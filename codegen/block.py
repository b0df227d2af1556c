"""One open SCOF block: where it ends, and what it holds so far, in time linear in the text whatever its pieces."""

import re
from functools import lru_cache

from schemas.scof import FileChunked, Refused, ScofEvent

MAX_TAIL = 256  # characters that `flow` holds back

_SPACES = frozenset(character for character in map(chr, range(0x3001)) if character.isspace())
_TABS = re.compile(r"\n\t+")


class Block:
    """Takes the text after an opening command, up to and including the line that is its end marker.

    A line may be that marker until a character tells otherwise; as long as it may, it is held back. A `skipped`
    block hands on nothing. With `strip_tabs` every line loses its leading tabs, as after `<<-`.
    """

    __slots__ = (
        "_at_line_start",
        "_flows",
        "_held",
        "_inside_line",
        "_marker",
        "_matched",
        "_max_bytes",
        "_offset",
        "_open_ends",
        "_parts",
        "_room",
        "_strip_tabs",
        "_tail",
        "closed",
        "path",
        "skipped",
    )

    def __init__(self, path: str, marker: str, *, strip_tabs: bool, max_bytes: int, skipped: bool = False) -> None:
        self.path = path
        self.skipped = skipped
        self.closed = False
        self._marker = marker
        self._open_ends = _open_ends(marker)
        self._strip_tabs = strip_tabs
        self._max_bytes = max_bytes
        self._room = max_bytes  # the offset up to which the text fits: less by what characters take beyond one byte
        self._offset = 0
        self._parts: list[str] = []
        self._held: list[str] = []  # of the current line, while it may be the marker
        self._matched = 0  # characters of the marker in it
        self._tail = ""  # the same, while it is short, for `flow`
        self._inside_line = False  # past that: the rest of the line is content
        self._at_line_start = True  # of what was handed on
        self._flows = not strip_tabs  # and nothing is held

    def content(self) -> str:
        """All that the block holds so far."""
        return "".join(self._parts)

    def flow(self, text: str, extra_bytes: int) -> list[ScofEvent] | None:
        """Take text that is content in the plainest way: the short cut for small pieces. None: `read` must take it.

        `extra_bytes` is how many more bytes than characters it has.
        """
        if not self._flows:
            return None
        if self._tail:
            text = self._tail + text
        offset = self._offset
        stop = offset + len(text)
        room = self._room - extra_bytes
        if self._marker in text or (stop > room and not self.skipped):
            return None
        if text[-1] not in self._open_ends:
            self._inside_line = True
            self._tail = ""
        else:
            line = text.rfind("\n") + 1
            if line or not self._inside_line:
                tail = text[line:]
                if not self._marker.startswith(tail.lstrip()):
                    self._inside_line = True
                    self._tail = ""
                elif extra_bytes or len(tail) > MAX_TAIL:
                    return None
                else:
                    self._inside_line = False
                    self._tail = tail
                    text = text[:line]
                    stop = offset + line
        if self.skipped:
            return []
        self._offset = stop
        self._room = room
        self._parts.append(text)
        return [FileChunked(self.path, offset, text)] if text else []

    def read(self, text: str, at: int, events: list[ScofEvent]) -> int:
        """Take `text` from index `at`; the index up to which it belongs to the block. Sets `closed` at the marker."""
        self._unflow()
        end = text.find("\n", at)
        if not self._inside_line:
            line = text[at:] if end < 0 else text[at:end]
            if self._may_be_marker(line):
                if end < 0:
                    self._hold(line)
                    return len(text)
                if self._matched == len(self._marker):
                    self._end()
                    return end + 1
        if end < 0:
            self._hand_on(text[at:], events)
            self._inside_line = True
            self._flows = self._may_flow()
            return len(text)
        begin, stop = self._find_marker_line(text, end)
        if begin >= 0:
            self._hand_on(text[at:begin], events)
            self._end()
            return stop + 1
        begin = text.rfind("\n", end) + 1
        self._matched = 0
        self._inside_line = not self._may_be_marker(text[begin:])
        if self._inside_line:
            begin = len(text)
        self._hand_on(text[at:begin], events)
        self._hold(text[begin:])
        return len(text)

    def finish(self, events: list[ScofEvent]) -> None:
        """The stream has ended: what was held is the marker, or content."""
        self._unflow()
        if not self._inside_line and self._matched == len(self._marker):
            self._end()
        else:
            self._hand_on("", events)

    def begin_with(self, text: str, events: list[ScofEvent]) -> None:
        """Begin with what the file holds already."""
        if text:
            self._add(text, events)

    def _unflow(self) -> None:
        """Look closer at what `flow` held back."""
        if self._flows:
            self._matched = 0
            if self._tail:
                self._may_be_marker(self._tail)
                self._held.append(self._tail)
                self._tail = ""

    def _may_flow(self) -> bool:
        return not self._strip_tabs and not self._held

    def _end(self) -> None:
        self._held.clear()
        self.closed = True

    def _hold(self, text: str) -> None:
        if text:
            self._held.append(text)
        self._flows = self._may_flow()

    def _may_be_marker(self, line: str) -> bool:
        """Whether `line`, which goes on where the held text stopped, can still be the marker."""
        rest = line if self._matched else line.lstrip()
        missing = len(self._marker) - self._matched
        if not self._marker.startswith(rest[:missing], self._matched):
            return False
        if len(rest) > missing and not rest[missing:].isspace():
            return False
        self._matched += min(len(rest), missing)
        return True

    def _find_marker_line(self, text: str, at: int) -> tuple[int, int]:
        """Begin and end of the first whole line after the newline at `at` that is the marker, or (-1, -1).

        No line is looked at twice: where its first occurrence of the marker is not the whole line, none is.
        """
        found = text.find(self._marker, at)
        while found >= 0:
            end = text.find("\n", found)
            if end < 0:
                break
            begin = text.rfind("\n", at, found) + 1
            if text[begin:end].strip() == self._marker:
                return begin, end
            found = text.find(self._marker, end)
        return -1, -1

    def _hand_on(self, text: str, events: list[ScofEvent]) -> None:
        """Make what is held, and `text`, content."""
        if self._held:
            text = "".join(self._held) + text
            self._held.clear()
        if self.skipped or not text:
            return
        if self._strip_tabs:
            stripped = _TABS.sub("\n", text.lstrip("\t") if self._at_line_start else text)
            self._at_line_start = text.endswith("\n")
            text = stripped
        self._add(text, events)

    def _add(self, text: str, events: list[ScofEvent]) -> None:
        """Content as far as it fits into the file."""
        extra = _bytes(text) - len(text)
        fits = self._offset + len(text) + extra <= self._room
        if fits:
            self._room -= extra
        else:
            text = _prefix(text, self._room - self._offset)
        if text:
            events.append(FileChunked(self.path, self._offset, text))
            self._parts.append(text)
            self._offset += len(text)
        if not fits:
            sentence = f"The file '{self.path}' is larger than {self._max_bytes:,} bytes."
            events.append(Refused(self.path, "file_too_large", sentence))
            self.skipped = True
            self._parts.clear()


@lru_cache(maxsize=64)
def _open_ends(marker: str) -> frozenset[str]:
    """The last characters of a text that leave open whether its last line is the marker."""
    return _SPACES.union(marker)


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _prefix(text: str, size: int) -> str:
    """As much of the start of `text` as fits into `size` bytes."""
    low, high = 0, min(len(text), size)
    while low < high:
        middle = (low + high + 1) // 2
        if _bytes(text[:middle]) <= size:
            low = middle
        else:
            high = middle - 1
    return text[:low]
