"""Many sessions from a file of prompts: a few at a time, within a budget, and never one twice.

The report is the memory: one JSON line per finished line of the file. A batch that is run again skips what its report
has and meets again the sessions it had started, because each line starts its session under a key made of the line.
"""

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from schemas.http import CreateSession, SessionSnapshot
from schemas.session import Progress, State, Urgency
from stich.client import Sequenced, StichClient, StichHttpError, StichUnreachable
from stich.errors import StichError
from stich.projects import write_project

MAX_LINES: Final = 10_000

LineId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")]


class Line(CreateSession):
    """A line of the file: what starts a session, and a name for it, by default the number of the line.

    Nobody waits for it, unless the line says so: its work comes after that of interactive sessions.
    """

    id: LineId | None = None
    urgency: Urgency = "batch"


class Job(BaseModel):
    """A line, named and ready to be started."""

    id: str
    request: CreateSession

    @property
    def key(self) -> str:
        """The same for the same line, whenever the batch is run."""
        content = f"{self.id}\n{self.request.model_dump_json()}"
        return f"batch-{hashlib.sha256(content.encode()).hexdigest()[:40]}"


class Result(BaseModel):
    """A line of the report. Costs in US dollars, time in seconds. `problem` says why there is no application."""

    model_config = ConfigDict(extra="ignore")

    id: str
    key: str
    session: str | None = None
    state: State | Literal["refused"]
    title: str = ""
    cost_usd: Decimal = Decimal(0)
    seconds: float = 0.0
    files: int = 0
    folder: str | None = None
    problem: str | None = None
    at: datetime = Field(default_factory=lambda: datetime.now(UTC))


def read_jobs(lines: Iterable[str], *, bulk: bool = False) -> list[Job]:
    """The jobs of a file, all of them `bulk` if that is wished. Raises StichError for the first line that cannot be
    used."""
    jobs: list[Job] = []
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            line = Line.model_validate_json(text)
        except ValidationError as error:
            wrong = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, wrong["loc"])) or "the line"
            raise StichError(f"Line {number} cannot be used: {where}: {wrong['msg']}.") from None
        request = CreateSession.model_validate(line.model_dump(exclude={"id"}) | ({"bulk": True} if bulk else {}))
        jobs.append(Job(id=line.id or str(number), request=request))
        if len(jobs) > MAX_LINES:
            raise StichError(f"A batch holds at most {MAX_LINES:,} lines; split the file.")
    ids = [job.id for job in jobs]
    if twice := sorted({job_id for job_id in ids if ids.count(job_id) > 1}):
        raise StichError(f"The id {twice[0]!r} is used more than once; give each line its own.")
    return jobs


def read_report(path: Path) -> dict[str, Result]:
    """What earlier runs finished, by key. A last line that was cut off counts as not written."""
    if not path.exists():
        return {}
    results: dict[str, Result] = {}
    for text in path.read_text().splitlines():
        try:
            result = Result.model_validate_json(text)
        except ValidationError:
            continue
        results[result.key] = result
    return results


class Batch:
    """A run of a batch. `told` gets a line of text whenever something happened."""

    def __init__(
        self,
        client: StichClient,
        report: Path,
        *,
        concurrency: int,
        budget: Decimal | None,
        out: Path | None,
        told: Callable[[str], None],
    ) -> None:
        self._client = client
        self._report = report
        self._concurrency = concurrency
        self._budget = budget
        self._out = out
        self._told = told
        self._costs: dict[str, Decimal] = {}
        self._spent_up = asyncio.Event()

    @property
    def spent(self) -> Decimal:
        """Dollars of all sessions so far, those of earlier runs included."""
        return sum(self._costs.values(), Decimal(0))

    async def run(self, jobs: list[Job]) -> list[Result]:
        """Run what the report does not have. Returns the results of all lines that have one, in the file's order."""
        results = {key: result for key, result in read_report(self._report).items() if result.state == "completed"}
        self._costs = {key: result.cost_usd for key, result in results.items()}
        waiting = [job for job in jobs if job.key not in results]
        if done := len(jobs) - len(waiting):
            self._told(f"{done} of {len(jobs)} are done already")
        todo = iter(waiting)

        async def take() -> None:
            for job in todo:
                if self._is_spent():
                    return
                result = await self._one(job)
                results[job.key] = result
                self._write(result)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._concurrency, len(waiting))):
                group.create_task(take())
        return [results[job.key] for job in jobs if job.key in results]

    def _is_spent(self) -> bool:
        if self._budget is not None and self.spent >= self._budget:
            self._spent_up.set()
        return self._spent_up.is_set()

    async def _one(self, job: Job) -> Result:
        started = asyncio.get_running_loop().time()
        session: str | None = None
        try:
            session = (await self._client.start(job.request, job.key)).id
            self._told(f"{job.id}: session {session}")
            progress = await self._follow(job, session)
            folder = None
            if self._out is not None and progress.state.name == "completed":
                folder = self._out / job.id
                write_project(await self._client.export(session), folder, progress.title, replace=True)
        except (StichHttpError, StichUnreachable) as error:
            self._told(f"{job.id}: {error}")
            return Result(id=job.id, key=job.key, session=session, state="refused", problem=str(error))
        state = progress.state
        cost = self._costs[job.key] = progress.usage.cost_usd
        self._told(f"{job.id}: {state.name}, {cost} US dollars: {state.reason}")
        return Result(
            id=job.id,
            key=job.key,
            session=session,
            state=state.name,
            title=progress.title,
            cost_usd=cost,
            seconds=round(asyncio.get_running_loop().time() - started, 1),
            files=len(progress.files),
            folder=str(folder) if folder else None,
            problem=None if state.name == "completed" else state.reason,
        )

    async def _follow(self, job: Job, session: str) -> Progress:
        """Wait for the end of a session, one that an earlier run left included; stop it when the budget is spent."""
        progress = (await self._client.snapshot(session)).progress
        if "resume" in progress.state.can and not self._is_spent():
            await self._client.resume(session)

        def told(item: SessionSnapshot | Sequenced) -> None:
            if isinstance(item, SessionSnapshot):
                self._costs[job.key] = item.progress.usage.cost_usd
            elif item.event.type == "usage":
                self._costs[job.key] = item.event.usage.cost_usd
            self._is_spent()

        following = asyncio.create_task(self._client.wait(session, told=told))
        spent_up = asyncio.create_task(self._spent_up.wait())
        try:
            await asyncio.wait([following, spent_up], return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                await self._client.stop(session)
            return await following
        finally:
            spent_up.cancel()
            following.cancel()

    def _write(self, result: Result) -> None:
        """Add a line to the report, whole or not at all."""
        with self._report.open("a") as report:
            report.write(json.dumps(result.model_dump(mode="json")) + "\n")
            report.flush()


def cost_of(text: str | None) -> Decimal | None:
    """The budget as typed. Raises StichError."""
    if text is None:
        return None
    try:
        budget = Decimal(text)
    except ArithmeticError:
        raise StichError("--budget takes an amount of US dollars, such as 12.50.") from None
    if not budget.is_finite() or budget <= 0:
        raise StichError("--budget takes an amount of US dollars above 0, such as 12.50.")
    return budget
