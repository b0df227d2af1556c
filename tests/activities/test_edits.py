"""Taking phases back, and what a fork carries of those that were."""

from datetime import UTC, datetime

import pytest
from temporalio.exceptions import ApplicationError

from activities.edits import RestoreActivities, carried_phases
from schemas.blueprint import PhasePlan
from schemas.operations import DiscardInput, DiscardResult
from schemas.session import PhaseProgress
from storage.versions import ForkPoint
from tests.activities.conftest import ModelRooms


async def put(rooms: ModelRooms, text: str, operation_id: str, phase_id: str | None, author: str = "model") -> None:
    await rooms.rooms.files.put(
        "s1", "a.ts", text, author=author, reason="", operation_id=operation_id, phase_id=phase_id
    )


async def discard(rooms: ModelRooms, *phase_ids: str, attempt: int = 1, by: str = "retry-1") -> DiscardResult:
    given = DiscardInput(**rooms.common(by, "restore"), phase_ids=[*phase_ids], wanted_by="ada")
    return await rooms.run(RestoreActivities(rooms.rooms).discard, given, attempt)


async def test_the_project_becomes_what_it_was_before_a_phase(model_rooms: ModelRooms) -> None:
    await put(model_rooms, "0", "template", None)
    await put(model_rooms, "1", "phase-1/implement", "phase-1")
    await put(model_rooms, "mine", "e1", None, "user")
    await put(model_rooms, "2", "phase-2/implement", "phase-2")
    await put(model_rooms, "3", "phase-3/implement", "phase-3")
    for attempt in (1, 2):  # of which the second finds it done
        done = await discard(model_rooms, "phase-2", "phase-3", attempt=attempt)
        assert (done.stood, done.went_back_to, done.version) == (5, 3, 6)
    files = model_rooms.rooms.files
    assert await files.read("s1", "a.ts") == "mine" and await files.read("s1", "a.ts", 5) == "3"
    assert [version.author for version in await files.versions("s1")][-1:] == ["restore"]
    assert [event["file"]["version"] for event in await model_rooms.events("file_generated")] == [6]


async def test_phases_that_wrote_nothing_change_nothing(model_rooms: ModelRooms) -> None:
    await put(model_rooms, "0", "template", None)
    done = await discard(model_rooms, "phase-1")
    assert (done.stood, done.went_back_to, done.version) == (1, None, None)
    assert [file.path for file in done.files] == ["a.ts"]


async def test_a_superseded_attempt_takes_nothing_back(model_rooms: ModelRooms) -> None:
    await put(model_rooms, "0", "template", None)
    await put(model_rooms, "1", "phase-1/implement", "phase-1")
    newer = await model_rooms.rooms.events.open("s1", "retry-1", run_id="test-run", execution=1, attempt=7)
    with pytest.raises(ApplicationError, match="newer attempt"):
        await discard(model_rooms, "phase-1")
    await newer.aclose(finished=True)
    assert await model_rooms.rooms.files.read("s1", "a.ts") == "1"


def test_a_fork_carries_what_stood_at_its_version() -> None:
    """phase-2 and phase-3 were taken back after version 30; phase-2r1 came instead."""
    names = ("phase-1", "phase-2", "phase-3", "phase-2r1")
    phases = [PhaseProgress(id=name, plan=PhasePlan(name="P"), status="completed") for name in names]
    assert sorted(phases, key=lambda phase: phase.age) == phases
    phases[1].discarded_at = phases[2].discarded_at = 30
    ids = [phase.id for phase in phases]

    def carried(version: int, begun: int) -> list[str]:
        point = ForkPoint(version, ids[:begun], ids[:begun], datetime.now(UTC))
        found = carried_phases(phases, point, smart=False)
        assert all(phase.discarded_at is None for phase in found)
        return [phase.id for phase in found]

    assert carried(30, 3) == ["phase-1", "phase-2", "phase-3"]
    assert carried(25, 2) == ["phase-1", "phase-2"]
    assert carried(35, 3) == ["phase-1"]
    assert carried(45, 4) == ["phase-1", "phase-2r1"]
