"""Model calls of bulk sessions: handed in at the provider's batch endpoint, looked for again until they are there.

A step whose call waits ends with a failure that names a time; its workflow waits until then, for hours if need be, and
starts the step again, which finds the batch. Nothing of this needs a worker in between.
"""

import asyncio
import hashlib
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

import orjson
import structlog
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.call_entry import Entry, ModelStep
from activities.context import Rooms
from activities.model_access import model_access
from inference.bulk import BATCHED, BatchAway, BatchRefused, BatchResult
from inference.errors import InferenceError
from inference.gateway import endpoint
from inference.plan import Plan
from schemas.failures import BATCH_PENDING, Failure
from schemas.inference import ActionKey, AttemptRecord, Delta, Outcome
from storage.batches import Batches, BatchKey, StoredBatch
from storage.database import until_available

ACTIONS: Final = frozenset(
    {
        ActionKey.BLUEPRINT,
        ActionKey.PHASE_GENERATION,
        ActionKey.FIRST_PHASE_IMPLEMENTATION,
        ActionKey.PHASE_IMPLEMENTATION,
    }
)
"""What nobody waits for at once, and what is worth it: nearly all that a session costs."""
SHORTEST_PAUSE, LONGEST_PAUSE = 2.0, 900.0
PAUSE_BY_AGE: Final = 0.25
SWEEP_SECONDS: Final = 5.0

log: structlog.stdlib.BoundLogger = structlog.get_logger("bulk")


def pending(sent_at: datetime | None) -> ApplicationError:
    """What ends a step whose call waits: look again later, the later the longer it takes."""
    age = (datetime.now(UTC) - sent_at).total_seconds() if sent_at else 0.0
    pause = min(max(age * PAUSE_BY_AGE, SHORTEST_PAUSE), LONGEST_PAUSE)
    failure = Failure(
        code=BATCH_PENDING,
        sentence="The provider works on this step in a batch, at half the price; that can take hours.",
        next_action="Wait, or stop the session: that gives the batch up.",
        retry_after=pause,
    )
    return ApplicationError(
        failure.sentence,
        failure.model_dump(),
        type=failure.code,
        non_retryable=True,
        category=ApplicationErrorCategory.BENIGN,  # it is no fault: nothing is logged or counted as one
    )


def unspent(sent: AttemptRecord, outcome: Outcome, code: str) -> AttemptRecord:
    """The row of a batch that gave no answer: providers charge nothing for it."""
    nothing = {"input_tokens": 0, "output_tokens": 0, "price": Decimal(0), "reserved": Decimal(0)}
    return sent.model_copy(update={**nothing, "outcome": outcome, "error_code": code})


async def answer(step: ModelStep, plan: Plan, entry: Entry) -> list[Delta] | None:
    """The answer of a bulk session's call that came by a batch. None where the call goes the usual way: it does not
    suit, or the batch gave no answer. Raises ApplicationError while it is waited for."""
    batches = Batches(step.rooms.database)
    if not _suits(plan) or not await until_available(lambda: batches.wanted(step.session_id), "looking for bulk"):
        return None
    path, body = step.rooms.inference.bulk_request(plan)
    key = _key_of(plan, body)
    known = await until_available(lambda: batches.find(key), "looking for a batch")
    if known is not None and known.state == "failed":
        return None
    if known is not None and known.state != "cancelled":
        return await _collect(step, plan, entry, known)
    await entry.reserve()
    name = _name_of(key, known.batch_id if known else "")
    try:
        batch_id = await step.rooms.inference.bulk.submit(plan.endpoint, path, name, body)
    except BatchRefused as error:
        log.warning("a call goes the usual way", provider=plan.step.provider, reason=str(error))
        return None
    user_id, sent = step.given.user_id, entry.leave_open()
    await until_available(lambda: batches.add(key, user_id, plan.step.provider, batch_id, name, sent), "noting a batch")
    raise pending(None)


async def _collect(step: ModelStep, plan: Plan, entry: Entry, known: StoredBatch) -> list[Delta] | None:
    """What became of a batch that was handed in, as `answer` gives it."""
    batches = Batches(step.rooms.database)
    try:
        found = await step.rooms.inference.bulk.look(plan.endpoint, known.batch_id, known.name)
    except BatchAway:
        found = BatchResult(working=True)
    except BatchRefused as error:
        found = BatchResult(reason=str(error))
    if found.working:
        entry.leave_open()
        raise pending(known.sent_at)
    try:
        if found.answer is None:
            raise BatchRefused(found.reason)
        deltas = step.rooms.inference.from_batch(plan, found.answer)
    except (BatchRefused, InferenceError) as error:
        log.warning("a batch gave no answer", provider=plan.step.provider, reason=str(error)[:200])
        await step.rooms.ledger.settle(unspent(known.record, "failed", "batch_failed"))
        await batches.end(known.key, "failed", str(error))
        return None
    await entry.settle_batch(deltas, known.record)
    await batches.end(known.key, "done")
    return deltas


def _suits(plan: Plan) -> bool:
    """Whether the call can go by a batch: no tools, and straight to a provider that has batches."""
    where = plan.endpoint
    straight = not where.via_gateway and not where.guarded and where.provider.id in BATCHED
    return straight and plan.call.action in ACTIONS and not plan.call.tools


def _key_of(plan: Plan, body: dict[str, object]) -> BatchKey:
    """The same for the same question of the same step."""
    asked = orjson.dumps([plan.step.provider, body], option=orjson.OPT_SORT_KEYS)
    call = plan.call
    return BatchKey(call.session_id, call.operation_id, call.call_number, hashlib.sha256(asked).hexdigest()[:32])


def _name_of(key: BatchKey, cancelled: str) -> str:
    """What the call is called at the provider; another name after a batch that was `cancelled`."""
    return hashlib.sha256(orjson.dumps([*key, cancelled])).hexdigest()[:40]


async def give_up_unwanted(rooms: Rooms) -> None:
    """Cancel the batches of sessions that were stopped or are over, until this is cancelled."""
    while True:
        try:
            for batch in await Batches(rooms.database).unwanted():
                await give_up(rooms, batch)
        except Exception as error:
            log.warning("batches could not be looked for", error=type(error).__name__)
        await asyncio.sleep(SWEEP_SECONDS)


async def give_up(rooms: Rooms, batch: StoredBatch) -> None:
    """Cancel a batch at its provider and take its reservation back. Where the provider does not answer, later."""
    try:
        access = await model_access(rooms, batch.key.session_id, batch.user_id)
        where = endpoint(batch.provider, rooms.inference.settings, access.user, gateway=False)
        await rooms.inference.bulk.cancel(where, batch.batch_id)
    except BatchAway:
        return
    except (BatchRefused, InferenceError, ApplicationError) as error:
        log.warning("a batch could not be cancelled", provider=batch.provider, error=type(error).__name__)
    await Batches(rooms.database).end(batch.key, "cancelled")
    await rooms.ledger.settle(unspent(batch.record, "cancelled", "cancelled"))
