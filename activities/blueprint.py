"""Write the blueprint of the application, streamed to whoever watches."""

from temporalio import activity

from activities.context import Rooms
from activities.images import pictures, with_images
from activities.material import blueprint_of, gather
from activities.model_call import complete_model
from activities.step import Step, running
from codegen.prompts import render
from schemas.blueprint import Blueprint
from schemas.events import BlueprintChunk
from schemas.inference import ActionKey
from schemas.operations import BlueprintInput, BlueprintResult
from storage.blueprints import Blueprints
from storage.images import PROMPT


class BlueprintActivities:
    """Plans the whole application."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    @activity.defn(name="write_blueprint")
    async def write(self, given: BlueprintInput) -> BlueprintResult:
        """Write the blueprint and keep it for the later steps. A finished one is not paid for again.

        A candidate is kept under its own step; with `take`, the candidate of that step becomes the blueprint.
        """
        async with running(self._rooms, given) as step:
            if given.take is not None:
                blueprint = await self._of_step(given.session_id, given.take)
                assert blueprint is not None, "a candidate that is taken was written"
                await Blueprints(self._rooms.database).put(given.session_id, step.id, blueprint)
            else:
                known = self._of_step(given.session_id, step.id) if given.candidate else None
                blueprint = await (known or blueprint_of(self._rooms, given.session_id))
                blueprint = blueprint or await self._ask(step, given)
            seq, usage = await step.ended()
            return BlueprintResult(last_seq=seq, usage=usage, blueprint=blueprint)

    async def _of_step(self, session_id: str, operation_id: str) -> Blueprint | None:
        begun = await self._rooms.operations.begin(session_id, operation_id)
        return None if begun.result is None else Blueprint.model_validate_json(begun.result)

    async def _ask(self, step: Step, given: BlueprintInput) -> Blueprint:
        material = await gather(self._rooms, given.session_id, given.template, [])
        messages = render(
            "blueprint",
            template=material.template,
            request=material.request,
            max_phases=given.max_phases,
            candidate=given.candidate,
        )
        messages = with_images(messages, await pictures(step, ActionKey.BLUEPRINT, [PROMPT]))
        offset = 0

        def show(text: str) -> None:
            nonlocal offset
            step.emit(BlueprintChunk(operation_id=step.id, offset=offset, text=text))
            offset += len(text)

        on_text = None if given.candidate else show  # several at once are not to be read
        blueprint = await complete_model(step, ActionKey.BLUEPRINT, messages, Blueprint, on_text=on_text)
        await self._rooms.operations.finish(given.session_id, step.id, blueprint.model_dump_json())
        return blueprint
