"""Server-sent events, cut anywhere."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.sse import EventReader, EventTooLong

_LINE = st.text(st.characters(exclude_characters="\r\n", exclude_categories=("Cs",)), max_size=20)
_END = st.sampled_from(["\n", "\r\n", "\r"])


def read(chunks: list[bytes]) -> list[tuple[bytes, bytes]]:
    reader = EventReader()
    return [event for chunk in chunks for event in reader.feed(chunk)] + reader.end()


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["", "ping", "error"]), st.lists(_LINE, min_size=1, max_size=3)), max_size=6),
    _END,
    st.lists(st.integers(0, 400), max_size=12),
)
def test_any_events_survive_any_cuts(events: list[tuple[str, list[str]]], end: str, cuts: list[int]) -> None:
    text = ""
    for name, lines in events:
        text += f": a comment{end}id: 7{end}" + (f"event: {name}{end}" if name else "")
        text += "".join(f"data: {line}{end}" for line in lines) + end
    body = text.encode()
    borders = sorted({0, len(body), *(cut % (len(body) + 1) for cut in cuts)})
    chunks = [body[start:stop] for start, stop in itertools.pairwise(borders)]
    expected = [(name.encode(), "\n".join(lines).encode()) for name, lines in events]
    assert read(chunks) == expected


def test_the_space_after_the_colon_is_optional_and_only_one() -> None:
    assert read([b"data:x\n\ndata:  y\n\n"]) == [(b"", b"x"), (b"", b" y")]


def test_an_event_without_its_blank_line_is_given_at_the_end() -> None:
    assert read([b"data: a\n\ndata: b"]) == [(b"", b"a"), (b"", b"b")]


def test_an_endless_event_is_refused_without_reading_it_all() -> None:
    reader = EventReader(limit=1_000)
    with pytest.raises(EventTooLong):
        for _ in range(20):
            reader.feed(b"x" * 100)
    reader = EventReader(limit=1_000)
    with pytest.raises(EventTooLong):
        for _ in range(20):
            reader.feed(b"data: " + b"x" * 100 + b"\n")


def test_a_long_stream_of_short_events_is_not_too_long() -> None:
    reader = EventReader(limit=1_000)
    for _ in range(100):
        assert reader.feed(b"data: " + b"x" * 100 + b"\n\n")
