"""What a person does on the page, in a real browser."""

import asyncio
import re
import time

import pytest
from playwright.async_api import Browser, Page, expect

from tests.e2e.journeys.acts import COUNTER, KANBAN, SECONDS, build, preview, reach
from tests.e2e.journeys.conftest import Model, Stich


@pytest.mark.timeout(240)
async def test_a_board_is_built_repaired_shown_and_changed(page: Page, model: Model) -> None:
    """A reload in the middle and a second tab see the same."""
    with model.writing(400):
        session_id = await build(page, KANBAN)
        await reach(page, "Building")
        second = await page.context.new_page()
        await second.goto(page.url)
        await reach(second, "Building")
        await page.reload()
    await reach(page, "Finished", 120)
    await reach(second, "Finished", 20)
    for tab in (page, second):
        await tab.get_by_role("tab", name="Code").click()
    files = [await tab.get_by_role("navigation", name="Files").inner_text() for tab in (page, second)]
    assert files[0] == files[1]
    assert "App.tsx" in files[0]
    await second.close()
    await page.get_by_role("tab", name="Plan").click()
    phases = page.get_by_role("region", name="Phases")
    await expect(phases.get_by_text("Search, filter and the keyboard").first).to_be_visible()
    actions = [request.action for request in model.asked(session_id)]
    assert actions.count("fast_code_fixer") == 1, "the recorded type error is repaired once"
    await page.get_by_role("textbox", name="Message").fill("add dark mode")
    await page.get_by_role("button", name="Send").click()
    await expect(page.get_by_role("log", name="Conversation")).to_contain_text("dark theme", timeout=20 * SECONDS)
    await expect(phases.get_by_text("Dark mode").first).to_be_visible(timeout=60 * SECONDS)
    await reach(page, "Finished", 120)
    await page.get_by_role("tab", name="Preview").click()
    app = preview(page)
    await expect(app.get_by_role("button", name=re.compile("dark", re.I)).first).to_be_visible(timeout=30 * SECONDS)


async def test_stop_and_resume_on_the_page(page: Page, model: Model) -> None:
    with model.writing(30):
        session_id = await build(page, COUNTER)
        await reach(page, "Building")
        await page.get_by_role("button", name="Stop").click()
        await reach(page, "Stopped")
    stopped = time.time()
    (asked,) = (request for request in model.asked(session_id) if "implementation" in request.action)
    for _ in range(200):
        if asked.outcome != "running":
            break
        await asyncio.sleep(0.02)
    assert asked.outcome == "aborted"
    assert asked.ended is not None and asked.ended - stopped < 3
    await page.get_by_role("button", name="Resume").first.click()
    await reach(page, "Finished", 120)


async def test_a_page_without_sign_in_says_how(browser: Browser, stich: Stich) -> None:
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(stich.at.local_url)
    await expect(page.get_by_text("stich up").first).to_be_visible()
    answer = await context.request.get(f"{stich.at.local_url}/api/sessions")
    assert answer.status == 401
    assert answer.headers["content-type"].startswith("application/problem+json")
    await context.close()


async def test_the_token_does_not_stay_in_the_address(page: Page) -> None:
    assert "token" not in page.url
