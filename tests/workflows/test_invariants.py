"""What must hold whatever people do and whatever fails, over random sessions of the real workflow.

Each example is one session: a script of failures for the rooms, and a course of messages, stops, resumes, retries and
raised budgets sent to it as fast as it takes them, also while files are written side by side. Every wait of the
workflow is for a few milliseconds, so that no clock is needed.
"""

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Literal

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError

from schemas.blueprint import PlannedFile
from schemas.failures import OVER_BUDGET
from schemas.session import Progress, UserMessage
from schemas.versions import RetryPhase
from tests.workflows.conftest import Start, progress_of, until
from tests.workflows.stubs import Rooms, Script, refusal

STEPS = (
    "template", "blueprint", "setup/plan", "setup", "phase-1/implement-1", "phase-1/implement-2", "phase-1/check-0",
    "phase-1/preview-0",
    "phase-1/fix-1", "phase-2/plan-ahead", "phase-2/plan", "phase-2/implement", "phase-2/check-0", "phase-1/readme",
    "phase-2/readme", "message-m0", "message-m1", "phase-3/plan", "phase-3/implement",
)  # fmt: skip
BUDGET = 2  # phases
FILES = [PlannedFile(path=f"src/{name}.ts") for name in "abc"]  # of the first phase, by calls side by side

Trouble = Literal["lasting", "passing", "budget"]


@dataclass(frozen=True)
class Course:
    """What befalls a session: steps that fail (for good, for a moment, or for want of money), broken checks, and what
    people do."""

    failing: dict[str, Trouble]
    broken_checks: int
    acts: tuple[str, ...]
    wants_change: bool


courses = st.builds(
    Course,
    failing=st.dictionaries(st.sampled_from(STEPS), st.sampled_from(["lasting", "passing", "budget"]), max_size=4),
    broken_checks=st.integers(0, 2),
    acts=st.lists(
        st.sampled_from(["message", "interrupt", "stop", "resume", "pause", "again", "money", "retry"]),
        min_size=1,
        max_size=7,
    ).map(tuple),
    wants_change=st.booleans(),
)


TROUBLES = {
    "lasting": lambda: refusal("refused"),
    "passing": lambda: refusal("refused", 0.01),
    "budget": lambda: refusal(OVER_BUDGET),
}


async def act(handle: WorkflowHandle[object, Progress], course: Course) -> list[str]:
    """Do what the course says. Returns the ids of the messages that were sent."""
    sent: list[str] = []
    for name in course.acts:
        if name in ("message", "interrupt"):
            sent.append(f"m{len(sent)}")
            message = UserMessage(id=sent[-1], text="a wish", interrupt=name == "interrupt")
            await handle.signal("message", message)
        elif name == "again" and sent:
            await handle.signal("message", UserMessage(id=sent[-1], text="a wish"))
        elif name in ("stop", "resume"):
            with contextlib.suppress(WorkflowUpdateFailedError):
                await handle.execute_update(name)
        elif name == "money":
            await handle.signal("budget_changed")
        elif name == "retry":  # refused while it is at work
            phases = (await progress_of(handle)).phases
            with contextlib.suppress(WorkflowUpdateFailedError):
                phase_id = phases[len(sent) % len(phases)].id if phases else "phase-1"
                await handle.execute_update("retry_phase", RetryPhase(phase_id=phase_id))
        elif name == "pause":
            await asyncio.sleep(0.05)
    return sent


async def bring_to_rest(handle: WorkflowHandle[object, Progress]) -> Progress:
    """Resume whatever stopped the session until it has nothing left to do."""
    for _ in range(20):
        progress = await until(
            handle,
            lambda p: (
                p.state.name in ("completed", "failed", "stopped", "waiting_for_budget")
                and not p.operations
                and (p.state.name != "completed" or all(m.state == "done" for m in p.messages))
            ),
            seconds=120,
        )
        if progress.state.name == "completed":
            return progress
        if progress.state.name == "waiting_for_budget":
            assert progress.state.code == OVER_BUDGET
            await handle.signal("budget_changed")
            continue
        with contextlib.suppress(WorkflowUpdateFailedError):
            await handle.execute_update("resume")
    raise AssertionError(f"the session does not come to rest: {await progress_of(handle)}")


def check_invariants(course: Course, sent: list[str], done: Progress, rooms: Rooms, session_id: str) -> None:
    # No message is lost, doubled or left; each that asks for a change is carried out by one phase.
    assert [message.id for message in done.messages] == sent
    assert all(message.state == "done" for message in done.messages)
    carried = [message_id for phase in done.phases for message_id in phase.message_ids]
    assert len(carried) == len(set(carried))
    wanted = {message.id for message in done.messages if message.wants_change}
    assert set(carried) == wanted
    # Terminal states are right: what is completed has ended every phase, and its last checks were clean.
    assert all(phase.status == "completed" for phase in done.phases)
    assert done.phases[-1].checks is None or done.phases[-1].checks.ok
    # The budget of phases is kept: beyond it, every phase carries out what somebody asked for.
    assert all(phase.message_ids for phase in done.phases[BUDGET:])
    # Nothing that succeeded is done twice, and no two runs of a step overlap.
    failed = list(course.failing)
    for step, count in ((step, rooms.runs[session_id].count(step)) for step in set(rooms.runs[session_id])):
        again = course.acts.count("stop") + (step in failed) + rooms.cancelled[session_id].count(step)
        assert count <= 1 + again or "/check-" in step or "/preview-" in step or "/fix-" in step, f"{step}: {count}"
    # The events are whole: gap-free, and every step that began has ended.
    numbers = sorted(rooms.events[session_id])
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.timeout(300)
async def test_invariants_hold_over_random_sessions(start: Start, rooms: Rooms) -> None:
    found: list[Course] = []

    @settings(
        max_examples=12,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(courses)
    def collect(course: Course) -> None:
        found.append(course)

    collect()

    async def live(course: Course) -> None:
        fail = {step: [TROUBLES[trouble]()] for step, trouble in course.failing.items()}
        script = Script(phases=2, broken_checks=course.broken_checks, wants_change=course.wants_change, fail=fail)
        script.files = FILES
        handle = await start(script, max_phases=BUDGET)
        sent = await act(handle, course)
        done = await bring_to_rest(handle)
        check_invariants(course, sent, done, rooms, handle.id)

    await asyncio.gather(*(live(course) for course in found))
