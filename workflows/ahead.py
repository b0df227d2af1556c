"""Planning the next phase while the checks of the last one run.

Checks of a phase are clean more often than not, and a plan takes a model about as long as they take the sandbox: made
at the same time, it is there when they end. It is not begun where it would likely be thrown away: when a message waits
to be planned, when nothing is left to plan, or when it had to be dropped twice before in this session.
"""

import asyncio
from decimal import Decimal

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.phase_generation import PhaseGenerationActivities
    from schemas.blueprint import PhasePlan
    from schemas.budgets import dollars
    from schemas.failures import Failure
    from schemas.operations import PhaseGenerationInput, PhaseGenerationResult
    from workflows.attempts import Common
    from workflows.options import MODEL_STEP
    from workflows.steps import Session

MOST_DROPPED = 2


class PlanAhead:
    """At most one plan under way."""

    def __init__(self, session: Session, *, allowed: bool) -> None:
        self._session = session
        self._allowed = allowed
        self._dropped = 0
        self._operation_id = ""
        self._task: asyncio.Task[PhaseGenerationResult | Failure | None] | None = None

    def begin(self, phase_id: str, template: str, remaining: int) -> None:
        """Begin to plan the phase `phase_id`, where that promises to save time. `remaining` phases may follow it."""
        session = self._session
        if not self._allowed or self._dropped >= MOST_DROPPED or session.messages_wait or session.stopped:
            return
        done = [phase.plan for phase in session.progress.phases]

        def given(common: Common) -> PhaseGenerationInput:
            return PhaseGenerationInput(
                **common,
                phase_id=phase_id,
                template=template,
                done=done,
                missing=session.progress.missing,
                remaining=remaining,
            )

        self._operation_id = f"{phase_id}/plan-ahead"
        operation = session.operation(self._operation_id, "phase_generation", "Planning ahead", phase_id)
        self._task = asyncio.create_task(session.attempt(PhaseGenerationActivities.plan, given, operation, MODEL_STEP))

    async def drop(self, why: str) -> None:
        """Throw the plan away, if there is one, and say what it cost."""
        if self._task is None:
            return
        self._dropped += 1
        self._session.cancel(self._operation_id)
        made = await self._end()
        cost = made.cost_usd if isinstance(made, PhaseGenerationResult) else Decimal(0)
        paid = f"It had cost ${dollars(cost)}" if made else "It was stopped before it was finished"
        self._session.notice(self._operation_id, f"The plan made ahead was dropped: {why}. {paid}.")

    async def take(self) -> PhasePlan | None:
        """The plan, once it is made; None when there is none. One that a message overtook is dropped."""
        if self._task is None:
            return None
        if self._session.messages_wait:
            await self.drop("a message came in that the next plan has to heed")
            return None
        made = await self._end()
        if self._session.messages_wait:  # it came while the plan was waited for
            return None
        return made.plan if isinstance(made, PhaseGenerationResult) else None

    async def _end(self) -> PhaseGenerationResult | Failure | None:
        assert self._task is not None, "a plan is under way"
        task, self._task = self._task, None
        made = await task
        self._session.settle(self._operation_id)
        return made
