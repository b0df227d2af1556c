"""The ring gives every reader each event once, in order, or says that the table has to be asked."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from api import ring as ring_module
from api.ring import MAX_WRITE, Ring

Sizes = st.lists(st.integers(1, 5), max_size=60)


@given(start=st.integers(0, 10), sizes=Sizes, cursor=st.integers(0, 300), limit=st.integers(2, 20))
def test_nothing_is_skipped_or_repeated(start: int, sizes: list[int], cursor: int, limit: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ring_module, "MAX_BATCHES", limit)
        ring = Ring(start)
        for size in sizes:
            first = ring.last + 1
            ring.add(b"".join(b"%d," % number for number in range(first, first + size)), first + size - 1)
    end = ring.last
    received = []
    for _ in range(200):
        piece = ring.after(cursor)
        if piece is None:  # from the table
            boundary = ring.boundary(cursor)
            assert boundary > cursor
            received += list(range(cursor + 1, boundary + 1))
            cursor = boundary
        elif piece.data:
            received += [int(number) for number in piece.data.split(b",") if number]
            assert piece.last == received[-1]
            cursor = piece.last
        else:
            assert piece.last == cursor >= end
            break
    assert received == sorted(set(received))
    assert not received or (received[-1] == end and received[0] > 0)


def test_a_slow_reader_is_given_little_at_once() -> None:
    ring = Ring(0)
    for number in range(1, 101):
        ring.add(b"x" * 10_000, number)
    piece = ring.after(0)
    assert piece is not None
    assert 0 < len(piece.data) <= MAX_WRITE
    assert piece.last == len(piece.data) // 10_000


def test_memory_is_bounded() -> None:
    ring = Ring(0)
    for number in range(1, 10_000):
        ring.add(b"x" * 1_000, number)
    assert sum(map(len, ring._batches)) <= ring_module.MAX_BYTES
    assert len(ring._batches) <= ring_module.MAX_BATCHES
    assert ring.after(0) is None


def test_readers_share_the_bytes() -> None:
    ring = Ring(7)
    ring.add(b"data", 9)
    first, second = ring.after(7), ring.after(7)
    assert first is not None
    assert second is not None
    assert first.data is second.data
    assert ring.after(8) is None
    assert ring.boundary(8) == 9
