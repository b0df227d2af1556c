"""The client for programs without asyncio: the same calls as `StichClient`, each of which waits for its answer.

with StichClientSync(url, token) as client:
    session = client.start(CreateSession(prompt="A kanban board"), "board-1")
    print(client.wait(session.id).state.reason)
"""

from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from schemas.deployments import Deployment, Target
from schemas.http import (
    CreateDeployment,
    CreateSession,
    FileList,
    MessageAccepted,
    PostMessage,
    SessionCreated,
    SessionList,
    SessionSnapshot,
)
from schemas.previews import PreviewAction, PreviewInfo, PreviewLogs
from schemas.session import Preview, Progress, StateInfo
from stich.client import Sequenced, StichClient

T = TypeVar("T")


class StichClientSync:
    """A connection to one service. A context manager; runs the asynchronous client in a thread of its own.

    Calls raise what `StichClient`'s raise. May be used from several threads.
    """

    def __init__(self, url: str, token: str, *, patience: float = 60.0) -> None:
        self._client = StichClient(url, token, patience=patience)
        self._stack = ExitStack()
        self._portal: BlockingPortal | None = None

    def __enter__(self) -> Self:
        self._portal = self._stack.enter_context(start_blocking_portal("asyncio"))
        self._stack.enter_context(self._portal.wrap_async_context_manager(self._client))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
        self._portal = None

    def start(self, session: CreateSession, idempotency_key: str) -> SessionCreated:
        return self._call(lambda: self._client.start(session, idempotency_key))

    def sessions(self) -> SessionList:
        return self._call(self._client.sessions)

    def snapshot(self, session_id: str) -> SessionSnapshot:
        return self._call(lambda: self._client.snapshot(session_id))

    def message(self, session_id: str, message: PostMessage) -> MessageAccepted:
        return self._call(lambda: self._client.message(session_id, message))

    def stop(self, session_id: str) -> StateInfo:
        return self._call(lambda: self._client.stop(session_id))

    def resume(self, session_id: str) -> StateInfo:
        return self._call(lambda: self._client.resume(session_id))

    def wait(self, session_id: str, *, told: Callable[[SessionSnapshot | Sequenced], None] | None = None) -> Progress:
        return self._call(lambda: self._client.wait(session_id, told=told))

    def files(self, session_id: str) -> FileList:
        return self._call(lambda: self._client.files(session_id))

    def read(self, session_id: str, path: str) -> bytes:
        return self._call(lambda: self._client.read(session_id, path))

    def export(self, session_id: str) -> bytes:
        return self._call(lambda: self._client.export(session_id))

    def publish(self, session_id: str, deployment: CreateDeployment) -> Deployment:
        return self._call(lambda: self._client.publish(session_id, deployment))

    def deployments(self, session_id: str) -> list[Deployment]:
        return self._call(lambda: self._client.deployments(session_id))

    def withdraw(self, session_id: str, target: Target) -> Deployment:
        return self._call(lambda: self._client.withdraw(session_id, target))

    def preview(self, session_id: str) -> PreviewInfo:
        return self._call(lambda: self._client.preview(session_id))

    def control_preview(self, session_id: str, action: PreviewAction) -> Preview:
        return self._call(lambda: self._client.control_preview(session_id, action))

    def preview_logs(self, session_id: str) -> PreviewLogs:
        return self._call(lambda: self._client.preview_logs(session_id))

    def follow(self, session_id: str, after: int | None = None) -> Iterator[SessionSnapshot | Sequenced]:
        """See `StichClient.follow`: never ends by itself, so leave the loop when enough was seen."""
        items = self._client.follow(session_id, after)
        try:
            while True:
                yield self._call(items.__anext__)
        except StopAsyncIteration:
            return
        finally:
            self._call(items.aclose)

    def _call(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        if self._portal is None:
            raise RuntimeError("Use the client in a with block.")
        result: T = self._portal.call(work)
        return result
