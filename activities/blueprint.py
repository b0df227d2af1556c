"""Write the blueprint of the application, streamed to whoever watches."""

from temporalio import activity

from activities.context import Rooms
from activities.images import pictures, with_images
from activities.material import blueprint_of, gather
from activities.model_call import complete_model
from activities.step import running
from codegen.prompts import render
from schemas.blueprint import Blueprint
from schemas.events import BlueprintChunk
from schemas.inference import ActionKey
from schemas.operations import BlueprintInput, BlueprintResult
from storage.images import PROMPT

MAX_PHASES = 10


class BlueprintActivities:
    """Plans the whole application."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    @activity.defn(name="write_blueprint")
    async def write(self, given: BlueprintInput) -> BlueprintResult:
        """Write the blueprint and keep it for the later steps. A finished one is not paid for again."""
        async with running(self._rooms, given) as step:
            blueprint = await blueprint_of(self._rooms, given.session_id)
            if blueprint is None:
                material = await gather(self._rooms, given.session_id, given.template, [])
                messages = render(
                    "blueprint", template=material.template, request=material.request, max_phases=MAX_PHASES
                )
                messages = with_images(messages, await pictures(step, ActionKey.BLUEPRINT, [PROMPT]))
                offset = 0

                def show(text: str) -> None:
                    nonlocal offset
                    step.emit(BlueprintChunk(operation_id=step.id, offset=offset, text=text))
                    offset += len(text)

                blueprint = await complete_model(step, ActionKey.BLUEPRINT, messages, Blueprint, on_text=show)
                await self._rooms.operations.finish(given.session_id, step.id, blueprint.model_dump_json())
            seq, usage = await step.ended()
            return BlueprintResult(last_seq=seq, usage=usage, blueprint=blueprint)
