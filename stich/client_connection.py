"""One connection to a service: requests are repeated while it is away, streams are taken up where they broke."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import quote

import httpx
import orjson
from pydantic import BaseModel, TypeAdapter, ValidationError

from schemas.events import Event
from schemas.http import Problem, SessionSnapshot

SILENCE_SECONDS: Final = 45.0
"""A stream without even a heartbeat for this long is taken for dead; the service sends one every 15 s."""
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 5.0
ANSWER_SECONDS: Final = 30.0

M = TypeVar("M", bound=BaseModel)

_EVENT: Final[TypeAdapter[Event]] = TypeAdapter(Event)


class StichHttpError(Exception):
    """The service refused. `problem` is its answer, where it gave one in the documented form."""

    def __init__(self, status: int, sentence: str, problem: Problem | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.problem = problem


class StichUnreachable(Exception):
    """The service did not answer for longer than was allowed."""


class Sequenced(NamedTuple):
    """An event and its number in the session's sequence. `raw` is the JSON object as it came."""

    seq: int
    event: Event
    raw: dict[str, Any]


class Connection:
    """What the client's parts share. See `StichClient` for the arguments."""

    def __init__(self, url: str, token: str, patience: float, lost: Callable[[str], None] | None) -> None:
        self._patience = patience
        self._lost = lost
        self._http = httpx.AsyncClient(
            base_url=url.rstrip("/"),
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=5),
            trust_env=False,  # a proxy of the environment must not see the token of a service on this machine
        )

    async def aclose(self) -> None:
        await self._http.aclose()

    async def ask(
        self,
        answer: type[M],
        method: str,
        path: str,
        body: str | bytes | None = None,
        headers: dict[str, str] | None = None,
        seconds: float = ANSWER_SECONDS,
    ) -> M:
        """A request, and its answer as what it is described as."""
        return answer.model_validate_json((await self.call(method, path, body, headers, seconds)).content)

    async def call(
        self,
        method: str,
        path: str,
        body: str | bytes | None = None,
        headers: dict[str, str] | None = None,
        seconds: float = ANSWER_SECONDS,
    ) -> httpx.Response:
        """One request, repeated while the service is away. Every request of this client may be repeated."""
        content_type = {"Content-Type": "application/json"} if isinstance(body, str) else {}
        begun, pause = time.monotonic(), FIRST_PAUSE
        while True:
            try:
                answer = await self._http.request(
                    method,
                    path,
                    content=body,
                    headers={**content_type, **(headers or {})},
                    timeout=httpx.Timeout(seconds, connect=5),
                )
                if answer.is_success:
                    return answer
                raise _refusal(answer)
            except (httpx.TransportError, _Unavailable) as error:
                told = _told_to_wait(error)
                if time.monotonic() - begun + told > self._patience:
                    if isinstance(error, _Unavailable):
                        raise error.refusal from None
                    raise StichUnreachable(f"The service is out of reach ({error or type(error).__name__}).") from None
            await asyncio.sleep(told or pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def follow(
        self, session_id: str, after: int | None = None
    ) -> AsyncGenerator[SessionSnapshot | Sequenced, None]:
        """See `StichClient.follow`."""
        last, pause, away_since = after, FIRST_PAUSE, time.monotonic()
        while True:
            told = 0.0
            try:
                async for item in self._stream(session_id, last):
                    pause, away_since = FIRST_PAUSE, time.monotonic()
                    if isinstance(item, Sequenced):
                        if last is not None and item.seq <= last:
                            continue
                        last = item.seq
                    else:
                        last = item.progress.last_seq
                    yield item
                reason = "the stream ended"
            except (httpx.TransportError, _Unavailable) as error:
                reason, told = str(error) or type(error).__name__, _told_to_wait(error)
                if isinstance(error, _Limited) and time.monotonic() - away_since + told > self._patience:
                    raise error.refusal from None
            if time.monotonic() - away_since > self._patience:
                raise StichUnreachable(f"The service has been out of reach for {self._patience:.0f} s ({reason}).")
            if self._lost is not None and pause == FIRST_PAUSE:  # once, not at each attempt
                self._lost(reason)
            await asyncio.sleep(told or pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _stream(self, session_id: str, last: int | None) -> AsyncIterator[SessionSnapshot | Sequenced]:
        headers = {"Accept": "text/event-stream", "Accept-Encoding": "identity"} | (
            {"Last-Event-ID": str(last)} if last is not None else {}
        )
        timeout = httpx.Timeout(5, read=SILENCE_SECONDS)
        async with self._http.stream(
            "GET", f"/api/sessions/{quote(session_id, safe='')}/events", headers=headers, timeout=timeout
        ) as answer:
            if answer.status_code != 200:
                await answer.aread()
                raise _refusal(answer)
            async for number, name, data in _frames(answer.aiter_raw()):
                if name == "snapshot":
                    yield SessionSnapshot.model_validate_json(data)
                elif name in ("unavailable", "refused"):
                    raise _refused(Problem.model_validate_json(data))
                elif number is not None and (event := _read_event(name, data)) is not None:
                    yield Sequenced(number, *event)


class _Unavailable(Exception):
    """Status 502, 503 or 504: a part is restarting."""

    def __init__(self, refusal: StichHttpError) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


class _Limited(_Unavailable):
    """Status 429: it may be asked again after so many seconds, which 0 leaves open."""

    def __init__(self, refusal: StichHttpError, seconds: float) -> None:
        super().__init__(refusal)
        self.seconds = seconds


def _told_to_wait(error: Exception) -> float:
    """How many seconds the service wants to be left alone, with a little more so that many do not come at once."""
    return error.seconds * random.uniform(1, 1.1) if isinstance(error, _Limited) else 0.0


def _refusal(answer: httpx.Response) -> Exception:
    told = answer.headers.get("retry-after", "")
    wait = float(told) if told.isascii() and told.isdecimal() else 0.0
    try:
        return _refused(Problem.model_validate_json(answer.content), wait)
    except ValidationError:
        sentence = f"The service answered with status {answer.status_code}."
        return _weighed(StichHttpError(answer.status_code, sentence), wait)


def _refused(problem: Problem, wait: float = 0.0) -> Exception:
    return _weighed(StichHttpError(problem.status, f"{problem.detail} {problem.next_action}", problem), wait)


def _weighed(refusal: StichHttpError, wait: float) -> Exception:
    if refusal.status == 429:
        return _Limited(refusal, wait)
    return _Unavailable(refusal) if refusal.status in (502, 503, 504) else refusal


async def _frames(chunks: AsyncIterator[bytes]) -> AsyncIterator[tuple[int | None, str, bytes]]:
    """(sequence number, event name, data) of each frame that has data. Frames end with an empty line."""
    rest = bytearray()
    async for chunk in chunks:
        searched = max(0, len(rest) - 3)
        rest += chunk.replace(b"\r", b"")
        while (end := rest.find(b"\n\n", searched)) >= 0:
            frame, searched = bytes(rest[:end]), 0
            del rest[: end + 2]
            number, name, data = None, "message", []
            for line in frame.split(b"\n"):
                field, _, value = line.partition(b":")
                value = value.removeprefix(b" ")
                if field == b"data":
                    data.append(value)
                elif field == b"event":
                    name = value.decode()
                elif field == b"id" and value.isdigit():
                    number = int(value)
            if data:
                yield number, name, b"\n".join(data)


def _read_event(name: str, data: bytes) -> tuple[Event, dict[str, Any]] | None:
    """None for an event that only a newer service knows."""
    raw: dict[str, Any] = {**orjson.loads(data), "type": name}
    try:
        return _EVENT.validate_python(raw), raw
    except ValidationError as error:
        if error.errors(include_url=False, include_input=False)[0]["type"] == "union_tag_invalid":
            return None
        raise
