"""Somebody who watches a session over HTTP, through every break, and keeps what was seen."""

import asyncio
import hashlib
import itertools
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import orjson

from schemas.events import Event, FileChunk, FileGenerated, FileGenerating, FileReset, OperationReset
from schemas.http import SessionSnapshot
from stich.client import Sequenced, StichClient, StichUnreachable
from tests.chaos.site import Kept, Run, until


class Watcher:
    """Follows from `after`, or from a snapshot. Use as an async context manager.

    `urls` are the services to watch through; with several, a break leads to the next one, as a proxy would.
    """

    def __init__(self, run: Run, after: int | None = 0, urls: Sequence[str] = ()) -> None:
        self.run = run
        self.after = after
        self.seen: list[Sequenced] = []
        self.times: list[float] = []
        self.snapshots: list[SessionSnapshot] = []
        self.breaks: list[str] = []
        at = run.site.stich.at
        patience = 0 if len(urls) > 1 else 60
        self._clients = [
            StichClient(url, at.token, patience=patience, lost=self.breaks.append) for url in urls or (at.local_url,)
        ]
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._follow())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        for client in self._clients:
            await client.__aexit__(None, None, None)

    async def _follow(self) -> None:
        for client in itertools.cycle(self._clients):
            after = self.last if self.seen or self.snapshots else self.after
            try:
                async for item in client.follow(self.run.id, after=after):
                    if isinstance(item, SessionSnapshot):
                        self.snapshots.append(item)
                    else:
                        self.seen.append(item)
                        self.times.append(time.monotonic())
            except StichUnreachable as error:
                if len(self._clients) == 1:
                    raise
                self.breaks.append(str(error))
            await asyncio.sleep(0.25)  # as a browser that was told to

    @property
    def last(self) -> int:
        if self.seen:
            return self.seen[-1].seq
        return self.snapshots[-1].progress.last_seq if self.snapshots else -1

    def events(self, kind: str) -> list[Event]:
        return [item.event for item in self.seen if item.event.type == kind]

    def saw(self, kind: str, text: str = "") -> bool:
        """Whether an event of this type came that holds `text`."""
        return any(item.event.type == kind and text in str(item.raw) for item in self.seen)

    async def wait_for(self, kind: str, text: str = "", seconds: float = 60) -> None:
        """Until an event of this type that holds `text` was seen."""

        def came() -> bool:
            self._still_following()
            return self.saw(kind, text)

        await until(came, f"an event {kind} {text}", seconds)

    async def catch_up(self, head: int, seconds: float = 30) -> None:
        """Until the event `head` was seen."""

        def there() -> bool:
            self._still_following()
            return self.last >= head

        await until(there, f"event {head} reaches the watcher, who is at {self.last}", seconds)

    def longest_pause(self, since: float, operation: str) -> float:
        """The longest time without an event from `since` until the operation had ended."""
        seen = zip(self.times, self.seen, strict=True)
        ends = [at for at, item in seen if item.event.type == "operation_finished" and operation in str(item.raw)]
        end = next((at for at in ends if at > since), self.times[-1])
        times = [since, *(at for at in self.times if since < at <= end)]
        return max((later - earlier for earlier, later in itertools.pairwise(times)), default=0.0)

    def _still_following(self) -> None:
        assert self._task is not None
        if self._task.done():
            self._task.result()
            raise AssertionError("the stream ended")

    def check_against(self, archive: dict[int, Kept]) -> None:
        """Everything seen was committed just so, in order and once; what is missing are pieces of text."""
        numbers = [item.seq for item in self.seen]
        assert numbers == sorted(set(numbers)), "each event came once, in order"
        for seq, event, raw in self.seen:
            kept = archive.get(seq)
            assert kept is not None, f"event {seq} was shown but never committed: {event}"
            shown = {name: value for name, value in raw.items() if name not in ("seq", "at", "type")}
            assert kept.type == event.type, f"event {seq} was shown as {event.type} and stored as {kept.type}"
            assert shown == _fields(kept.data), f"event {seq} was shown otherwise than it is stored"
        begun = self.after if self.after is not None else self.snapshots[0].progress.last_seq
        missed = [seq for seq in range(begun + 1, self.last + 1) if seq not in set(numbers)]
        lost = [(seq, archive[seq].type) for seq in missed if not archive[seq].piece]
        assert not lost, f"these were never shown: {lost}"
        self._check_texts()

    def _check_texts(self) -> None:
        """A file whose pieces all came is, put together, the file that was stored."""
        texts: dict[tuple[str, str], str | None] = {}
        whole = set()
        last = self.seen[0].seq - 1 if self.seen else 0
        for seq, event, _ in self.seen:
            if seq != last + 1:  # pieces were compacted away while nobody listened: the file is loaded by its hash
                texts = dict.fromkeys(texts)
            last = seq
            match event:
                case FileGenerating():
                    key = (event.operation_id, event.path)
                    texts[key] = ""
                    whole |= {key} if event.format == "full_content" else set()
                case FileChunk():
                    key = (event.operation_id, event.path)
                    text = texts.get(key)
                    texts[key] = text + event.text if text is not None and len(text) == event.offset else None
                case FileReset():
                    texts.pop((event.operation_id, event.path), None)
                case OperationReset():
                    texts = {key: text for key, text in texts.items() if key[0] != event.operation_id}
                case FileGenerated():
                    key = (event.operation_id, event.file.path)
                    text = texts.pop(key, None)
                    if text is not None and key in whole:
                        assert hashlib.sha256(text.encode()).hexdigest() == event.file.sha256, f"{key} was shown wrong"


def _fields(data: str) -> dict[str, object]:
    fields: dict[str, object] = orjson.loads(data)
    fields.pop("type", None)
    return fields
