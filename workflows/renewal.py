"""When a history has grown long, and how the session goes on in a new one."""

from collections.abc import Callable
from typing import NoReturn

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from schemas.session import CarriedState, SessionRequest
    from workflows.steps import Session, TakenBack

MAX_MESSAGES_KEPT = 200

DUE = 400
"""Events beyond those after which the history is renewed between phases, from which it is renewed between steps too."""
OVERDUE = 700
"""Events beyond those, from which a step is broken off for it."""


class Renewal:
    """The history of one session. `restartable` says whether what is under way can be gone on with from the progress
    alone, `may_end` whether nothing is left of which only this run knows."""

    def __init__(
        self,
        session: Session,
        request: SessionRequest,
        *,
        restartable: Callable[[], bool],
        may_end: Callable[[], bool],
    ) -> None:
        self._session = session
        self._request = request
        self._restartable = restartable
        self._may_end = may_end
        session.renewal_due = lambda: self._may_break_off(DUE)

    @property
    def due(self) -> bool:
        """Whether the history is renewed at the end of the phase."""
        return self._events_over(0)

    def _events_over(self, more: int) -> bool:
        return workflow.info().get_current_history_length() > self._request.max_history_events + more

    def _may_break_off(self, overdue: int) -> bool:
        """Whether the history is so long that a phase may be broken off for a new one, and can be gone on with."""
        session = self._session
        return (
            self._events_over(overdue)
            and self._restartable()
            and not session.held
            and not session.renewing
            and all(operation.action != "publish" for operation in session.progress.operations)
        )

    async def break_off_when_overdue(self) -> None:
        """People may say so much while one step runs that its end cannot be waited for: it goes on in a new history
        with the files that it has not closed yet."""
        await workflow.wait_condition(lambda: self._may_break_off(OVERDUE))
        self._session.renew()

    async def renew_when_due(self) -> None:
        """Begin a new history between phases. Raises TakenBack."""
        if not self.due:
            return
        self._session.renewing = True
        try:
            await self._session.until(self._may_end)
        except TakenBack:
            self._session.renewing = False
            raise
        await self.renew()

    async def renew(self) -> NoReturn:
        """Continue as new, with everything a watcher or a builder needs."""
        await workflow.wait_condition(self._may_end)
        session, progress = self._session, self._session.progress
        older = [m for m in progress.messages[:-MAX_MESSAGES_KEPT] if m.state not in ("done", "withdrawn")]
        progress.messages = older + progress.messages[-MAX_MESSAGES_KEPT:]
        carried = CarriedState(
            progress=progress,
            outbox_next=session.journal.next_number,
            executions=session.executions,
            round=session.round,
        )
        workflow.continue_as_new(self._request.model_copy(update={"carried": carried}))
