"""The client for programs without asyncio: the same calls as `StichClient`, each of which waits for its answer.

with StichClientSync(url, token) as client:
    session = client.start(CreateSession(prompt="A kanban board"), "board-1")
    print(client.wait(session.id).state.reason)
"""

import functools
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from schemas.http import SessionSnapshot
from stich.client import Sequenced, StichClient
from stich.client_history import History
from stich.client_webhooks import Webhooks

T = TypeVar("T")
P = ParamSpec("P")
Twin = TypeVar("Twin")


class _Waiting(Generic[Twin]):
    """Calls of an asynchronous twin, made in the thread of its event loop."""

    def __init__(self, twin: Twin) -> None:
        self._twin = twin
        self._portal: BlockingPortal | None = None

    def _wait_for(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        if self._portal is None:
            raise RuntimeError("Use the client in a with block.")
        result: T = self._portal.call(work)
        return result


def _waits(
    method: Callable[Concatenate[Twin, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[_Waiting[Twin], P], T]:
    """A method that does what the twin's does, and waits for it."""

    @functools.wraps(method)
    def call(waiting: _Waiting[Twin], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return waiting._wait_for(lambda: method(waiting._twin, *args, **kwargs))

    return call


class HistorySync(_Waiting[History]):
    """What `StichClientSync.history` offers: see `History`."""

    write = _waits(History.write)
    delete = _waits(History.delete)
    rename = _waits(History.rename)
    conflicts = _waits(History.conflicts)
    conflict = _waits(History.conflict)
    resolve = _waits(History.resolve)
    versions = _waits(History.versions)
    files = _waits(History.files)
    diff = _waits(History.diff)
    restore = _waits(History.restore)
    retry_phase = _waits(History.retry_phase)
    fork = _waits(History.fork)
    check = _waits(History.check)
    upload = _waits(History.upload)
    edit_message = _waits(History.edit_message)
    withdraw_message = _waits(History.withdraw_message)


class WebhooksSync(_Waiting[Webhooks]):
    """What `StichClientSync.webhooks` offers: see `Webhooks`."""

    create = _waits(Webhooks.create)
    all = _waits(Webhooks.all)
    change = _waits(Webhooks.change)
    delete = _waits(Webhooks.delete)
    test = _waits(Webhooks.test)
    deliveries = _waits(Webhooks.deliveries)


class StichClientSync(_Waiting[StichClient]):
    """A connection to one service. A context manager; runs the asynchronous client in a thread of its own.

    Calls raise what `StichClient`'s raise. May be used from several threads.
    """

    def __init__(self, url: str, token: str, *, patience: float = 60.0) -> None:
        super().__init__(StichClient(url, token, patience=patience))
        self.history = HistorySync(self._twin.history)
        self.webhooks = WebhooksSync(self._twin.webhooks)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        portal = self._stack.enter_context(start_blocking_portal("asyncio"))
        self._stack.enter_context(portal.wrap_async_context_manager(self._twin))
        self._portal = self.history._portal = self.webhooks._portal = portal
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
        self._portal = self.history._portal = self.webhooks._portal = None

    start = _waits(StichClient.start)
    snapshot = _waits(StichClient.snapshot)
    message = _waits(StichClient.message)
    stop = _waits(StichClient.stop)
    resume = _waits(StichClient.resume)
    files = _waits(StichClient.files)
    preview = _waits(StichClient.preview)
    control_preview = _waits(StichClient.control_preview)
    preview_logs = _waits(StichClient.preview_logs)
    publish = _waits(StichClient.publish)
    deployments = _waits(StichClient.deployments)
    withdraw = _waits(StichClient.withdraw)
    choose = _waits(StichClient.choose)
    sessions = _waits(StichClient.sessions)
    archive = _waits(StichClient.archive)
    unarchive = _waits(StichClient.unarchive)
    delete = _waits(StichClient.delete)
    budgets = _waits(StichClient.budgets)
    set_budgets = _waits(StichClient.set_budgets)
    session_budget = _waits(StichClient.session_budget)
    set_session_budget = _waits(StichClient.set_session_budget)
    analytics = _waits(StichClient.analytics)
    session_analytics = _waits(StichClient.session_analytics)
    read = _waits(StichClient.read)
    wait = _waits(StichClient.wait)
    export = _waits(StichClient.export)
    recording = _waits(StichClient.recording)
    export_to_github = _waits(StichClient.export_to_github)
    put_github_token = _waits(StichClient.put_github_token)

    def follow(self, session_id: str, after: int | None = None) -> Iterator[SessionSnapshot | Sequenced]:
        """See `StichClient.follow`: never ends by itself, so leave the loop when enough was seen."""
        items = self._twin.follow(session_id, after)
        try:
            while True:
                yield self._wait_for(items.__anext__)
        except StopAsyncIteration:
            return
        finally:
            self._wait_for(items.aclose)
