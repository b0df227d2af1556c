"""A watcher of a session's events: reads frames as a browser does and checks what it is given."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from schemas.events import FileChunk, FileGenerated
from schemas.http import SessionSnapshot
from schemas.session import FileRef, Progress, StateInfo
from storage.database import Database
from storage.sessions import SessionRecord


class Watcher:
    """What arrived so far. Numbers must rise; with `strict` they must rise by one."""

    def __init__(self, strict: bool = True) -> None:
        self.strict = strict
        self.events: list[tuple[int, str, dict[str, Any]]] = []
        self.comments = 0
        self.retry: int | None = None
        self._rest = b""

    @property
    def last(self) -> int:
        return self.events[-1][0] if self.events else 0

    @property
    def kinds(self) -> list[str]:
        return [kind for _, kind, _ in self.events]

    def feed(self, data: bytes) -> None:
        *blocks, self._rest = (self._rest + data).split(b"\n\n")
        for block in blocks:
            if block.startswith(b":"):
                self.comments += 1
            elif block.startswith(b"retry: "):
                self.retry = int(block[7:])
            else:
                self._event(dict(line.split(": ", 1) for line in block.decode().split("\n")))

    def _event(self, fields: dict[str, str]) -> None:
        seq, data = int(fields["id"]), json.loads(fields["data"])
        assert data["seq"] == seq
        assert data["at"].endswith("Z")
        if self.events:
            assert seq > self.last, "an event again, or out of order"
            assert seq == self.last + 1 or not self.strict, f"a gap between {self.last} and {seq}"
        self.events.append((seq, fields["event"], data))

    async def read(self, frames: AsyncIterator[bytes], *, until: int, seconds: float = 10) -> None:
        """Read until the event with that number has come."""
        async with asyncio.timeout(seconds), aclosing(frames) as pieces:  # type: ignore[type-var]
            async for piece in pieces:
                self.feed(piece)
                if self.last >= until:
                    return

    def text(self, path: str) -> str:
        """The text of a file as its pieces tell it."""
        text = ""
        for _, kind, data in self.events:
            if kind == "file_chunk" and data["path"] == path:
                text = text[: data["offset"]] + data["text"]
        return text


def chunk(path: str, offset: int, text: str) -> FileChunk:
    return FileChunk(operation_id="op", path=path, offset=offset, text=text, format="full_content")


def generated(path: str) -> FileGenerated:
    return FileGenerated(operation_id="op", file=FileRef(path=path, sha256="0" * 64, size=1, version=1))


def snapshot_of(session: SessionRecord, last_seq: int = 0) -> SessionSnapshot:
    state = StateInfo(name="generating", since=session.created_at, reason="writing")
    progress = Progress(
        session_id=session.id,
        title="Fresh",
        prompt=session.prompt,
        mode=session.mode,
        state=state,
        created_at=session.created_at,
        last_seq=last_seq,
    )
    return SessionSnapshot(progress=progress, conversation=[])


async def head_of(database: Database, session_id: str) -> int:
    head: int | None = await database.pool.fetchval(
        "SELECT last_seq FROM event_heads WHERE session_id = $1", session_id
    )
    return head or 0
