"""What `stich build` shows: a live line with a history above it, plain lines, or JSON lines."""

import json
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from rich.console import Console
from rich.markup import escape
from rich.status import Status

from schemas.checks import CheckReport, Issue
from schemas.events import (
    BlueprintReady,
    ChecksEvent,
    CommandEvent,
    ErrorEvent,
    Event,
    FileChunk,
    FileDeleted,
    FileGenerated,
    FileGenerating,
    MessageEvent,
    OperationStarted,
    PhaseEvent,
    PreviewEvent,
    SessionInfoEvent,
    SessionStateEvent,
    UsageEvent,
    WaitingEvent,
)
from schemas.http import SessionSnapshot
from schemas.session import PhaseProgress, Progress, State, StateInfo
from stich.client import Sequenced

MOST_ISSUES = 5
LONGEST_TEXT = 400


@dataclass
class Outcome:
    """How the session ended. `out` is where the project was written."""

    session_id: str
    title: str
    state: State
    reason: str
    files: int
    cost_usd: Decimal
    demo: bool
    out: Path | None = None
    seconds: float = 0.0

    @classmethod
    def of(cls, progress: Progress) -> Self:
        return cls(
            session_id=progress.session_id,
            title=progress.title,
            state=progress.state.name,
            reason=progress.state.reason,
            files=len(progress.files),
            cost_usd=progress.usage.cost_usd,
            demo=progress.demo,
        )


class View(Protocol):
    """Where a build is shown. A context manager around the whole of it."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def note(self, line: str) -> None:
        """Something about the build itself."""

    def lost(self, reason: str) -> None:
        """The stream of events broke and is opened again."""

    def show(self, item: SessionSnapshot | Sequenced) -> None:
        """What the session sent."""

    def end(self, outcome: Outcome) -> None:
        """The last word."""


def view_for(*, as_json: bool) -> View:
    """JSON lines when asked for; a live display on a terminal; plain lines elsewhere."""
    if as_json:
        return JsonView()
    return TerminalView() if sys.stdout.isatty() else PlainView()


class JsonView:
    """One JSON object per line: every event as it came with its number, at the end the result."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def note(self, line: str) -> None:
        print(f"stich: {line}", file=sys.stderr, flush=True)

    def lost(self, reason: str) -> None:
        self.note(f"the connection was lost ({reason}); opening it again")

    def show(self, item: SessionSnapshot | Sequenced) -> None:
        if isinstance(item, Sequenced):
            self._print({"seq": item.seq, **item.raw})
        else:
            self._print({"type": "snapshot", **item.model_dump(mode="json")})

    def end(self, outcome: Outcome) -> None:
        self._print(
            {
                "type": "result",
                "session_id": outcome.session_id,
                "title": outcome.title,
                "state": outcome.state,
                "reason": outcome.reason,
                "files": outcome.files,
                "out": str(outcome.out) if outcome.out else None,
                "cost_usd": str(outcome.cost_usd),
                "demo": outcome.demo,
                "seconds": round(outcome.seconds, 1),
            }
        )

    def _print(self, value: dict[str, Any]) -> None:
        print(json.dumps(value, ensure_ascii=False, separators=(",", ":")), flush=True)


class PlainView:
    """A line for each thing that is worth one."""

    def __init__(self) -> None:
        self._narrator = Narrator()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def note(self, line: str) -> None:
        self._line(line)

    def lost(self, reason: str) -> None:
        self._line(f"the connection was lost ({reason}); opening it again")

    def show(self, item: SessionSnapshot | Sequenced) -> None:
        for line in self._narrator.tell(item):
            self._line(line)

    def end(self, outcome: Outcome) -> None:
        for line in last_words(outcome):
            self._line(line)

    def _line(self, line: str) -> None:
        print(line, flush=True)


class TerminalView(PlainView):
    """The same lines above a live one, which tells what is going on right now."""

    def __init__(self) -> None:
        super().__init__()
        self._console = Console(highlight=False)
        self._status = Status("starting", console=self._console)
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._status.stop()

    def show(self, item: SessionSnapshot | Sequenced) -> None:
        super().show(item)
        told = self._narrator
        seconds = time.monotonic() - self._began
        self._status.update(f"{escape(told.now)}  [dim]{money(told.cost)} · {seconds:.0f} s[/dim]")

    def end(self, outcome: Outcome) -> None:
        self._status.stop()
        super().end(outcome)

    def _line(self, line: str) -> None:
        self._console.print(escape(line), soft_wrap=True)


class Narrator:
    """Turns a session's snapshots and events into lines for people, each thing once however often it is sent."""

    def __init__(self) -> None:
        self.now = "starting"
        self.cost = Decimal(0)
        self._written = 0
        self._since: datetime | None = None
        self._told: dict[str, str] = {}

    def tell(self, item: SessionSnapshot | Sequenced) -> list[str]:
        """The lines that `item` is worth."""
        if isinstance(item, SessionSnapshot):
            return self._tell_snapshot(item)
        return self._tell_event(item.event)

    def _tell_snapshot(self, snapshot: SessionSnapshot) -> list[str]:
        progress = snapshot.progress
        self.cost = progress.usage.cost_usd
        lines = []
        if self._new("session", progress.session_id):
            lines.append(f"session {progress.session_id}")
        lines += self._state(progress.state)
        for phase in progress.phases:
            lines += self._phase(phase)
        return lines

    def _tell_event(self, event: Event) -> list[str]:
        match event:
            case SessionStateEvent(state=state):
                return self._state(state)
            case SessionInfoEvent(demo=True) if self._new("demo", "yes"):
                return ["the demo model answers, with a recorded session"]
            case OperationStarted(operation=operation):
                self.now = operation.title
            case BlueprintReady(blueprint=plan):
                return [f"plan: {plan.title}", *(f"  {n}. {step}" for n, step in enumerate(plan.phases_outline, 1))]
            case PhaseEvent(phase=phase):
                return self._phase(phase)
            case ChecksEvent(report=report):
                return check_lines(report)
            case PreviewEvent(preview=preview) if preview.url and self._new("preview", preview.url):
                return [f"preview: {preview.url}"]
            case MessageEvent(message=message) if message.role != "user" and message.state == "done":
                return [f"» {brief(message.text)}"] if self._new(f"message {message.id}", message.text) else []
            case UsageEvent(usage=usage):
                self.cost = usage.cost_usd
            case WaitingEvent(reason=reason):
                return [f"  waiting: {reason}"]
            case ErrorEvent(sentence=sentence, next_action=next_action):
                return [f"  problem: {sentence} {next_action}"]
            case _:
                return self._tell_work(event)
        return []

    def _tell_work(self, event: Event) -> list[str]:
        match event:
            case FileGenerating(path=path):
                self.now, self._written = f"writing {path}", 0
            case FileChunk(path=path, text=text):
                self._written += len(text)
                self.now = f"writing {path} ({self._written:,} characters)"
            case FileGenerated(file=file):
                verb = "fixed" if file.author == "fix" else "wrote"
                return [f"  {verb} {file.path} ({size(file.size)})"]
            case FileDeleted(path=path):
                return [f"  deleted {path}"]
            case CommandEvent(command=command, status="running"):
                self.now = command
                return [f"  $ {command}"]
            case CommandEvent(status="failed" | "refused" as status, output=output):
                return [f"    {status}: {brief(output)}"]
        return []

    def _state(self, state: StateInfo) -> list[str]:
        if self._since is not None and state.since < self._since:
            return []  # a snapshot knew of a later one
        self._since = state.since
        known = not self._new("state", f"{state.name} {state.reason}")
        return [] if known else [f"{state.name.replace('_', ' ')}: {state.reason}"]

    def _phase(self, phase: PhaseProgress) -> list[str]:
        if phase.discarded_at is not None:
            return [f"  taken back: {phase.plan.name}"] if self._new(f"phase {phase.id}", "discarded") else []
        if not self._new(f"phase {phase.id}", f"{phase.status} {phase.fix_rounds}"):
            return []
        match phase.status:
            case "generating":
                return [f"phase: {phase.plan.name}"]
            case "fixing":
                return [f"  fixing what the checks found (round {phase.fix_rounds})"]
            case "completed":
                return [f"  done: {phase.plan.name}"]
            case "failed":
                return [f"  failed: {phase.plan.name}"]
        return []

    def _new(self, what: str, value: str) -> bool:
        known = self._told.get(what) == value
        self._told[what] = value
        return not known


def check_lines(report: CheckReport) -> list[str]:
    ran = ", ".join(report.ran)
    if report.ok:
        return [f"  checks: no errors ({ran}; {report.seconds:.1f} s)"]
    issues = [f"    {place(issue)}: {brief(issue.message)} ({issue.code})" for issue in report.errors[:MOST_ISSUES]]
    more = [f"    and {len(report.errors) - MOST_ISSUES} more"] if len(report.errors) > MOST_ISSUES else []
    return [f"  checks: {counted(len(report.errors), 'error')} ({ran})", *issues, *more]


def place(issue: Issue) -> str:
    return (issue.file or issue.source) + (f":{issue.line}" if issue.line else "")


def last_words(outcome: Outcome) -> list[str]:
    if outcome.state == "completed":
        paid = "demo model" if outcome.demo else money(outcome.cost_usd)
        lines = [
            f"{outcome.title}: {counted(outcome.files, 'file')} in {outcome.out} ({paid}, {outcome.seconds:.0f} s)"
        ]
        if outcome.out is not None and (outcome.out / "package.json").exists():
            lines.append(f"run it: cd {outcome.out} && npm install && npm run dev")
        return lines
    again = f"stich build --resume {outcome.session_id}"
    if outcome.state == "stopped":
        return [f"The session is stopped and nothing is lost; go on with: {again}"]
    return [f"The session did not complete ({outcome.state}): {outcome.reason}", f"try again with: {again}"]


def brief(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_TEXT else line[: LONGEST_TEXT - 1] + "…"


def counted(number: int, word: str) -> str:
    return f"{number} {word}" + ("" if number == 1 else "s")


def money(amount: Decimal) -> str:
    return f"${amount:.2f}" if amount >= Decimal("0.01") or not amount else f"${amount:.4f}"


def size(count: int) -> str:
    return f"{count} B" if count < 1000 else f"{count / 1000:.1f} kB"
