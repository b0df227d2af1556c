"""The deep debugger: it looks, changes little, proves it, reports; and goes on where an attempt before it ended."""

from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.deep_debugger import NOTHING, DeepDebuggerActivities
from schemas.checks import Issue, IssueSource, Severity
from schemas.session import ChatMessage
from schemas.tool_turns import DebugInput, DebugResult
from tests.activities.conftest import ModelRooms
from tests.fault_server import Calls

LOOP = "useEffect(() => setN(n + 1))\n"
FIX = "<<<<<<< SEARCH\nuseEffect(() => setN(n + 1))\n=======\nuseEffect(() => setN(1), [])\n>>>>>>> REPLACE\n"


async def debug(model_rooms: ModelRooms, attempt: int = 1, **fields: Any) -> DebugResult:
    issue = Issue(
        file="src/App.tsx", line=1, code="render-loop", message="Maximum update depth exceeded",
        severity=Severity.ERROR, source=IssueSource.BROWSER,
    )  # fmt: skip
    given = DebugInput(
        **model_rooms.common("debug/request", "deep_debugger"),
        **{"template": "react-vite", "phase_id": "phase-1", "issues": [issue], **fields},
    )
    return await model_rooms.run(DeepDebuggerActivities(model_rooms.rooms).debug, given, attempt)


async def test_it_finds_mends_and_reports(model_rooms: ModelRooms) -> None:
    await model_rooms.put(App=LOOP)
    await model_rooms.rooms.messages.put(
        "s1", ChatMessage(id="m1", role="user", text="it freezes", at="2026-01-01T00:00:00Z")
    )
    model_rooms.calls("read_file", "The effect is suspect.", path="src/App.tsx")
    model_rooms.calls("edit_file", path="src/App.tsx", blocks=FIX)
    model_rooms.calls("report", diagnosis="The effect set state in every render.", solved=True)
    result = await debug(model_rooms, message_ids=["m1"])
    assert (result.solved, result.diagnosis) == (True, "The effect set state in every render.")
    assert [(file.path, file.author) for file in result.files] == [("src/App.tsx", "fix")]
    assert result.usage.calls == 3
    assert "Maximum update depth" in model_rooms.prompts[0] and "it freezes" in model_rooms.prompts[0]
    said = [event["message"]["text"] for event in await model_rooms.events("message")]
    assert said == ["The effect is suspect.", "The effect set state in every render."]
    assert {row.action for row in await model_rooms.rooms.ledger.attempts("s1")} == {"deep_debugger"}


async def test_another_attempt_goes_on_and_pays_for_nothing_twice(model_rooms: ModelRooms) -> None:
    await model_rooms.put(App=LOOP)
    model_rooms.calls("edit_file", path="src/App.tsx", blocks=FIX)
    with pytest.raises(ApplicationError):
        await debug(model_rooms)  # the provider has no second answer: it breaks off
    calls = len(model_rooms.server.seen)
    model_rooms.calls("report", diagnosis="Mended.", solved=True)
    result = await debug(model_rooms, attempt=2)
    assert result.diagnosis == "Mended." and len(model_rooms.server.seen) == calls + 1
    assert len(await model_rooms.rooms.files.versions("s1", "src/App.tsx")) == 2
    assert "Edited src/App.tsx" in model_rooms.prompts[-1]
    again = await debug(model_rooms, attempt=3)
    assert (again.diagnosis, again.solved, len(model_rooms.server.seen)) == ("Mended.", True, calls + 1)


async def test_it_can_edit_a_file_more_than_once(model_rooms: ModelRooms) -> None:
    await model_rooms.put(App="one\n")
    for old, new in (("one", "two"), ("two", "three")):
        blocks = f"<<<<<<< SEARCH\n{old}\n=======\n{new}\n>>>>>>> REPLACE\n"
        model_rooms.calls("edit_file", path="src/App.tsx", blocks=blocks)
    model_rooms.calls("report", diagnosis="x", solved=False)
    await debug(model_rooms)
    assert await model_rooms.rooms.files.read("s1", "src/App.tsx") == "three\n"


async def test_it_has_no_tool_that_writes_whole_files(model_rooms: ModelRooms) -> None:
    model_rooms.says(Calls("", (("write_file", {"path": "src/x.ts", "content": "x"}),)))
    model_rooms.calls("report", diagnosis="x", solved=False)
    await debug(model_rooms)
    assert "There is no tool" in model_rooms.prompts[1]


async def test_going_in_circles_or_saying_nothing_ends_it(model_rooms: ModelRooms) -> None:
    for _ in range(3):
        model_rooms.calls("list_files")
    result = await debug(model_rooms)
    assert (result.diagnosis, result.solved) == (NOTHING, False)


async def test_two_turns_without_a_tool_end_it(model_rooms: ModelRooms) -> None:
    model_rooms.says("Hm.", "I do not know.")
    assert (await debug(model_rooms)).diagnosis == NOTHING
    assert "You called no tool" in model_rooms.prompts[1]
