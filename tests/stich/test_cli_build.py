"""What `stich build` writes and shows."""

import io
import json
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.blueprint import Blueprint, PhasePlan
from schemas.checks import CheckReport, Issue, IssueSource, Severity
from schemas.events import (
    BlueprintReady,
    ChecksEvent,
    Event,
    FileChunk,
    FileGenerated,
    FileGenerating,
    MessageEvent,
    PhaseEvent,
    SessionInfoEvent,
    SessionStateEvent,
    UsageEvent,
)
from schemas.http import SessionSnapshot
from schemas.session import ChatMessage, FileRef, PhaseProgress, Progress, StateInfo, UsageTotals
from stich.cli_build_view import JsonView, Narrator, Outcome, last_words
from stich.client import Sequenced
from stich.errors import StichError
from stich.projects import free_folder, slug, write_project

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def archive(files: dict[str, str]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as project:
        for name, text in files.items():
            project.writestr(name if name.startswith("/") else f"board/{name}", text)
    return content.getvalue()


def test_the_project_is_written_as_it_is(tmp_path: Path) -> None:
    folder = write_project(archive({"package.json": "{}", "src/a/App.tsx": "é\r\n"}), tmp_path / "new" / "app", "T")
    assert (folder / "src/a/App.tsx").read_bytes() == "é\r\n".encode()
    assert sorted(p.name for p in folder.iterdir()) == ["package.json", "src"]


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert write_project(archive({"a": "1"}), tmp_path / "out", "T") == tmp_path / "out"


@pytest.mark.parametrize("name", ["../../evil", "/etc/evil", "a/../../evil", "a\\..\\evil"])
def test_a_path_that_leaves_the_folder_writes_nothing(tmp_path: Path, name: str) -> None:
    with pytest.raises(StichError, match="leaves its folder"):
        write_project(archive({"fine": "1", name: "1"}), tmp_path / "out", "T")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_archive_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StichError, match="damaged archive"):
        write_project(b"PK nonsense", tmp_path / "out", "T")


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StichError, match="cannot be written"):
        write_project(archive({"a": "1"}), tmp_path / "file" / "out", "T")


def test_a_title_names_a_folder_that_is_free(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert write_project(archive({"a": "1"}), None, "Flow: a Kanban Board!") == Path("flow-a-kanban-board")
    assert write_project(archive({"a": "1"}), None, "Flow: a Kanban Board!") == Path("flow-a-kanban-board-2")
    assert free_folder("other") == Path("other")


@given(st.text(max_size=200))
def test_every_title_makes_a_plain_name(title: str) -> None:
    name = slug(title)
    assert name and len(name) <= 60 and not name.startswith("-")
    assert all(letter.isascii() and (letter.isalnum() or letter == "-") for letter in name)


def progress(**fields: Any) -> Progress:
    state = StateInfo(name="planning", since=NOW, reason="Thinking.")
    given: dict[str, Any] = {
        "session_id": "s-1", "title": "Board", "prompt": "p", "mode": "deterministic",
        "state": state, "created_at": NOW,
    }  # fmt: skip
    return Progress(**{**given, **fields})


def phase(status: str, rounds: int = 0) -> PhaseEvent:
    plan = PhasePlan(name="Cards")
    return PhaseEvent(
        phase=PhaseProgress.model_validate({"id": "p1", "plan": plan, "status": status, "fix_rounds": rounds})
    )


def events() -> list[Event]:
    issue = Issue(
        file="a.ts", line=3, code="TS2304", severity=Severity.ERROR, source=IssueSource.TYPECHECK, message="No x."
    )
    return [
        SessionInfoEvent(title="Board", template="react-vite", model="demo/demo", demo=True),
        BlueprintReady(
            blueprint=Blueprint(
                title="Board",
                description="d",
                phases_outline=["Cards", "Dragging"],
                first_phase=PhasePlan(name="Cards"),
            )
        ),
        phase("generating"),
        FileGenerating(operation_id="o", path="a.ts", purpose="x", format="full_content", phase_id="p1"),
        FileChunk(operation_id="o", path="a.ts", offset=0, text="abc", format="full_content"),
        FileGenerated(operation_id="o", file=FileRef(path="a.ts", sha256="0" * 64, size=1500, version=1)),
        ChecksEvent(phase_id="p1", report=CheckReport(issues=[issue], ran=[IssueSource.TYPECHECK])),
        phase("fixing", 1),
        FileGenerated(operation_id="o", file=FileRef(path="a.ts", sha256="0" * 64, size=900, version=2, author="fix")),
        ChecksEvent(phase_id="p1", report=CheckReport(ran=[IssueSource.TYPECHECK], seconds=0.5)),
        UsageEvent(operation_id="o", action="x", model="m", usage=UsageTotals(cost_usd=Decimal("0.25"))),
        MessageEvent(message=ChatMessage(id="m", role="assistant", text="Done\nindeed", at=NOW)),
        phase("completed", 1),
        SessionStateEvent(state=StateInfo(name="completed", since=NOW, reason="Ready.")),
    ]


def test_a_session_is_told_in_plain_lines() -> None:
    narrator = Narrator()
    lines = narrator.tell(SessionSnapshot(progress=progress(), conversation=[]))
    for number, event in enumerate(events()):
        lines += narrator.tell(Sequenced(number, event, {}))
    assert lines == [
        "session s-1",
        "planning: Thinking.",
        "the demo model answers, with a recorded session",
        "plan: Board",
        "  1. Cards",
        "  2. Dragging",
        "phase: Cards",
        "  wrote a.ts (1.5 kB)",
        "  checks: 1 error (typecheck)",
        "    a.ts:3: No x. (TS2304)",
        "  fixing what the checks found (round 1)",
        "  fixed a.ts (900 B)",
        "  checks: no errors (typecheck; 0.5 s)",
        "» Done indeed",
        "  done: Cards",
        "completed: Ready.",
    ]
    assert narrator.cost == Decimal("0.25")


def test_what_is_sent_again_is_not_told_again() -> None:
    narrator = Narrator()
    snapshot = SessionSnapshot(progress=progress(phases=[phase("generating").phase]), conversation=[])
    assert len(narrator.tell(snapshot)) == 3
    assert narrator.tell(snapshot) == []
    assert narrator.tell(Sequenced(1, phase("generating"), {})) == []


def test_json_lines_end_with_the_result(capsys: pytest.CaptureFixture[str]) -> None:
    view = JsonView()
    event = events()[5]
    view.show(SessionSnapshot(progress=progress(), conversation=[]))
    view.show(Sequenced(7, event, event.model_dump(mode="json")))
    view.end(outcome())
    first, second, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["type"] == "snapshot" and first["progress"]["title"] == "Board"
    assert second["seq"] == 7 and second["type"] == "file_generated" and second["file"]["path"] == "a.ts"
    assert last["type"] == "result" and last["state"] == "completed" and last["out"] == "board"
    assert last["cost_usd"] == "0.25" and last["demo"] is False


def outcome(**fields: Any) -> Outcome:
    given: dict[str, Any] = {
        "session_id": "s-1", "title": "Board", "state": "completed", "reason": "Ready.", "files": 1,
        "cost_usd": Decimal("0.25"), "demo": False, "out": Path("board"), "seconds": 61.4,
    }  # fmt: skip
    return Outcome(**{**given, **fields})


@pytest.mark.parametrize(
    ("fields", "check"),
    [
        ({}, lambda text: text == "Board: 1 file in board ($0.25, 61 s)"),
        ({"demo": True}, lambda text: "demo model" in text and "$" not in text),
        ({"state": "stopped"}, lambda text: "stich build --resume s-1" in text and "nothing is lost" in text),
        ({"state": "failed", "reason": "No key."}, lambda text: "No key." in text and "--resume s-1" in text),
    ],
)
def test_the_last_words(fields: dict[str, Any], check: Callable[[str], bool]) -> None:
    assert check("\n".join(last_words(outcome(**fields))))
