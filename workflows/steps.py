"""What every builder does the same way: run a step, show it, stop it, wait out its failures, go on."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.session import SessionActivities
    from schemas.events import ErrorEvent
    from schemas.failures import OVER_BUDGET, Failure
    from schemas.operations import OperationResult, ReadBackInput
    from schemas.rounds import Limit, RoundState
    from schemas.session import WORKING_STATES, Operation, PhaseProgress, Progress, State, Urgency
    from workflows.attempts import BESIDE_THE_WORK, Argument, Attempts, Common, Result
    from workflows.options import SESSION_STEP, StepOptions
    from workflows.picture import QUESTION

Done = TypeVar("Done")

LOST_PAUSE = 10.0
LOST_ROUNDS = 3
"""How long to wait after the workers of all attempts were lost, and how often: a step may also be what kills them."""

SHORTEST_WAIT = timedelta(seconds=1)
"""Before a budget is asked again: the workflow's clock and that of the database may differ a little."""


class Interrupted(Exception):
    """A user's message interrupted the running step."""


class TakenBack(Exception):
    """The builders let go of what they were at, for a retry or a new history; they go on from what the progress is."""


class Session(Attempts):
    """A session at work: the one way its builders run steps, stop and wait."""

    def __init__(
        self,
        progress: Progress,
        *,
        user_id: str,
        keep_open: bool,
        urgency: Urgency = "interactive",
        jurisdiction: str | None = None,
        outbox_next: int = 1,
        executions: int = 0,
    ) -> None:
        super().__init__(
            progress,
            user_id=user_id,
            urgency=urgency,
            jurisdiction=jurisdiction,
            outbox_next=outbox_next,
            executions=executions,
        )
        self._keep_open = keep_open
        self._interrupted: set[str] = set()
        self._waiting = 0
        self.stopped = progress.state.name == "stopped"  # of the run before, where the history was renewed
        self.held = False
        self.taken_back = False  # by a retry, until the builders have let go
        self.resumes = 0
        self.round: RoundState | None = None
        self.budget_changes = 0
        self.sightless = False  # nobody could judge the last pictures; asked again after a word of a person
        self.renewing = False  # about to continue as new: nothing begins any more
        # Of the run before: a step had failed for good, and only a resume tries it again.
        self.given_up = progress.state.name == "failed" and any(p.status != "completed" for p in progress.phases)
        self.renewal_due: Callable[[], bool] = lambda: False
        """Whether the history is to be renewed before the next step."""

    # --- stopping -------------------------------------------------------------------------------------------------

    def stop(self, reason: str) -> None:
        """Cancel what runs and hold every builder before its next step."""
        self.stopped = True
        self.enter("stopped", reason)
        for operation in self.progress.operations:
            self.cancel(operation.id)

    def resume(self) -> None:
        """Let the builders go on."""
        self.begin_again("Going on where it stopped.")

    def begin_again(self, reason: str) -> None:
        """Let the builders go on, from wherever they are now."""
        self.stopped = self.given_up = self.sightless = False
        self.resumes += 1
        self.enter("starting", reason)

    def interrupt(self, actions: frozenset[str]) -> None:
        """Cancel the running step of one of these actions, if any: it raises Interrupted where it was awaited."""
        for operation in self.progress.operations:
            if operation.action in actions:
                self._interrupted.add(operation.id)
                self.cancel(operation.id)

    def pause(self, limit: Limit, reason: str) -> None:
        """Rest at a limit, which a resume or a message lifts. A session that does not stay open fails instead."""
        if not self._keep_open:
            failure = Failure(code=limit, sentence=reason, next_action="Raise the limit, or simplify the request.")
            self.enter("failed", reason, code=limit)
            raise ApplicationError(reason, failure.model_dump(), type=limit, non_retryable=True)
        if self.round is not None:
            self.round.limit, self.round.reason = limit, reason

    @property
    def waits_for_user(self) -> bool:
        """Whether the builder goes on only after a word of the user: an answer, or the leave to pass a limit."""
        return self.progress.question is not None or (self.round is not None and self.round.limit is not None)

    def show_waiting(self) -> None:
        """Say what the user is waited for, unless the session is stopped anyway."""
        if self.stopped:
            return
        if (question := self.progress.question) is not None:
            self.enter("idle", question.text, code=QUESTION)
        elif self.round is not None:
            self.enter("idle", self.round.reason, code=self.round.limit, can=["message", "resume"])

    async def going(self) -> None:
        """Wait while the session is stopped or held. Raises TakenBack."""
        if not self.building and self.renewal_due():
            self.renew()
        if self.stopped or self.given_up or self.held or self.taken_back:
            await self.until(lambda: not self.stopped and not self.given_up and not self.held)

    async def until(self, reached: Callable[[], bool]) -> None:
        """Wait on a builder's behalf. Raises TakenBack when a retry takes back what it waits for."""
        await workflow.wait_condition(lambda: self.taken_back or reached())
        if self.taken_back:
            raise TakenBack

    def take_back(self) -> None:
        """Let every builder raise TakenBack where it waits; its running steps are cancelled."""
        self.held = self.taken_back = True
        for operation in self.progress.operations:
            if operation.action not in BESIDE_THE_WORK:
                self.cancel(operation.id)

    def renew(self) -> None:
        """Let go of everything for a new history."""
        self.renewing = True
        self.take_back()

    @property
    def messages_wait(self) -> bool:
        """Whether somebody said something that is not read or not planned yet."""
        return any(not m.answered or (m.wants_change and m.state == "queued") for m in self.progress.messages)

    # --- steps ------------------------------------------------------------------------------------------------------

    async def step(
        self,
        activity: Callable[[Any, Argument], Awaitable[Result]],
        argument: Callable[[Common], Argument],
        operation: Operation,
        options: StepOptions,
        state: tuple[State, str] | None = None,
    ) -> Result:
        """Run one step until it succeeds, and return its result.

        A stop cancels it and it starts again, from what it had finished, when the session is resumed. A failure that
        waiting heals is waited out with a countdown; any other puts the session into `failed`, from where resuming
        tries again. Raises Interrupted when a message interrupted the step, and ApplicationError when the step failed
        and the session does not stay open.
        """
        outcome = await self.try_step(activity, argument, operation, options, state, gives_up=lambda _: False)
        assert not isinstance(outcome, Failure), "this step does not give up"
        return outcome

    async def advice(
        self,
        activity: Callable[[Any, Argument], Awaitable[Result]],
        argument: Callable[[Common], Argument],
        operation: Operation,
        options: StepOptions,
    ) -> Result | None:
        """Run a step that the work can do without. None when a message interrupted it or it failed for good: watchers
        are told so, and the work goes on."""
        outcome = None
        with suppress(Interrupted):
            outcome = await self.try_step(activity, argument, operation, options, gives_up=_heals_by_no_wait)
        if isinstance(outcome, OperationResult):
            return outcome
        if outcome is not None:
            self._tell(outcome, operation)
        self.settle(operation.id)
        return None

    async def try_step(
        self,
        activity: Callable[[Any, Argument], Awaitable[Result]],
        argument: Callable[[Common], Argument],
        operation: Operation,
        options: StepOptions,
        state: tuple[State, str] | None = None,
        gives_up: Callable[[Failure], bool] = lambda failure: not failure.waits,
    ) -> Result | Failure:
        """Run one step until it succeeds or `gives_up` says of its failure that it is not tried again: what it means is
        the caller's to say. As a rule only a budget or a limit of the user's is waited for.

        A stop cancels it and it starts again when the session is resumed. Raises Interrupted.
        """
        lost = 0
        while True:
            await self.going()
            changes = self.budget_changes
            if state is not None and not self._waiting:  # a step beside this one that waits has more to say
                self.enter(*state)
            outcome = await self.attempt(activity, argument, operation, options)
            interrupted = operation.id in self._interrupted
            self._interrupted.discard(operation.id)
            if isinstance(outcome, Failure):
                if outcome.code == "worker_lost" and lost < LOST_ROUNDS:
                    lost, outcome.retry_after = lost + 1, LOST_PAUSE
                if gives_up(outcome):
                    return outcome
                self._waiting += 1
                try:
                    await self._wait_out(outcome, operation, changes)
                finally:
                    self._waiting -= 1
            elif outcome is not None:
                return outcome
            elif interrupted:
                raise Interrupted

    async def read_back(self, phase: PhaseProgress, operation_id: str) -> None:
        """Bring the manifest up to date with what an interrupted step had finished."""
        found = await self.step(
            SessionActivities.read_back,
            lambda common: ReadBackInput(**common, of=operation_id),
            self.operation(f"{operation_id}/read-back", "read_back", "Looking at what was finished", phase.id),
            SESSION_STEP,
        )
        self.settle(operation_id)
        self.take_in(phase, found)

    async def _wait_out(self, failure: Failure, operation: Operation, changes: int) -> None:
        """Wait until the step may be tried again: a time that was named, a resume, or never; for a budget, until it was
        changed once more than the `changes` that there were when the step began."""
        until = failure.until
        if failure.retry_after is not None:
            until = workflow.now() + timedelta(seconds=failure.retry_after)
        if failure.code == OVER_BUDGET:
            reason = f"{failure.explanation} {failure.next_action}"
            summary = "until the budget allows more"
            await self._wait("waiting_for_budget", reason, failure.code, until, summary, changes)
        elif until is not None:
            await self._wait(
                "waiting_for_capacity", failure.explanation, failure.code, until, "until there is capacity again"
            )
        else:
            await self._fail(failure, operation)

    async def _wait(
        self, name: State, reason: str, code: str, until: datetime | None, summary: str, changes: int | None = None
    ) -> None:
        """Show the session as waiting, and why, until a time, a resume, a stop or, for a budget, a change of one."""
        before, now, resumes = self.progress.state, workflow.now(), self.resumes
        self.enter(name, reason, until=until, code=code)
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: (
                    self.stopped
                    or self.taken_back
                    or self.resumes > resumes
                    or (changes is not None and self.budget_changes > changes)
                ),
                timeout=None if until is None else max(until - now, SHORTEST_WAIT),
                timeout_summary=summary,
            )
        if before.name in WORKING_STATES and self.progress.state.code == code:
            self.enter(before.name, before.reason)

    async def _fail(self, failure: Failure, operation: Operation) -> None:
        seen = self.resumes
        self.enter("failed", failure.explanation, code=failure.code)
        self._tell(failure, operation)
        if not self._keep_open:
            raise ApplicationError(failure.explanation, failure.model_dump(), type=failure.code, non_retryable=True)
        await self.until(lambda: self.resumes > seen)

    def _tell(self, failure: Failure, operation: Operation) -> None:
        self.emit(
            ErrorEvent(
                operation_id=operation.id,
                code=failure.code,
                sentence=failure.explanation,
                next_action=failure.next_action,
            )
        )


async def together(work: Sequence[Coroutine[Any, Any, Done]]) -> list[Done]:
    """Run steps side by side to their ends, and return their results in order. Raises what the first one raised."""
    tasks = [asyncio.create_task(each) for each in work]
    found = await asyncio.gather(*tasks, return_exceptions=True)
    for each in found:
        if isinstance(each, BaseException):
            raise each
    return [task.result() for task in tasks]


def _heals_by_no_wait(failure: Failure) -> bool:
    return failure.retry_after is None and failure.until is None and failure.code != OVER_BUDGET
