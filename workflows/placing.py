"""Where a session's sandbox steps run: the host that has its workspace, any other once that one does not answer."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Final

from temporalio import workflow
from temporalio.common import Priority

with workflow.unsafe.imports_passed_through():
    from activities.sandbox_queue import SandboxQueueActivities
    from schemas.operations import QueuePositionInput
    from schemas.session import Operation, Progress
    from workflows.names import SANDBOX_QUEUE, host_queue
    from workflows.options import PUBLISH_STEP, QUEUE_POSITION, SANDBOX_STEP, StepOptions
    from workflows.precedence import AT_ONCE, INTERACTIVE

HOST_PATIENCE: Final = timedelta(seconds=10)
"""How long a host may keep its sessions waiting: longer than its worker takes to come back after a crash."""
TELL_AFTER: Final = 6.0
"""Seconds that a step may take to begin before its session asks for its place in the line."""
TELL_AT_ONCE: Final = 0.5
"""The same where a host has kept the step waiting already."""
SHORTEST_PAUSE, LONGEST_PAUSE = 2.0, 30.0
HOST_GONE: Final = "host_gone"
BUSY: Final = "sandbox_busy"


def placed(options: StepOptions, progress: Progress) -> StepOptions:
    """The options of a step that starts now: sandbox steps go to the session's host."""
    if options is not SANDBOX_STEP or progress.host is None:
        return options
    chosen = options.copy()
    chosen["task_queue"] = host_queue(progress.host)
    chosen["schedule_to_start_timeout"] = HOST_PATIENCE
    return chosen


def may_wait(options: StepOptions) -> bool:
    """Whether a step of the session's work may have to wait for a free sandbox. Its own host takes it soon or not at
    all: watching that would cost each step a timer."""
    waits = options["task_queue"].startswith(SANDBOX_QUEUE) and options is not PUBLISH_STEP
    return waits and "schedule_to_start_timeout" not in options


async def places(
    progress: Progress, operation: Operation, queue: str, waiting: Priority, after: float
) -> AsyncIterator[str]:
    """What to tell people while the step waits, whenever that changes, `after` some seconds. Ends once the step runs.

    `waiting` is the priority with which the step waits; asking for its place is done at once.
    """
    await asyncio.sleep(after)
    known: int | None = None
    pause = 0.0
    while True:
        found = await workflow.execute_activity_method(
            SandboxQueueActivities.position,
            QueuePositionInput(
                session_id=progress.session_id,
                operation_id=operation.id,
                queue=queue,
                common_queue=SANDBOX_QUEUE,
                known=known,
                pause=pause,
                priority=waiting.priority_key or INTERACTIVE,
            ),
            priority=replace(waiting, priority_key=AT_ONCE),
            **QUEUE_POSITION,
        )
        if found.before is None:
            return
        # The longer the wait, the rarer the news: a history must stay small.
        known, pause = found.before, min(LONGEST_PAUSE, max(SHORTEST_PAUSE, pause * 2))
        yield _sentence(known)


def _sentence(before: int) -> str:
    if before == 0:
        return "Waiting for a free sandbox; you are next."
    return f"Waiting for a free sandbox, {before} before you."
