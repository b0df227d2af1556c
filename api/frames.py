"""Server-sent events on the wire."""

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from schemas.http import Problem, SessionSnapshot
from storage.event_tail import StoredEvent

RETRY_MILLISECONDS: Final = 150

OPENING: Final = b"retry: %d\n\n" % RETRY_MILLISECONDS
"""First bytes of every stream: how long a browser waits before it comes back."""

HEARTBEAT: Final = b": alive\n\n"
"""A comment. It keeps proxies from closing a silent connection and shows a dead one."""


AVAILABLE: Final = b"event: available\ndata: {}\n\n"
"""What a stream said to be away is back."""


def problem_frame(name: str, problem: Problem) -> bytes:
    """Something that is wrong with the stream itself. It has no number: it is no event of the session."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), problem.model_dump_json().encode())


def event_frame(event: StoredEvent) -> bytes:
    """An event: its number as id, its type, its data with number and time in front."""
    return frame(event.seq, event.type, _time(event.at), event.data.encode())


def snapshot_frame(snapshot: SessionSnapshot, seq: int) -> bytes:
    """A snapshot, from which the events after `seq` lead on."""
    return frame(seq, "snapshot", _time(datetime.now(UTC)), snapshot.model_dump_json().encode())


def frame(seq: int, kind: str, at: bytes, data: bytes) -> bytes:
    """`data` is a JSON object on one line."""
    rest = b"}" if data == b"{}" else b"," + data[1:]
    return b'id: %d\nevent: %b\ndata: {"seq":%d,"at":"%b"%b\n\n' % (seq, kind.encode(), seq, at, rest)


def event_frames(events: Iterable[StoredEvent]) -> bytes:
    """Many events, one after another."""
    return b"".join([event_frame(event) for event in events])


@lru_cache(maxsize=64)  # the events of one transaction have the same time
def _time(at: datetime) -> bytes:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z").encode()
