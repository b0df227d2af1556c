"""What the page says while a session waits: since when, until when, for what, and what one can do."""

import re

import pytest
from playwright.async_api import Page, expect

from stich.demo.faults import FaultPlan
from tests.e2e.journeys.acts import SECONDS, build, reach
from tests.e2e.journeys.conftest import Model
from tests.e2e.journeys.test_access import findings

pytestmark = pytest.mark.timeout(240)

COUNTER = "Build a simple counter app"


async def test_a_limit_of_the_provider_counts_down_and_may_be_cut_short(page: Page, model: Model) -> None:
    slow_down = {"kind": "status", "status": 429, "headers": {"retry-after": "300"}}
    plan = FaultPlan.model_validate({"faults": [{"action": "blueprint", "calls": "every", "fault": slow_down}]})
    model.demo.faults.replace(plan)
    try:
        await build(page, COUNTER)
        await reach(page, "Waiting for the model")
        now = page.get_by_role("group", name="What happens now")
        await expect(now).to_contain_text(re.compile(r"Demo model asks to slow down.* 4 min \d\d s left"))
        assert await findings(page) == []
        await page.reload()
        await expect(now).to_contain_text("left", timeout=20 * SECONDS)
    finally:
        model.demo.faults.replace(FaultPlan())
    await now.get_by_role("button", name="Try now").click()
    await reach(page, "Finished", 120)
