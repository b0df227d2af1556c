"""The frame of every activity of a session: events in order, one attempt at a time, failures in plain words."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.admission import due_notices
from activities.context import Rooms
from activities.heartbeat import heartbeat
from activities.model_access import ModelAccess, model_access, not_allowed
from inference.agents import NotAllowed
from inference.errors import InferenceError, to_application_error
from schemas.events import (
    BudgetEvent,
    Event,
    FileChunk,
    FileDeleted,
    FileFix,
    FileGenerated,
    FileGenerating,
    FileReset,
    MessageEvent,
    OperationReset,
    Outbox,
    SessionStateEvent,
    UsageEvent,
    WaitingEvent,
)
from schemas.failures import Failure
from schemas.inference import ActionKey
from schemas.operations import OperationInput
from schemas.session import REST_OR_WAIT, ChatMessage, UsageTotals
from storage.events import EventWriter, Fenced
from storage.limits import release_session

SUPERSEDED = Failure(code="superseded", sentence="A newer attempt of this step has taken over.")
FILE_EVENTS = (FileGenerating, FileChunk, FileGenerated, FileDeleted, FileReset, FileFix)
MODEL_ACTIONS = frozenset(key.value for key in ActionKey)
CLEAN_UP = 3.0  # seconds that a cancelled step may take to leave its events in order


class Step:
    """A running attempt of a step. Its events reach watchers in order; once a newer one took over, not at all."""

    def __init__(self, rooms: Rooms, given: OperationInput, writer: EventWriter) -> None:
        self.rooms = rooms
        self.given = given
        self.writer = writer
        self._access: ModelAccess | None = None

    @property
    def session_id(self) -> str:
        return self.given.session_id

    @property
    def id(self) -> str:
        """The step's id, the same in every attempt."""
        return self.given.operation.id

    @property
    def line(self) -> str:
        """Whose files the step works on: the session's own, or a candidate's, which watchers do not see."""
        return self.given.line or self.given.session_id

    @property
    def attempt(self) -> int:
        return activity.info().attempt

    async def model_access(self) -> ModelAccess:
        """With whose keys and by which settings this step calls models; read once."""
        if self._access is None:
            self._access = await model_access(self.rooms, self.session_id, self.given.user_id)
        return self._access

    async def serves(self, action: ActionKey) -> tuple[str, bool]:
        """(name of the model that a plain call of `action` goes to first, whether it is the demo model).
        Raises ApplicationError where there is none."""
        access, inference = await self.model_access(), self.rooms.inference
        try:
            return inference.serves(action, access.user, access.overrides(action, inference.settings))
        except InferenceError as error:
            raise to_application_error(error, attempt=self.attempt) from None
        except NotAllowed as error:
            raise not_allowed(error) from None

    async def reads_images(self, action: ActionKey) -> bool:
        """Whether the model that serves `action` can see pictures. Raises ApplicationError where there is none."""
        access, inference = await self.model_access(), self.rooms.inference
        try:
            return inference.reads_images(action, access.user, access.overrides(action, inference.settings))
        except InferenceError as error:
            raise to_application_error(error, attempt=self.attempt) from None
        except NotAllowed as error:
            raise not_allowed(error) from None

    def emit(self, event: Event) -> None:
        """Send an event to the watchers. What happens to the files of a candidate is not theirs to follow."""
        if self.given.line is None or not isinstance(event, FILE_EVENTS):
            self.writer.put(event)

    async def say(self, message: ChatMessage) -> None:
        """Add a turn to the conversation, for those who watch now and those who come later."""
        await self.rooms.messages.put(self.session_id, message)
        self.emit(MessageEvent(message=message))

    async def ended(self, action: ActionKey | None = None) -> tuple[int, UsageTotals]:
        """The last event written, and what the session has spent so far: what every result carries. `action` is that of
        the model calls that were made, where it is not the step's own."""
        usage = await self.rooms.ledger.session_totals(self.session_id)
        if action is None and self.given.operation.action in MODEL_ACTIONS:
            action = ActionKey(self.given.operation.action)
        if action is not None:
            try:
                model, _ = await self.serves(action)
            except ApplicationError:  # a key or a model went away while the step ran
                model = ""
            self.emit(UsageEvent(operation_id=self.id, action=action, model=model, usage=usage))
            await self.tell_of_budgets()
        return await self.writer.flush(), usage

    async def tell_of_budgets(self, error: ApplicationError | None = None) -> None:
        """Say which part of a budget is used up, where nobody has said so yet. `error` is what the step failed with."""
        for notice in await due_notices(self.rooms, self.given.user_id, self.session_id, error):
            self.emit(BudgetEvent(notice=notice))
            await self.say(ChatMessage(id=f"budget-{notice.id}", role="notice", text=notice.sentence, at=notice.at))


def fail(failure: Failure, *, retry: bool = False) -> ApplicationError:
    """The exception that carries `failure` to the workflow."""
    return ApplicationError(failure.explanation, failure.model_dump(), type=failure.code, non_retryable=not retry)


@asynccontextmanager
async def running(rooms: Rooms, given: OperationInput) -> AsyncIterator[Step]:
    """Run a step inside its frame.

    Writes the workflow's events first, takes the writer over from any earlier attempt, beats, and on the way out sees
    that everything is in the log. A failure that will be retried is announced with the time of the next attempt.
    """
    async with heartbeat():
        await record(rooms, given.session_id, given.outbox)
        info = activity.info()
        try:
            writer = await rooms.events.open(
                given.session_id,
                given.operation.id,
                run_id=info.workflow_run_id or "",
                execution=given.execution,
                attempt=info.attempt,
                reset=OperationReset(
                    operation_id=given.operation.id, attempt=info.attempt, reason="The step starts again."
                ),
            )
            step = Step(rooms, given, writer)
            try:
                yield step
            except asyncio.CancelledError:
                async with asyncio.timeout(CLEAN_UP):
                    await writer.aclose(finished=False)
                raise
            except ApplicationError as error:
                _announce(step, error)
                await step.tell_of_budgets(error)
                await writer.aclose(finished=False)
                raise
            await writer.aclose(finished=True)
        except Fenced as error:
            raise fail(SUPERSEDED) from error


async def record(rooms: Rooms, session_id: str, outbox: Outbox) -> int:
    """Write down events of the workflow, and keep the session's row and conversation in step with them."""
    if not outbox.events:
        return 0
    seq = await rooms.events.append_outbox(
        session_id, outbox.first, outbox.events, run_id=activity.info().workflow_run_id or ""
    )
    for number, event in enumerate(outbox.events, outbox.first):
        if isinstance(event, MessageEvent):
            await rooms.messages.follow(session_id, event.message, number)
    states = [event.state for event in outbox.events if isinstance(event, SessionStateEvent)]
    if states:
        await rooms.sessions.set_state(session_id, states[-1].name, states[-1].reason)
        if states[-1].name in REST_OR_WAIT:
            await release_session(rooms.database, session_id)
    return seq


def _announce(step: Step, error: ApplicationError) -> None:
    """Tell watchers why the step waits, unless it has failed for good."""
    if error.non_retryable:
        return
    failure = Failure.model_validate(error.details[0]) if error.details else None
    delay = error.next_retry_delay or timedelta(seconds=min(10, 0.5 * 2 ** (step.attempt - 1)))
    step.emit(
        WaitingEvent(
            operation_id=step.id,
            code=failure.code if failure else error.type or "failed",
            reason=f"{failure.explanation} {failure.then}".strip() if failure else error.message,
            until=datetime.now(UTC) + delay,
        )
    )
