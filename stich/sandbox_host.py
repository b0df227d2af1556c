"""A host that runs sandboxes: its own task queue beside the common one, and one number of slots for both.

Sessions return to the host that has their workspace, through its queue. What it cannot carry waits in Temporal, where
another host may take it.
"""

import asyncio
import contextlib
import hashlib
import socket
import threading
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from typing import Any, Final

import structlog
from temporalio import activity
from temporalio.client import Client
from temporalio.worker import (
    ActivityInboundInterceptor,
    CustomSlotSupplier,
    ExecuteActivityInput,
    FixedSizeSlotSupplier,
    Interceptor,
    SlotMarkUsedContext,
    SlotPermit,
    SlotReleaseContext,
    SlotReserveContext,
    Worker,
    WorkerTuner,
)

from activities.context import Rooms
from activities.registry import sandbox_activities
from schemas.operations import OperationInput, OperationResult, PublishInput
from stich.builds import deployment, told_only
from stich.settings import Settings
from stich.telemetry import StepDurations
from storage.sandbox_hosts import SandboxHosts
from workflows.names import SANDBOX_QUEUE, host_queue

log = structlog.get_logger(__name__)

UNUSED_SLOTS: Final = 1  # kinds of tasks that these workers do not take


def host_name(settings: Settings, workspaces: str) -> str:
    """The name of this host and home: the same after a restart, another where the workspaces are others."""
    machine = settings.host_name or socket.gethostname()
    digest = hashlib.sha256(f"{machine}\0{workspaces}".encode()).hexdigest()[:8]
    return f"{machine[:40]}-{digest}"


def sandbox_workers(
    client: Client, rooms: Rooms, settings: Settings, *, new_sessions: bool, throttle: timedelta, grace: timedelta
) -> list[Worker]:
    """The workers of this host's queue and of the common one. Together they run as many steps as the host carries.

    Without `new_sessions` the host serves those only that have their workspace here: so it is emptied.
    """
    host = host_name(settings, str(rooms.sandbox.settings.workspaces))
    log.info("host of sandboxes", host=host, **asdict(rooms.sandbox.capacity))
    queues = [host_queue(host), *([SANDBOX_QUEUE] if new_sessions else [])]
    slots = Slots(settings.sandbox_slots or rooms.sandbox.capacity.steps, len(queues))
    return [
        Worker(
            client,
            task_queue=queue,
            activities=sandbox_activities(rooms),
            interceptors=[StepDurations(), SandboxHost(rooms, host)],
            deployment_config=deployment(settings) if queue == SANDBOX_QUEUE else told_only(settings),
            tuner=WorkerTuner.create_composite(
                workflow_supplier=FixedSizeSlotSupplier(UNUSED_SLOTS),
                activity_supplier=slots,
                local_activity_supplier=FixedSizeSlotSupplier(UNUSED_SLOTS),
                nexus_supplier=FixedSizeSlotSupplier(UNUSED_SLOTS),
            ),
            max_concurrent_activity_task_polls=1,
            max_heartbeat_throttle_interval=throttle,
            graceful_shutdown_timeout=grace,
        )
        for queue in queues
    ]


class Slots(CustomSlotSupplier):
    """Slots that the workers of several queues share.

    Each queue polls with one slot in hand, so while one of them is empty its slot would lie idle: there is one slot
    more for every further queue. At most `most` steps run as long as the other queues are empty, and never more than
    all slots together.
    """

    def __init__(self, most: int, queues: int = 2) -> None:
        self._slots = most + queues - 1
        self._taken: dict[int, SlotPermit] = {}
        self._polling: dict[str, int] = {}  # the permit with which each queue polls
        self._waiting: list[Callable[[], object]] = []
        self._lock = threading.Lock()  # Temporal calls from threads of its own

    async def reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit:
        loop = asyncio.get_running_loop()
        while True:
            woken = asyncio.Event()
            with self._lock:
                if ctx.task_queue not in self._polling and len(self._taken) < self._slots:
                    permit = SlotPermit()
                    self._taken[id(permit)] = permit
                    self._polling[ctx.task_queue] = id(permit)
                    return permit
                self._waiting.append(partial(loop.call_soon_threadsafe, woken.set))
            await woken.wait()

    def try_reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit | None:
        return None  # for steps handed out past the queue, which there are none of

    def mark_slot_used(self, ctx: SlotMarkUsedContext) -> None:
        with self._lock:
            self._polls_no_more(ctx.permit)
        self._wake()

    def release_slot(self, ctx: SlotReleaseContext) -> None:
        with self._lock:
            self._polls_no_more(ctx.permit)
            self._taken.pop(id(ctx.permit), None)
        self._wake()

    def _polls_no_more(self, permit: SlotPermit) -> None:
        self._polling = {queue: known for queue, known in self._polling.items() if known != id(permit)}

    def _wake(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, []
        for wake in waiting:
            with contextlib.suppress(RuntimeError):  # its loop is closed
                wake()


class SandboxHost(Interceptor):
    """Says in every step's result where the session's workspace is, and in the database that the step runs."""

    def __init__(self, rooms: Rooms, host: str) -> None:
        self._rooms = rooms
        self._host = host

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Noting(next, self._rooms, self._host)


class _Noting(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, rooms: Rooms, host: str) -> None:
        super().__init__(next)
        self._rooms = rooms
        self._host = host

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        given = input.args[0]
        if not isinstance(given, OperationInput):
            return await super().execute_activity(input)
        waits, step = self._rooms.sandbox_waits, (given.session_id, given.operation.id)
        try:
            await waits.started(*step, activity.info().task_queue)
            if not isinstance(given, PublishInput):  # which leaves the session's workspace alone
                await SandboxHosts(self._rooms.database).move(given.session_id, self._host)
            result = await super().execute_activity(input)
        finally:
            try:
                await waits.ended(*step)
            except Exception as error:  # the step itself is done; a line that stays is forgotten by itself
                log.warning("could not note the end of a sandbox step", error=f"{type(error).__name__}: {error}"[:300])
        if isinstance(result, OperationResult) and self._rooms.sandbox.find(given.session_id) is not None:
            result.host = self._host
        return result
