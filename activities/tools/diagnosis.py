"""The tool by which the debugger ends."""

from pydantic import Field

from activities.tools.tool import Bench, Result, Tool


class Report(Tool):
    """End the search and report to the person, in plain words: what was wrong, why, and what you changed; where you did
    not find or mend it, what you ruled out and what you suspect."""

    name = "report"
    effect = "exclusive"
    diagnosis: str = Field(min_length=1, max_length=6_000)
    solved: bool

    def summary(self) -> str:
        return "Reporting what was wrong"

    async def run(self, bench: Bench) -> Result:
        return Result("Reported.", completed=True)
