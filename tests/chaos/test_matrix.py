"""kill -9 of every part at every moment: nothing is lost, nothing happens twice, watchers see no more than a pause."""

from pathlib import Path

import pytest

from tests.chaos.case import play
from tests.chaos.disasters import DISASTERS
from tests.chaos.evidence import Undisturbed
from tests.chaos.moments import MOMENTS
from tests.chaos.site import Site

SHORT = {
    ("file_streaming", "api"),
    ("file_streaming", "postgres"),
    ("stop_accepted", "worker"),
    ("waiting_for_user", "temporal"),
    ("continuing_as_new", "one_of_two_workers"),
}
CELLS = [
    pytest.param(moment, disaster, marks=[pytest.mark.short] if (moment, disaster) in SHORT else [])
    for moment in MOMENTS
    for disaster in DISASTERS
]


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("moment", "disaster"), CELLS)
async def test_killed(
    moment: str, disaster: str, whole: Site, undisturbed: Undisturbed, tmp_path: Path, measured: list[str]
) -> None:
    pause = await play(whole, MOMENTS[moment](), disaster, undisturbed, tmp_path)
    measured.append(f"{disaster:20} {moment:24} {pause:5.1f} s")
