"""Tools for the plan of the application."""

from typing import ClassVar

from pydantic import Field

from activities.material import blueprint_of
from activities.tools.tool import Bench, Result, Tool, ToolFailed
from codegen.prompts import fenced
from schemas.blueprint import Blueprint, Line, Paragraph, PhasePlan, PlannedFile, View
from storage.blueprints import Blueprints


class ReadBlueprint(Tool):
    """Read the blueprint of the application as it stands."""

    name = "read_blueprint"
    effect = "reads"

    def summary(self) -> str:
        return "Reading the blueprint"

    async def run(self, bench: Bench) -> str:
        blueprint = await blueprint_of(bench.rooms, bench.session_id)
        return fenced(blueprint.model_dump_json(indent=1), "blueprint") if blueprint else "There is no blueprint yet."


class _Parts(Tool):
    """The parts of a blueprint that a model writes."""

    name: ClassVar[str] = ""
    title: Line | None = None
    description: Paragraph | None = None
    colour_palette: list[Line] | None = Field(default=None, max_length=20)
    views: list[View] | None = Field(default=None, max_length=40)
    user_flow: Paragraph | None = None
    data_flow: Paragraph | None = None
    architecture: Paragraph | None = None
    pitfalls: list[Paragraph] | None = Field(default=None, max_length=40)
    dependencies: list[Line] | None = Field(default=None, max_length=60)
    steps: list[Paragraph] | None = Field(default=None, max_length=20)
    files: list[PlannedFile] | None = Field(default=None, max_length=100)

    def given(self) -> dict[str, object]:
        """The fields of a Blueprint that this call sets."""
        parts = self.model_dump(exclude_none=True, exclude={"steps", "files"})
        return parts if self.steps is None else {**parts, "phases_outline": self.steps}

    async def keep(self, bench: Bench, blueprint: Blueprint) -> Result:
        await Blueprints(bench.rooms.database).put(bench.session_id, bench.step.id, blueprint)
        return Result("The blueprint is kept and shown.", blueprint=blueprint)


class WriteBlueprint(_Parts):
    """Write the blueprint: what the application is, how it looks, how its data flow, in which steps you build it
    (`steps`), and the files you will write first (`files`). The person sees it. It replaces an earlier one."""

    name = "write_blueprint"
    effect = "writes"
    title: Line
    description: Paragraph

    def summary(self) -> str:
        return "Writing the blueprint"

    async def run(self, bench: Bench) -> Result:
        first = PhasePlan(name=self.title, description=self.description[:500], files=self.files or [])
        return await self.keep(bench, Blueprint.model_validate({**self.given(), "first_phase": first}))


class ChangeBlueprint(_Parts):
    """Change the blueprint: each part that is given replaces the one there is, the others stay."""

    name = "change_blueprint"
    effect = "writes"

    def summary(self) -> str:
        return "Changing the blueprint"

    async def run(self, bench: Bench) -> Result:
        current = await blueprint_of(bench.rooms, bench.session_id)
        if current is None:
            raise ToolFailed("There is no blueprint yet: write_blueprint makes one.")
        changes = self.given()
        if self.files is not None:
            changes["first_phase"] = current.first_phase.model_copy(update={"files": self.files})
        if not changes:
            raise ToolFailed("No part of the blueprint is given.")
        return await self.keep(bench, Blueprint.model_validate({**current.model_dump(), **changes}))
