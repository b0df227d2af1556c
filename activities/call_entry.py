"""The ledger's row of one model call, from before its first byte to its end, and what the end says about health."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

import structlog

from activities.admission import SHORT_WAIT, refusal
from activities.model_access import ModelAccess
from activities.traffic import Answered
from inference import Inference, Plan, tokens
from inference.bulk import BATCH_PRICE
from inference.errors import InferenceError
from inference.records import attempt_record, most_tokens
from schemas.inference import AttemptRecord, Delta, Finish, Outcome
from storage.breakers import Breakers
from storage.budgets import OverBudget
from storage.database import Database, until_available
from storage.ledger import Ledger
from storage.limits import LimitReached
from storage.traffic import Traffic
from storage.vault import Vault

log = structlog.get_logger(__name__)

PROGRESS_SECONDS = 5.0
"""How often a running call's tokens are written down: what a killed worker can leave uncounted."""

NOTE_SECONDS = 2.0
"""How long such a note may take."""

_settling: set[asyncio.Task[None]] = set()
"""Rows that are still being written when their activity is gone; held so that they are not collected."""


class ModelRooms(Protocol):
    """What a model call needs of the worker's rooms."""

    @property
    def database(self) -> Database: ...
    @property
    def inference(self) -> Inference: ...
    @property
    def ledger(self) -> Ledger: ...
    @property
    def vault(self) -> Vault: ...


class OperationFacts(Protocol):
    @property
    def user_id(self) -> str: ...
    @property
    def execution(self) -> int: ...


class ModelStep(Protocol):
    """The running step that a call belongs to; `activities.step.Step` is one."""

    @property
    def rooms(self) -> ModelRooms: ...
    @property
    def given(self) -> OperationFacts: ...
    @property
    def session_id(self) -> str: ...
    @property
    def id(self) -> str: ...
    async def model_access(self) -> ModelAccess: ...


class Entry:
    """The ledger's row of one call, and what its end says about the provider's health. Settles once."""

    def __init__(self, step: ModelStep, plan: Plan) -> None:
        self._ledger = step.rooms.ledger
        self._breakers = Breakers(step.rooms.database)
        self._vault = step.rooms.vault
        self._traffic = Traffic(step.rooms.database, step.rooms.vault)
        self._plan = plan
        self._execution = step.given.execution
        self._started_at = datetime.now(UTC)
        self._parts = tokens.breakdown(plan.call)
        self._tokens = most_tokens(plan)
        self._settled = False
        self._sent: AttemptRecord | None = None
        self.finish: Finish | None = None
        self.answered = Answered(plan)
        self.next_progress = time.monotonic() + PROGRESS_SECONDS

    async def reserve(self) -> None:
        """Put the call on record, with the most it can cost. Waits for Postgres: no call is made off the record.

        Waits a moment for a limit too. Raises ApplicationError where a budget or a limit does not admit the call, which
        then is not on record."""
        record = self._record("started", None)
        deadline = time.monotonic() + SHORT_WAIT
        try:
            while True:
                try:
                    await until_available(lambda: self._ledger.reserve(record, self._tokens), "reserving a model call")
                    return
                except LimitReached as error:
                    if time.monotonic() + error.retry_after > deadline:
                        raise
                    await asyncio.sleep(error.retry_after)
        except (LimitReached, OverBudget) as error:
            self._settled = True  # there is nothing to settle
            raise refusal(error) from None

    def leave_open(self) -> AttemptRecord:
        """The row as it is now. It stays so: the call goes on without this attempt."""
        self._settled = True
        return self._record("started", None)

    async def settle_batch(self, deltas: Sequence[Delta], sent: AttemptRecord) -> None:
        """Settle the row of the attempt that handed the call in, with the answer that came of it."""
        for delta in deltas:
            self.answered.add(delta)
            if type(delta) is Finish:
                self.finish = delta
        self._sent = sent
        await self.settle("succeeded")

    async def progress(self) -> None:
        """Write down how far the answer is. Losing one such note does no harm."""
        self.next_progress = time.monotonic() + PROGRESS_SECONDS
        try:
            async with asyncio.timeout(NOTE_SECONDS):
                await self._ledger.settle(self._record("started", None))
        except Exception as error:
            log.warning("a running model call could not be noted", error=type(error).__name__)

    async def settle(self, outcome: Outcome, error: InferenceError | None = None) -> None:
        """Write the row as it will stay. Goes on in the background when the activity is cancelled meanwhile."""
        if self._settled:
            return
        self._settled = True
        record = self._record(outcome, error)
        if self._sent is not None:
            record = discounted(record, self._sent)
        task = asyncio.create_task(self._write(record, error))
        _settling.add(task)
        task.add_done_callback(_settling.discard)
        await asyncio.shield(task)

    async def _write(self, record: AttemptRecord, error: InferenceError | None) -> None:
        await until_available(lambda: self._ledger.settle(record, self._tokens), "settling a model call")
        await self.answered.keep(self._traffic, record)
        if self._plan.demo:
            return  # it has no rival
        try:
            if record.credential == "user":  # which has limits of its own
                await self._vault.used(record.user_id or "", [record.provider])
            elif record.outcome == "succeeded":
                await self._breakers.succeeded(self._plan.step.keys, record.duration)
            elif error is not None and (key := self._plan.breaker(error)) is not None:
                await self._breakers.failed(key, error.code, error.retry_after)
        except Exception as problem:
            log.warning(
                "the health of a provider, or the use of a key, could not be noted", error=type(problem).__name__
            )

    def _record(self, outcome: Outcome, error: InferenceError | None) -> AttemptRecord:
        return attempt_record(
            self._plan,
            outcome,
            started_at=self._started_at,
            execution=self._execution,
            error=error,
            finish=self.finish,
            parts=self._parts,
        )


def discounted(record: AttemptRecord, sent: AttemptRecord) -> AttemptRecord:
    """The row of a call that came by a batch: that of the step's run that sent it, at half the price."""
    price = None if record.price is None else record.price * BATCH_PRICE
    source = f"{record.price_source}, batch" if record.price_source else "batch"
    own = {"execution": sent.execution, "attempt": sent.attempt, "started_at": sent.started_at}
    return record.model_copy(update={**own, "price": price, "price_source": source})
