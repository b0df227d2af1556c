"""The task queues that one worker process serves: all of them, or those that it was told to."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from temporalio.client import Client
from temporalio.worker import (
    FixedSizeSlotSupplier,
    ResourceBasedSlotConfig,
    ResourceBasedSlotSupplier,
    ResourceBasedTunerConfig,
    Worker,
    WorkerTuner,
)
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.context import Rooms
from activities.registry import inference_activities, session_activities
from stich.builds import deployment
from stich.jurisdiction import OwnJurisdiction
from stich.sandbox_host import UNUSED_SLOTS, sandbox_workers
from stich.settings import Queue, Settings
from stich.telemetry import StepDurations
from workflows.housekeeping import EraseSessionWorkflow, EraseUserWorkflow
from workflows.names import INFERENCE_QUEUE, WORKFLOW_QUEUE
from workflows.retention import RetentionWorkflow
from workflows.session import CodeGenSession

WORKFLOWS: Final = (CodeGenSession, EraseSessionWorkflow, EraseUserWorkflow, RetentionWorkflow)

SHUTDOWN_GRACE: Final = timedelta(seconds=3)
# How fast a stop reaches an activity, and how fast a worker's death is noticed by another.
HEARTBEAT_THROTTLE: Final = timedelta(seconds=0.5)
STICKY_TIMEOUT: Final = timedelta(seconds=2)
# Workflow files hold nothing but workflow code; everything they import is the same in every run.
PASSED_THROUGH: Final = (
    "schemas",
    "codegen",
    "activities",
    "inference",
    "storage",
    "sandbox",
    "pydantic",
    "structlog",
    "opentelemetry",
)
# Model calls wait for most of their time: they go on taking slots until the machine is nearly full.
RESOURCES: Final = ResourceBasedTunerConfig(target_memory_usage=0.8, target_cpu_usage=0.9)
SURE_SLOTS: Final = 5
RAMP: Final = timedelta(milliseconds=50)


def workflow_runner() -> SandboxedWorkflowRunner:
    """What workflow code runs in, here and where histories are replayed."""
    return SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH))


def temporal_workers(client: Client, rooms: Rooms, settings: Settings) -> list[Worker]:
    """The workers of the queues that the settings name, in one process."""
    return list(_workers(client, rooms, settings))


def serves(settings: Settings, *queues: Queue) -> bool:
    """Whether this worker serves one of the queues."""
    return not settings.queues or not set(queues).isdisjoint(settings.queues)


def _workers(client: Client, rooms: Rooms, settings: Settings) -> Iterator[Worker]:
    if serves(settings, "workflows"):
        yield Worker(
            client,
            task_queue=WORKFLOW_QUEUE,
            workflows=WORKFLOWS,
            activities=session_activities(rooms),
            interceptors=[StepDurations(), OwnJurisdiction(settings.jurisdiction)],
            workflow_runner=workflow_runner(),
            deployment_config=deployment(settings),
            tuner=_tuner(settings, FixedSizeSlotSupplier(settings.workflow_slots)),
            sticky_queue_schedule_to_start_timeout=STICKY_TIMEOUT,
            max_heartbeat_throttle_interval=HEARTBEAT_THROTTLE,
            graceful_shutdown_timeout=SHUTDOWN_GRACE,
        )
    if serves(settings, "inference"):
        yield Worker(
            client,
            task_queue=INFERENCE_QUEUE,
            activities=inference_activities(rooms),
            interceptors=[StepDurations()],
            deployment_config=deployment(settings),
            tuner=_tuner(settings, FixedSizeSlotSupplier(UNUSED_SLOTS)),
            max_heartbeat_throttle_interval=HEARTBEAT_THROTTLE,
            graceful_shutdown_timeout=SHUTDOWN_GRACE,
        )
    if serves(settings, "sandbox", "host"):
        yield from sandbox_workers(
            client,
            rooms,
            settings,
            new_sessions=serves(settings, "sandbox"),
            throttle=HEARTBEAT_THROTTLE,
            grace=SHUTDOWN_GRACE,
        )


def _tuner(settings: Settings, workflow_slots: FixedSizeSlotSupplier) -> WorkerTuner:
    """How many tasks at once: so many model calls at most, or fewer as the machine fills."""
    most = settings.inference_slots
    by_resources = ResourceBasedSlotSupplier(ResourceBasedSlotConfig(min(SURE_SLOTS, most), most, RAMP), RESOURCES)
    return WorkerTuner.create_composite(
        workflow_supplier=workflow_slots,
        activity_supplier=by_resources if settings.slot_tuning == "resources" else FixedSizeSlotSupplier(most),
        local_activity_supplier=FixedSizeSlotSupplier(UNUSED_SLOTS),
        nexus_supplier=FixedSizeSlotSupplier(UNUSED_SLOTS),
    )
