"""What a person does on the pages, as steps of the journeys."""

import re

from playwright.async_api import FrameLocator, Page, expect

SECONDS = 1_000
KANBAN = "Build a kanban board with drag and drop, labels, due dates and search"
COUNTER = "Build a simple counter app with plus and minus buttons"


async def build(page: Page, prompt: str) -> str:
    """Enter a prompt; returns the session's id."""
    await page.get_by_role("textbox", name="Describe the app").fill(prompt)
    await page.get_by_role("button", name="Build it").click()
    await page.wait_for_url(re.compile("/s/session-"))
    return page.url.rpartition("/")[2]


async def reach(page: Page, state: str, seconds: int = 60) -> None:
    await expect(page.get_by_role("status", name="State")).to_contain_text(state, timeout=seconds * SECONDS)


def preview(page: Page) -> FrameLocator:
    return page.frame_locator('iframe[title="Preview of the app"]')
