"""Tools by which the model turns to the person who asked."""

from typing import Annotated

from pydantic import Field, StringConstraints

from activities.tools.tool import Bench, Result, Tool
from schemas.session import ChatMessage, Question


class AskUser(Tool):
    """Ask the person a question, with up to six answers to choose from. The work rests until they answer, perhaps for
    days: ask only what you cannot decide well yourself, and call no other tool in the same turn."""

    name = "ask_user"
    effect = "exclusive"
    question: str = Field(min_length=1, max_length=2_000)
    options: list[Annotated[str, StringConstraints(max_length=1_000)]] = Field(default_factory=list, max_length=6)

    def summary(self) -> str:
        return "Asking you something"

    async def run(self, bench: Bench) -> Result:
        at = bench.step.given.operation.since
        options = list(dict.fromkeys(option.strip()[:200] for option in self.options if option.strip()))
        question = Question(id=bench.step.id, text=self.question, options=options, phase_id=bench.phase_id, at=at)
        await bench.step.say(ChatMessage(id=question.id, role="assistant", text=question.text, at=at, options=options))
        return Result("The question is shown. The answer follows.", question=question)


class Complete(Tool):
    """Declare the work done, with a summary for the person who asked: what the application can do now, and what it
    cannot that they might expect."""

    name = "complete"
    effect = "exclusive"
    text: str = Field(alias="summary", min_length=1, max_length=8_000)

    def summary(self) -> str:
        return "Finishing"

    async def run(self, bench: Bench) -> Result:
        at = bench.step.given.operation.since
        await bench.step.say(ChatMessage(id=bench.step.id, role="assistant", text=self.text, at=at))
        return Result("Done.", completed=True)
