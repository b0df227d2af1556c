"""The newest events of one session in memory, encoded once for all who watch it."""

import asyncio
import bisect
import time
from typing import Final, NamedTuple

MAX_BATCHES: Final = 2_048
MAX_BYTES: Final = 1024 * 1024
MAX_WRITE: Final = 128 * 1024  # bytes handed to one reader at once, so that a slow one holds little


class Slice(NamedTuple):
    """Encoded events for one reader, and the number of the last one."""

    data: bytes
    last: int


class Ring:
    """Batches of encoded events, each known by the number that it follows.

    A reader whose cursor lies between two batches is served at once; any other one has to be brought up to the next
    boundary from the table.
    """

    def __init__(self, last: int) -> None:
        self.last = last
        """The last event of the session that this process has read."""
        self.wake = asyncio.Event()
        """Set, and replaced by a new one, whenever something was added."""
        self.readers = 0
        self.idle_since = time.monotonic()
        self._follows: list[int] = []
        self._batches: list[bytes] = []
        self._size = 0

    def add(self, data: bytes, last: int) -> None:
        """Append a batch of events, the last of which has number `last`, and wake the readers."""
        self._follows.append(self.last)
        self._batches.append(data)
        self._size += len(data)
        self.last = last
        if len(self._batches) > MAX_BATCHES or self._size > MAX_BYTES:
            self._forget()
        self.stir()

    def stir(self) -> None:
        """Wake the readers."""
        wake, self.wake = self.wake, asyncio.Event()
        wake.set()

    def after(self, cursor: int) -> Slice | None:
        """What follows `cursor` in memory; None when the table has to be asked first. Empty at the end."""
        if cursor >= self.last:
            return Slice(b"", cursor)
        first = bisect.bisect_left(self._follows, cursor)
        if first == len(self._follows) or self._follows[first] != cursor:
            return None
        size, end = 0, first
        while end < len(self._batches) and (end == first or size + len(self._batches[end]) <= MAX_WRITE):
            size += len(self._batches[end])
            end += 1
        last = self._follows[end] if end < len(self._follows) else self.last
        if end == first + 1:
            return Slice(self._batches[first], last)  # the usual case: all readers share these bytes
        return Slice(b"".join(self._batches[first:end]), last)

    def boundary(self, cursor: int) -> int:
        """The number up to which a reader at `cursor` has to read from the table."""
        first = bisect.bisect_left(self._follows, cursor)
        return self._follows[first] if first < len(self._follows) else self.last

    def _forget(self) -> None:
        """Drop the older half."""
        half = len(self._batches) // 2
        self._size -= sum(len(batch) for batch in self._batches[:half])
        del self._follows[:half]
        del self._batches[:half]
