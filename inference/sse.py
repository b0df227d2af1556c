"""Server-sent events out of byte chunks, whatever the chunks' borders.

Made for speed: one `split` per chunk, no decoding of bytes to text. Only what model providers use is kept: the event
name and the data. CRLF, LF and lone CR end a line; comments, ids and retry fields are skipped.
"""

MAX_EVENT = 32 * 1024 * 1024
"""Bytes. An event longer than this is an attack or a fault, not an answer."""


class EventTooLong(ValueError):
    """An event passed `MAX_EVENT` bytes."""


class EventReader:
    """Feeds on chunks of bytes, gives (event name, data) pairs. The name is empty where none was sent."""

    __slots__ = ("_data", "_event", "_held_cr", "_limit", "_size", "_tail")

    def __init__(self, limit: int = MAX_EVENT) -> None:
        self._tail: list[bytes] = []
        self._data: list[bytes] = []
        self._event = b""
        self._size = 0
        self._held_cr = False
        self._limit = limit

    def feed(self, chunk: bytes) -> list[tuple[bytes, bytes]]:
        """The events that `chunk` completes. Raises EventTooLong."""
        if self._held_cr or b"\r" in chunk:
            chunk = self._normalised(chunk)
        self._size += len(chunk)
        if b"\n" not in chunk:
            self._check_size()
            if chunk:
                self._tail.append(chunk)
            return []
        lines = chunk.split(b"\n")
        if self._tail:
            self._tail.append(lines[0])
            lines[0] = b"".join(self._tail)
        rest = lines.pop()
        self._tail = [rest] if rest else []
        events: list[tuple[bytes, bytes]] = []
        data = self._data
        for line in lines:
            if line.startswith(b"data:"):
                data.append(line[6:] if line[5:6] == b" " else line[5:])
            elif not line:
                if data:
                    events.append((self._event, data[0] if len(data) == 1 else b"\n".join(data)))
                    data.clear()
                self._event = b""
                self._size = len(rest)
            elif line.startswith(b"event:"):
                self._event = line[6:].strip()
        self._check_size()
        return events

    def end(self) -> list[tuple[bytes, bytes]]:
        """The event that was complete but for its closing blank line, if any."""
        return self.feed(b"\n\n")

    def _check_size(self) -> None:
        if self._size > self._limit:
            raise EventTooLong(f"an event of more than {self._limit} bytes")

    def _normalised(self, chunk: bytes) -> bytes:
        """`chunk` with LF line ends. A CR at its end is held back: an LF may follow in the next chunk."""
        if self._held_cr:
            chunk = b"\r" + chunk
        self._held_cr = chunk.endswith(b"\r")
        if self._held_cr:
            chunk = chunk[:-1]
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
