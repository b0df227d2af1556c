"""One HTTP exchange: the request goes out, deltas come back as they are written, every failure is typed.

No retry, no redirect. Time is bounded twice: from the request to the first token, and between tokens; bytes that carry
no token (comments, pings) do not count as life. Time that the consumer takes between two deltas does not count either.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from types import TracebackType
from typing import Self

import httpx

from inference.errors import (
    AddressNotAllowed,
    ConnectionFailed,
    InferenceError,
    StreamBroken,
    StreamStalled,
    TimedOut,
    UnreadableAnswer,
)
from inference.guarded_transport import AddressRefused
from inference.wire import AnswerReader
from schemas.inference import Delta

MakeReader = Callable[[int, str, Mapping[str, str]], AnswerReader]


def make_client(connect_timeout: float) -> httpx.AsyncClient:
    """A client for many concurrent streams. Proxies of the environment are used, but not for this machine."""
    return httpx.AsyncClient(
        timeout=httpx.Timeout(None, connect=connect_timeout, write=60),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=50, keepalive_expiry=30),
        mounts={"all://127.0.0.1": None, "all://localhost": None},
        headers={"user-agent": "stich", "accept-encoding": "identity"},
        follow_redirects=False,
    )


async def exchange(
    client: httpx.AsyncClient,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    make_reader: MakeReader,
    *,
    first_token_timeout: float,
    stall_timeout: float,
) -> AsyncGenerator[list[Delta], None]:
    """The deltas of one call, as many at once as a piece of the answer completes. `make_reader` gets status, content
    type and lower-case headers of the answer.

    Closing the iterator or cancelling the task closes the connection. Raises InferenceError.
    """
    errors = make_reader(0, "", {})  # names the call in errors that come before any answer
    try:
        request = client.build_request("POST", url, content=body, headers=headers)
    except (httpx.InvalidURL, ValueError) as error:
        raise errors.error(ConnectionFailed, f"invalid URL or header: {type(error).__name__}") from None
    watch = _Watch(first_token_timeout)
    try:
        with watch:
            response = await client.send(request, stream=True)
    except TimeoutError:
        raise errors.error(TimedOut, f"no answer within {first_token_timeout:g} s") from None
    except AddressRefused as error:
        raise errors.error(AddressNotAllowed, str(error)) from None
    except httpx.HTTPError as error:
        raise connection_error(errors, error) from error
    try:
        reader = make_reader(response.status_code, response.headers.get("content-type", ""), _lower(response.headers))
        chunks = _bytes(response)
        tokens = False
        while True:
            try:
                with watch:
                    chunk = await anext(chunks)
            except StopAsyncIteration:
                break
            if deltas := reader.feed(chunk):
                yield deltas
                if not tokens:
                    tokens = True
                    watch.limit = stall_timeout
                watch.renew()
        yield reader.end()
    except TimeoutError:
        raise _too_late(errors, tokens, first_token_timeout, stall_timeout) from None
    except httpx.DecodingError as error:
        raise errors.error(UnreadableAnswer, "the answer's compression is broken") from error
    except (httpx.HTTPError, httpx.StreamError) as error:
        raise errors.error(StreamBroken, f"{type(error).__name__} while reading") from error
    finally:
        await response.aclose()


def _bytes(response: httpx.Response) -> AsyncIterator[bytes]:
    """The body as it comes. Where nothing is compressed, past the layers that would decompress and regroup it."""
    if "content-encoding" in response.headers or not isinstance(response.stream, httpx.AsyncByteStream):
        return aiter(response.aiter_bytes())
    return aiter(response.stream)


def _too_late(errors: AnswerReader, tokens: bool, first: float, stall: float) -> InferenceError:
    if tokens:
        return errors.error(StreamStalled, f"no token for {stall:g} s")
    return errors.error(TimedOut, f"no token within {first:g} s")


def _lower(headers: httpx.Headers) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def connection_error(errors: AnswerReader, error: httpx.HTTPError) -> InferenceError:
    """What kept the request from being answered, in words: names, TLS and refusals read alike in httpx."""
    cause: BaseException | None = error
    seen: list[BaseException] = []
    while cause is not None and cause not in seen:
        seen.append(cause)
        cause = cause.__cause__ or cause.__context__
    reason, detail = "connection", "the connection was refused or lost"
    if isinstance(error, httpx.ConnectTimeout):
        reason, detail = "connect_timeout", "the connection was not made in time"
    if isinstance(error, httpx.RemoteProtocolError):
        reason, detail = "closed", "the connection was closed before an answer came"
    for each in seen:
        if isinstance(each, socket.gaierror):
            reason, detail = "dns", "the host name cannot be resolved"
        elif isinstance(each, ssl.SSLCertVerificationError):
            reason, detail = "tls", "the server's certificate is not valid"
        elif isinstance(each, ssl.SSLError):
            reason, detail = "tls", "the TLS handshake failed"
    return errors.error(ConnectionFailed, detail, reason=reason)


class _Watch:
    """A deadline over several waits of one task, entered for each; only `renew` moves it.

    asyncio.timeout would do, at several times the cost per chunk. Time outside of the waits is not counted: what is
    left of the time when a wait ends is what the next one has.
    """

    __slots__ = ("_before", "_deadline", "_fired", "_handle", "_left", "_loop", "_task", "limit")

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self._loop = asyncio.get_running_loop()
        self._left = limit
        self._deadline: float | None = None
        self._handle: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[object] | None = None
        self._fired = False
        self._before = 0

    def renew(self) -> None:
        """A sign of life: the next wait has the whole limit again."""
        self._left = self.limit

    def __enter__(self) -> Self:
        self._task = asyncio.current_task()
        self._deadline = deadline = self._loop.time() + self._left
        if self._handle is None or self._handle.when() > deadline:
            self._arm(deadline)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._deadline is not None
        self._left = max(self._deadline - self._loop.time(), 0.0)
        self._deadline = None
        if kind is None:
            return
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        if self._fired and kind is asyncio.CancelledError:
            self._fired = False
            if self._task is not None and self._task.uncancel() <= self._before:
                raise TimeoutError from error

    def _arm(self, when: float) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._handle = self._loop.call_at(when, self._look)

    def _look(self) -> None:
        """The timer is left running from wait to wait and looks up the deadline when it rings."""
        self._handle = None
        if self._deadline is None or self._task is None:
            return  # between two waits: the next one arms it again
        if self._loop.time() < self._deadline:
            self._arm(self._deadline)
            return
        self._fired = True
        self._before = self._task.cancelling()
        self._task.cancel()
