"""One request to a hosting service, and what its failures mean in plain words."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from sandbox.errors import HostingFailed

_TIMEOUT = httpx.Timeout(60.0, connect=10.0)
_LONGEST_WAIT = 120.0
_ANSWER_BYTES = 4 * 1024 * 1024
_POLL_SECONDS = (0.2, 3.0)
UPLOADS_AT_ONCE = 6


class Service:
    """A hosting service, called with one user's token. An async context manager.

    Every call raises HostingFailed; no text of it holds the token.
    """

    def __init__(self, title: str, url: str, token: str) -> None:
        self.title = title
        self._token = token
        self._http = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {token}", "User-Agent": "stich"},
            timeout=_TIMEOUT,
            follow_redirects=False,  # a token goes to the address it is meant for
        )

    async def __aenter__(self) -> "Service":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def call(self, method: str, path: str, *, missing: bool = False, **options: Any) -> Any:
        """The JSON answer; None for an empty one, and with `missing` for one that says that there is no such thing."""
        answer = await self._send(method, path, options)
        if answer.status_code == 404 and missing:
            return None
        if not answer.is_success:
            raise self._failure(answer)
        if not answer.content:
            return None
        try:
            return answer.json()
        except ValueError:
            raise HostingFailed(f"{self.title} answered with something that is not JSON.", retry=True) from None

    async def _send(self, method: str, path: str, options: Mapping[str, Any]) -> httpx.Response:
        try:
            async with self._http.stream(method, path, **options) as answer:
                body = bytearray()
                async for piece in answer.aiter_bytes():
                    body += piece
                    if len(body) > _ANSWER_BYTES:
                        raise HostingFailed(f"{self.title} answered without end.")
                headers = {k: v for k, v in answer.headers.items() if k not in ("content-encoding", "content-length")}
                return httpx.Response(answer.status_code, headers=headers, content=bytes(body))
        except httpx.TimeoutException:
            raise HostingFailed(f"{self.title} did not answer in time.", retry=True) from None
        except httpx.HTTPError:
            raise HostingFailed(f"{self.title} cannot be reached right now.", retry=True) from None

    def _failure(self, answer: httpx.Response) -> HostingFailed:
        status = answer.status_code
        said = self._said(answer)
        if status in (401, 403):
            return HostingFailed(
                f"{self.title} does not accept the token{said}. Check that it is valid and may publish.",
                code="deployment_refused",
            )
        if status == 429:
            return HostingFailed(
                f"{self.title} takes no more requests for a while{said}.",
                code="deployment_rate_limited",
                retry=True,
                retry_after=_retry_after(answer.headers),
            )
        if status >= 500 or status == 408:
            return HostingFailed(f"{self.title} has a problem (status {status}){said}.", retry=True)
        return HostingFailed(f"{self.title} refused (status {status}){said}.")

    def _said(self, answer: httpx.Response) -> str:
        try:
            message = message_in(answer.json())
        except ValueError:
            message = None
        if not message:
            return ""
        return ": " + " ".join(message.replace(self._token, "[token]").split())[:300].rstrip(".")

    async def until(self, look: Callable[[], Awaitable[str | None]], seconds: float = 300.0) -> str:
        """Ask again and again until `look` has an answer."""
        deadline, pause = time.monotonic() + seconds, _POLL_SECONDS[0]
        while (found := await look()) is None:
            if time.monotonic() > deadline:
                raise HostingFailed(f"{self.title} did not finish within {seconds:.0f} s.", retry=True)
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _POLL_SECONDS[1])
        return found


async def side_by_side(jobs: list[Callable[[], Awaitable[object]]]) -> None:
    """Do all jobs, a few at a time; the first failure ends the others and comes out as it is."""
    waiting = asyncio.Semaphore(UPLOADS_AT_ONCE)

    async def do(job: Callable[[], Awaitable[object]]) -> None:
        async with waiting:
            await job()

    try:
        async with asyncio.TaskGroup() as group:
            for job in jobs:
                group.create_task(do(job))
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None


def message_in(answer: object) -> str | None:
    """What a JSON error says, in any of the forms these services use."""
    if not isinstance(answer, dict):
        return None
    for value in (answer.get("message"), answer.get("error"), answer.get("errors")):
        inner = value[0] if isinstance(value, list) and value else value
        if isinstance(inner, str) and inner:
            return inner
        if isinstance(inner, dict) and isinstance(inner.get("message"), str):
            return str(inner["message"])
    return None


def field(answer: object, *names: str, title: str) -> str:
    """A text inside a JSON answer. Raises HostingFailed where it is missing."""
    for name in names:
        answer = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(answer, str) or not answer:
        raise HostingFailed(f"{title} gave an answer without {'.'.join(names)}.", retry=True)
    return answer


def _retry_after(headers: httpx.Headers) -> float | None:
    value = headers.get("retry-after", "")
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return None
    return min(seconds, _LONGEST_WAIT) if seconds > 0 else None
