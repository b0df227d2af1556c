"""One attempt of a step, whatever becomes of it, and the record of what happened meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal, TypeVar

from temporalio import workflow
from temporalio.common import Priority
from temporalio.exceptions import ActivityError, CancelledError

with workflow.unsafe.imports_passed_through():
    from activities.session import SessionActivities
    from schemas.events import OperationFinished, OperationStarted
    from schemas.failures import Failure
    from schemas.operations import OperationInput, OperationResult, RecordEventsInput
    from schemas.session import WORKING_STATES, Operation, Progress, State, StateInfo, Urgency
    from workflows.failures import failure_of
    from workflows.options import RECORD, StepOptions
    from workflows.picture import Picture
    from workflows.placing import BUSY, HOST_GONE, TELL_AFTER, TELL_AT_ONCE, may_wait, placed, places
    from workflows.precedence import AT_ONCE, rank, share

Argument = TypeVar("Argument", bound=OperationInput)
Result = TypeVar("Result", bound=OperationResult)
Common = dict[str, Any]

ROUNDS = 3
"""How often everything that can go on at this moment goes on, before what happened is written down by itself."""

AT_REST: frozenset[State] = frozenset({"idle", "stopped", "completed", "failed"})

BESIDE_THE_WORK: Final = frozenset({"conversation", "show_edits", "publish"})
"""Actions of steps that are no builder's."""


class Attempts(Picture):
    """A session whose steps run: what they carry to the event log, and what of it the picture reflects."""

    def __init__(
        self,
        progress: Progress,
        *,
        user_id: str,
        urgency: Urgency,
        jurisdiction: str | None,
        outbox_next: int,
        executions: int,
    ) -> None:
        super().__init__(progress, user_id=user_id, jurisdiction=jurisdiction, outbox_next=outbox_next)
        self.executions = executions
        self._urgency: Urgency = urgency
        self._known_seq = progress.last_seq
        self._running: dict[str, workflow.ActivityHandle[Any]] = {}
        self._cancelled: set[str] = set()
        self._floors: dict[str, int] = {}

    # --- recording ------------------------------------------------------------------------------------------------

    async def record_in_background(self) -> None:
        """Write down events that no step carries, for as long as the workflow runs."""
        while True:
            await workflow.wait_condition(self._unrecorded)
            for _ in range(ROUNDS):  # a step that starts now takes them along, and spares this one
                await workflow.wait_condition(lambda: True)
            if not self._unrecorded():
                continue
            outbox = self.journal.hand_out()
            at_rest = self.progress.state.name in AT_REST
            # Not a local activity: when a query comes at the wrong moment its end is replayed in another order.
            written = await workflow.execute_activity_method(
                SessionActivities.record_events,
                RecordEventsInput(
                    session_id=self.progress.session_id, outbox=outbox, progress=self.progress if at_rest else None
                ),
                priority=share(self.user_id, AT_ONCE),
                **RECORD,
            )
            self.journal.written(outbox)
            self._reached(written.last_seq)

    def _unrecorded(self) -> bool:
        return self.journal.unsent and (self.journal.urgent or not self._running)

    def _reached(self, seq: int) -> None:
        """Raise `last_seq` to what the picture surely reflects: nothing that an unfinished step wrote or may write."""
        self._known_seq = max(self._known_seq, seq)
        self.progress.last_seq = max(self.progress.last_seq, min([*self._floors.values(), self._known_seq]))

    def settle(self, operation_id: str) -> None:
        """A step that did not succeed is not tried again, and the picture shows what came of it."""
        self._floors.pop(operation_id, None)

    # --- attempts ---------------------------------------------------------------------------------------------------

    @property
    def building(self) -> bool:
        """Whether a step of a builder runs."""
        return any(operation.action not in BESIDE_THE_WORK for operation in self.progress.operations)

    @property
    def quiet(self) -> bool:
        """Whether nothing runs and every event is written."""
        return not self._running and self.journal.empty

    def operation(self, operation_id: str, action: str, title: str, phase_id: str | None = None) -> Operation:
        """Describe a step that starts now."""
        return Operation(id=operation_id, action=action, title=title, phase_id=phase_id, since=workflow.now())

    def common(self, operation: Operation) -> Common:
        """The fields every step's argument has, for a step that starts now."""
        self.executions += 1
        return {
            "session_id": self.progress.session_id,
            "user_id": self.user_id,
            "operation": operation,
            "execution": self.executions,
            "outbox": self.journal.hand_out(),
        }

    async def attempt(
        self,
        activity: Callable[[Any, Argument], Awaitable[Result]],
        argument: Callable[[Common], Argument],
        operation: Operation,
        options: StepOptions,
        tell_after: float = TELL_AFTER,
    ) -> Result | Failure | None:
        """Run a step once (with its retries): its result, its failure, or None when it was cancelled.

        Where the host that has the workspace does not take the step, another one does.
        """
        put = placed(options, self.progress)
        operation = operation.model_copy(update={"since": workflow.now()})
        self.progress.operations.append(operation)
        self.emit(OperationStarted(operation=operation))
        given = argument(self.common(operation))
        handle = workflow.start_activity_method(
            activity, given, summary=operation.title, priority=self._precedence(operation), **put
        )
        self._running[operation.id] = handle
        self._floors.setdefault(operation.id, self._known_seq)
        telling = asyncio.create_task(self._tell_place(operation, put, tell_after)) if may_wait(put) else None
        result: Result | Failure | None = None
        try:
            result = await handle
        except ActivityError as error:
            self.journal.not_written()
            # A step that was told to end has stopped, however it ended: its worker may have died meanwhile.
            if not isinstance(error.cause, CancelledError) and operation.id not in self._cancelled:
                result = failure_of(error)
        except asyncio.CancelledError:
            # Our own handle.cancel() before the server knew of the activity; a cancelled workflow is another matter.
            if workflow.cancellation_reason() is not None:
                raise
        finally:
            if telling is not None:
                telling.cancel()
            del self._running[operation.id]
            self._cancelled.discard(operation.id)
            self.progress.operations = [o for o in self.progress.operations if o.id != operation.id]
        if isinstance(result, OperationResult):
            self.journal.written(given.outbox)
            self.settle(operation.id)
            self._reached(result.last_seq)
            self.progress.usage = result.usage
            self.progress.host = result.host or self.progress.host
        outcome: Literal["done", "failed", "stopped"] = "stopped" if result is None else "done"
        self.emit(
            OperationFinished(operation_id=operation.id, outcome="failed" if isinstance(result, Failure) else outcome)
        )
        if isinstance(result, Failure) and result.code == HOST_GONE:
            self.progress.host = None
            return await self.attempt(activity, argument, operation, options, TELL_AT_ONCE)
        return result

    def cancel(self, operation_id: str) -> None:
        """End a step, if it runs: `attempt` returns None."""
        if (running := self._running.get(operation_id)) is not None:
            self._cancelled.add(operation_id)
            running.cancel()

    def _precedence(self, operation: Operation) -> Priority:
        """Set on every step, so that sessions which programs start themselves share fairly too."""
        answers = operation.action == "conversation"
        return share(self.user_id, AT_ONCE if answers else rank(self._urgency, self.progress))

    async def _tell_place(self, operation: Operation, options: StepOptions, after: float) -> None:
        """Show the session as waiting while its step waits for a free sandbox, and as it was from then on."""
        before: StateInfo | None = None
        try:
            precedence = self._precedence(operation)
            async for sentence in places(self.progress, operation, options["task_queue"], precedence, after):
                state = self.progress.state
                if before is None and state.name in WORKING_STATES:
                    before = state
                if before is not None and (state == before or state.code == BUSY):
                    self.enter("waiting_for_capacity", sentence, code=BUSY)
        except ActivityError:  # asking was cancelled with this task: the step runs, and nobody waits for an answer
            pass
        finally:
            if before is not None and self.progress.state.code == BUSY:
                self.enter(before.name, before.reason)
