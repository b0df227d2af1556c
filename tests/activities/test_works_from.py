"""The builder that works with tools does not write over what a user changed and it never read."""

import hashlib
from types import SimpleNamespace

import pytest

from activities.smart_builder import SmartBuilderActivities
from codegen.prompts import fenced
from schemas.inference import Message, ToolCall
from schemas.tool_turns import ToolInput, ToolRequest
from storage.conflicts import Conflicts
from storage.edits import Edits
from storage.transcripts import Transcripts
from tests.activities.conftest import ModelRooms

BASE = "".join(f"line {number}\n" for number in range(12))
TOP, BOTTOM = BASE.replace("line 1\n", "top\n"), BASE.replace("line 10\n", "bottom\n")


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def rooms(model_rooms: ModelRooms) -> ModelRooms:
    model_rooms.rooms = SimpleNamespace(
        **{**vars(model_rooms.rooms), "transcripts": Transcripts(model_rooms.rooms.database)}
    )
    return model_rooms


async def write(rooms: ModelRooms, content: str) -> None:
    """Let the model's turn write src/App.tsx."""
    arguments = ToolCall(id="w", name="write_file", arguments=f'{{"path": "src/App.tsx", "content": {content!r}}}')
    arguments = arguments.model_copy(update={"arguments": arguments.arguments.replace("'", '"')})
    said = Message(role="assistant", tool_calls=(arguments,))
    await rooms.rooms.transcripts.append("s1", "phase-1", "turn", said)
    call = ToolRequest(id="w", name="write_file", summary="Writing src/App.tsx")
    given = ToolInput(
        **rooms.common("phase-1/w", "tool"), template="react-vite", phase_id="phase-1", turn_id="turn", call=call
    )
    await rooms.run(SmartBuilderActivities(rooms.rooms).use_tool, given)


async def edit(rooms: ModelRooms) -> None:
    await rooms.put(App=BASE)
    edits = Edits(rooms.rooms.database)
    await edits.write("s1", "src/App.tsx", TOP, base_sha256=sha(BASE), user_id="ada", operation_id="e1")


async def test_an_edit_it_never_read_is_merged(rooms: ModelRooms) -> None:
    await edit(rooms)
    await write(rooms, BOTTOM)
    assert await rooms.rooms.files.read("s1", "src/App.tsx") == BOTTOM.replace("line 1\n", "top\n")


async def test_an_edit_of_the_same_lines_is_kept_as_a_conflict(rooms: ModelRooms) -> None:
    await edit(rooms)
    await write(rooms, BASE.replace("line 1\n", "another top\n"))
    conflicts = await Conflicts(rooms.rooms.database).open("s1")
    assert [(conflict.path, conflict.mine_sha256) for conflict in conflicts] == [("src/App.tsx", sha(TOP))]


async def test_an_edit_it_has_read_may_be_changed(rooms: ModelRooms) -> None:
    await edit(rooms)
    result = Message(role="tool", content=fenced(TOP, "file", path="src/App.tsx"), tool_call_id="r", name="read_file")
    await rooms.rooms.transcripts.append("s1", "phase-1", "read", result)
    await write(rooms, BOTTOM)
    assert await rooms.rooms.files.read("s1", "src/App.tsx") == BOTTOM
