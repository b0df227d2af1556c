"""kill -9 of every part at every moment: nothing is lost, nothing happens twice, watchers see no more than a pause."""

from pathlib import Path

import pytest

from tests.chaos.case import play
from tests.chaos.disasters import DISASTERS
from tests.chaos.evidence import Undisturbed
from tests.chaos.moments import MOMENTS
from tests.chaos.site import Site


@pytest.mark.timeout(240)
@pytest.mark.parametrize("disaster", DISASTERS)
@pytest.mark.parametrize("moment", MOMENTS)
async def test_killed(
    moment: str, disaster: str, whole: Site, undisturbed: Undisturbed, tmp_path: Path, measured: list[str]
) -> None:
    pause = await play(whole, MOMENTS[moment](), disaster, undisturbed, tmp_path)
    measured.append(f"{disaster:20} {moment:24} {pause:5.1f} s")
