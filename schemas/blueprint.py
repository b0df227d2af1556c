"""What planning produces: the choice of a template, the blueprint and its phases. All three are model output."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]
Paragraph = Annotated[str, StringConstraints(strip_whitespace=True, max_length=8_000)]
Complexity = Literal["simple", "moderate", "complex"]
"""How much there is to build. A simple application is built in one phase."""

_LIKE = {"low": "simple", "easy": "simple", "trivial": "simple", "high": "complex", "hard": "complex"}


def _as_complexity(said: Any) -> Any:
    """The word of a model, which may be another one than it was asked for; what nobody knows is moderate."""
    word = str(said).strip().lower()
    word = _LIKE.get(word, word)
    return word if word in ("simple", "moderate", "complex") else "moderate"


class ModelOutput(BaseModel):
    """Base of everything a model writes: unknown fields are ignored, since models like to add some."""

    model_config = ConfigDict(extra="ignore")


class TemplateChoice(ModelOutput):
    """The project template that fits the request; `template` is None when a bare project fits best."""

    template: str | None
    title: Line
    reason: Paragraph = ""
    project_type: str = "app"
    use_case: str = ""
    complexity: Annotated[Complexity, BeforeValidator(_as_complexity)] = "moderate"
    style: str = ""


class PlannedFile(ModelOutput):
    """A file that a phase will write, by its path in the project. `uses` names files of the same phase it imports."""

    path: Line
    purpose: Paragraph = ""
    uses: list[str] = Field(default_factory=list, max_length=100)


class PhasePlan(ModelOutput):
    """One step that leaves a working application behind. `install` holds plain package specs."""

    name: Line
    description: Paragraph = ""
    files: list[PlannedFile] = Field(default_factory=list, max_length=100)
    deletes: list[str] = Field(default_factory=list, max_length=100)
    install: list[str] = Field(default_factory=list, max_length=40)
    last: bool = False


class View(ModelOutput):
    """A screen of the application."""

    name: Line
    description: Paragraph = ""


class Blueprint(ModelOutput):
    """The plan of the whole application and its first phase."""

    title: Line
    description: Paragraph
    colour_palette: list[str] = Field(default_factory=list, max_length=20)
    views: list[View] = Field(default_factory=list, max_length=40)
    user_flow: Paragraph = ""
    data_flow: Paragraph = ""
    architecture: Paragraph = ""
    pitfalls: list[Paragraph] = Field(default_factory=list, max_length=40)
    dependencies: list[str] = Field(default_factory=list, max_length=60)
    phases_outline: list[Paragraph] = Field(default_factory=list, max_length=20)
    first_phase: PhasePlan


class SetupCommands(ModelOutput):
    """The install commands that a blueprint needs."""

    commands: list[Line] = Field(default_factory=list, max_length=40)


class ReadmeWords(ModelOutput):
    """What only somebody who knows the application can say in its README."""

    summary: Paragraph
    features: list[Line] = Field(default_factory=list, max_length=20)
    usage: Paragraph = ""
