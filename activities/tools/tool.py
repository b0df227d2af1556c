"""What a tool is: a class whose docstring tells the model what it does, whose fields are its arguments."""

from abc import abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

from activities.context import Rooms
from activities.project_files import ProjectFiles
from activities.step import Step
from activities.workspace import workspace_of
from inference.structured import schema_of
from sandbox import Workspace
from schemas.blueprint import Blueprint
from schemas.checks import CheckReport
from schemas.inference import ActionKey, ImagePart, SideEffect, ToolSpec
from schemas.session import Preview, Question, ScreenshotRef

Queue = Literal["inference", "sandbox"]
FilePath = Annotated[str, StringConstraints(min_length=1, max_length=500)]


@dataclass
class Result:
    """What a call came to: the text the model reads, pictures for it to see, and what became new by the call."""

    text: str
    images: tuple[ImagePart, ...] = ()
    completed: bool = False
    question: Question | None = None
    blueprint: Blueprint | None = None
    preview: Preview | None = None
    report: CheckReport | None = None
    screenshots: list[ScreenshotRef] = field(default_factory=list)


class ToolFailed(Exception):
    """The call cannot be carried out; the sentence is for the model."""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Where one call is carried out, for the model that serves `action`.

    With `one_call` the step is this call and nothing else: what it did once is found again by the step's id.
    """

    step: Step
    template: str
    phase_id: str
    reason: str
    action: ActionKey
    author: Literal["model", "fix"] = "model"
    one_call: bool = True

    @property
    def rooms(self) -> Rooms:
        return self.step.rooms

    @property
    def session_id(self) -> str:
        return self.step.session_id

    @cached_property
    def files(self) -> ProjectFiles:
        """The project's files, to be changed in the name of this call."""
        return ProjectFiles(self.step, self.template, phase_id=self.phase_id, reason=self.reason, author=self.author)

    async def done(self, path: str) -> bool:
        """Whether an attempt before this one has changed this file."""
        versions = await self.rooms.files.of_operation(self.session_id, self.step.id) if self.one_call else []
        return any(version.path == path for version in versions)

    async def contents(self) -> dict[str, str]:
        """Every file of the project as it stands."""
        return await self.rooms.files.contents(self.session_id)

    async def workspace(self) -> Workspace:
        """The project on this host, as it is stored."""
        return await workspace_of(self.rooms, self.session_id, self.template)


class Tool(BaseModel):
    """A call of a tool. `effect` is what it does to the project: only what reads runs beside others. `queue` says where
    it runs: on the sandbox's cores, or beside the model calls. `calls` is the action of the model that carries it out,
    if one does."""

    model_config = ConfigDict(extra="forbid")

    name: ClassVar[str]
    effect: ClassVar[SideEffect]
    queue: ClassVar[Queue] = "inference"
    calls: ClassVar[ActionKey | None] = None

    @abstractmethod
    def summary(self) -> str:
        """The call in a few plain words, for people who watch."""

    @abstractmethod
    async def run(self, bench: Bench) -> Result | str:
        """Carry the call out; carried out again for the same step, it does nothing twice.

        Raises ToolFailed, ValueError, LookupError or SandboxError with a sentence for the model.
        """

    @classmethod
    def spec(cls) -> ToolSpec:
        """The tool as the model sees it."""
        schema = schema_of(cls)
        schema.pop("title", None)
        schema.pop("description", None)
        return ToolSpec(name=cls.name, description=" ".join((cls.__doc__ or "").split()), parameters=schema)
