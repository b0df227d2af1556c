"""Plan the next phase."""

from temporalio import activity

from activities.context import Rooms
from activities.images import pictures, with_images
from activities.material import describe, gather, message_texts
from activities.model_call import complete_model
from activities.step import running
from codegen.prompts import render
from schemas.blueprint import PhasePlan
from schemas.inference import ActionKey
from schemas.operations import PhaseGenerationInput, PhaseGenerationResult
from storage.images import PROMPT


class PhaseGenerationActivities:
    """Decides what is built next."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    @activity.defn(name="plan_phase")
    async def plan(self, given: PhaseGenerationInput) -> PhaseGenerationResult:
        """Plan the next phase from what is done, what is broken and what users asked for."""
        async with running(self._rooms, given) as step:
            material = await gather(self._rooms, given.session_id, given.template, [])
            messages = render(
                "phase_generation",
                template=material.template,
                request=material.request,
                blueprint=material.blueprint,
                files=material.shown,
                omitted=material.omitted,
                done=given.done,
                issues=describe(given.issues),
                missing=given.missing,
                messages=await message_texts(self._rooms, given.session_id, given.message_ids),
                remaining=given.remaining,
                phase_id=given.phase_id,
            )
            shown = await pictures(step, ActionKey.PHASE_GENERATION, [PROMPT, *given.message_ids])
            messages = with_images(messages, shown)
            plan = await complete_model(step, ActionKey.PHASE_GENERATION, messages, PhasePlan)
            seq, usage = await step.ended()
            cost = await self._rooms.ledger.operation_cost(given.session_id, step.id)
            return PhaseGenerationResult(last_seq=seq, usage=usage, plan=plan, cost_usd=cost)
