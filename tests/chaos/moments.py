"""The moments of a session's life in which something is killed, made long enough to be met.

All play the recording of the counter: a blueprint, one phase with two files, checks, a preview.
"""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from schemas.http import PostMessage
from schemas.session import UserMessage
from stich.client import StichClient, StichHttpError
from stich.demo.recording import BUILT_IN
from tests.chaos.site import Run, until
from tests.chaos.watching import Watcher

PROMPT: Final = "Build a simple counter app with plus and minus buttons"
FIRST, SECOND = "src/useCounter.ts", "src/App.tsx"
AFTER_FIRST: Final = (BUILT_IN / "counter" / "phase-1.scof").read_text().index("\nEOF\n") + 6
"""How many characters of the phase's answer are sent when the first file is closed and the second not begun."""


PHASE: Final = "first_phase_implementation"

Fault = dict[str, Any]


def fault(action: str, kind: str, **more: object) -> Fault:
    """What befalls the first call of an action."""
    return {"action": action, "fault": {"kind": kind, **more}}


def rate_limit(seconds: int) -> Fault:
    return fault(PHASE, "status", status=429, headers={"retry-after": str(seconds)})


class Missed(Exception):
    """The moment was over before anything could befall it; another session may meet it."""


class Moment(ABC):
    """One moment. `faults` shape the provider; `activity` of `operation` runs then. `runs`: of the workflow."""

    faults: tuple[Fault, ...] = ()
    max_history_events = 1_000
    activity: str | None = None
    operation = "phase-1/implement"
    rate: float | None = None
    runs = 1

    @abstractmethod
    async def come(self, run: Run, watcher: Watcher) -> None:
        """Wait until the moment is there. Raises Missed."""

    @asynccontextmanager
    async def during(self, run: Run) -> AsyncIterator[None]:
        """Around the disaster."""
        yield

    async def afterwards(self, run: Run, watcher: Watcher) -> None:  # noqa: B027 - mostly nothing
        """What people do once it is over."""


class BlueprintStreaming(Moment):
    faults = (fault("blueprint", "drip", tokens_per_second=130),)
    activity = "write_blueprint"
    operation = "blueprint"

    async def come(self, run: Run, watcher: Watcher) -> None:
        await watcher.wait_for("blueprint_chunk")


class FileStreaming(Moment):
    """The first file is closed, the second is open."""

    faults = (fault(PHASE, "drip", tokens_per_second=170),)
    activity = "implement_phase"

    async def come(self, run: Run, watcher: Watcher) -> None:
        await watcher.wait_for("file_chunk", SECOND)


class BetweenFiles(Moment):
    """The first file is closed, the second not begun; the model says nothing for a while."""

    faults = (fault(PHASE, "stall", after_chars=AFTER_FIRST, seconds=5),)
    activity = "implement_phase"
    rate = 400.0

    async def come(self, run: Run, watcher: Watcher) -> None:
        await watcher.wait_for("file_generated", FIRST)
        if watcher.saw("file_generating", SECOND):
            raise Missed


class Checking(Moment):
    activity = "check_project"
    operation = "phase-1/check-0"

    async def come(self, run: Run, watcher: Watcher) -> None:
        await watcher.wait_for("operation_started", "phase-1/check-0")


class WaitingForUser(Moment):
    """The session is at rest. Afterwards somebody asks it something."""

    operation = "message-m1"

    async def come(self, run: Run, watcher: Watcher) -> None:
        await run.completed()

    async def afterwards(self, run: Run, watcher: Watcher) -> None:
        async with client_of(run) as client:
            await client.message(run.id, PostMessage(id="m1", text="What can you do?"))
        await run.reach(lambda p: bool(p.messages) and p.messages[0].answered, "the message is answered")


class WaitingForRateLimit(Moment):
    """The provider has asked for a pause that the step waits out by itself."""

    faults = (rate_limit(6),)

    async def come(self, run: Run, watcher: Watcher) -> None:
        await watcher.wait_for("waiting")


class WaitingForCapacity(Moment):
    """The provider has asked for a long pause: the session waits, and somebody resumes it before that is over."""

    faults = (rate_limit(300),)

    async def come(self, run: Run, watcher: Watcher) -> None:
        await watcher.wait_for("session_state", "waiting_for_capacity")

    async def afterwards(self, run: Run, watcher: Watcher) -> None:
        async with client_of(run) as client:
            await until(lambda: resume(client, run), "the session is resumed")


class Stopping(FileStreaming):
    """A stop was asked for and is being carried out."""

    @asynccontextmanager
    async def during(self, run: Run) -> AsyncIterator[None]:
        async with client_of(run) as client:
            stopping = asyncio.create_task(client.stop(run.id))
            await asyncio.sleep(0.05)
            yield
            with contextlib.suppress(StichHttpError):  # no answer is possible: then the session tells
                await stopping

    async def afterwards(self, run: Run, watcher: Watcher) -> None:
        async with client_of(run) as client:

            async def stopped() -> bool:
                """Stopping twice is harmless: who got no answer asks again."""
                progress = await run.progress()
                if progress is None:
                    return False
                if progress.state.name != "stopped" and "stop" in progress.state.can:
                    with contextlib.suppress(StichHttpError):
                        await client.stop(run.id)
                assert progress.state.name != "failed", progress.state.reason
                return progress.state.name == "stopped" and not progress.operations

            await until(stopped, "the session is stopped")
            assert all(request.outcome != "running" for request in run.asked())
            await until(lambda: resume(client, run), "the session is resumed")


class StopAccepted(Stopping):
    """The session has agreed to stop; the step that it cancels does not know yet."""

    faults = (fault(PHASE, "drip", tokens_per_second=60),)

    @asynccontextmanager
    async def during(self, run: Run) -> AsyncIterator[None]:
        async with client_of(run) as client:
            await client.stop(run.id)
            yield


class ContinuingAsNew(Moment):
    """The history is full; the session only waits for the answer to a message before it begins a new one."""

    faults = ({**fault("conversation", "drip", tokens_per_second=20), "calls": "every"},)
    max_history_events = 50
    activity = "answer_message"
    operation = "message-"
    runs = 2

    async def come(self, run: Run, watcher: Watcher) -> None:
        await watcher.wait_for("preview")
        number = 0
        while not watcher.saw("operation_finished", "phase-1/preview-0"):
            answered = sum("-answer" in str(item.raw) for item in watcher.seen if item.event.type == "message")
            if number < answered + 2:  # one is being answered, one waits
                number += 1
                await run.handle.signal("message", UserMessage(id=f"m{number}", text="What can you do?"))
            await asyncio.sleep(0.05)
        if not any(request.outcome == "running" for request in run.asked("conversation")) or await run.runs() > 1:
            raise Missed


MOMENTS: Final[dict[str, type[Moment]]] = {
    "blueprint_streaming": BlueprintStreaming,
    "file_streaming": FileStreaming,
    "between_files": BetweenFiles,
    "checking": Checking,
    "waiting_for_user": WaitingForUser,
    "waiting_for_rate_limit": WaitingForRateLimit,
    "waiting_for_capacity": WaitingForCapacity,
    "stopping": Stopping,
    "stop_accepted": StopAccepted,
    "continuing_as_new": ContinuingAsNew,
}


def client_of(run: Run) -> StichClient:
    at = run.site.stich.at
    return StichClient(at.local_url, at.token, patience=40)


async def resume(client: StichClient, run: Run) -> bool:
    """Resume, however often it takes until an answer comes; True once the session goes on."""
    try:
        await client.resume(run.id)
    except StichHttpError as error:
        if error.status < 500:
            raise
        return False
    return True
