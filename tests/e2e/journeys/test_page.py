"""What a person does on the page, in a real browser."""

import asyncio
import re
import time

from playwright.async_api import Browser, FrameLocator, Page, expect

from tests.e2e.journeys.conftest import Model, Stich

SECONDS = 1_000
KANBAN = "Build a kanban board with drag and drop, labels, due dates and search"


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


async def test_an_example_becomes_a_working_preview(page: Page) -> None:
    await page.get_by_role("list", name="Examples").get_by_role("button").filter(has_text="counter").click()
    if await page.get_by_role("button", name="Build it").is_visible():
        await page.get_by_role("button", name="Build it").click()
    await reach(page, "Finished")
    await expect(page.get_by_text("Demo model").first).to_be_visible()
    app = preview(page)
    await app.get_by_role("button", name="One more").click(timeout=20 * SECONDS)
    await expect(app.locator("output")).to_have_text("1")

    # The way in is taken back while the page shows the preview: it fetches another by itself.
    frame = page.locator('iframe[title="Preview of the app"]')
    before = await frame.get_attribute("src") or ""
    await page.evaluate("fetch(`/api/sessions/${location.pathname.split('/')[2]}/preview/revoke`, { method: 'POST' })")
    until = time.monotonic() + 60
    while await frame.get_attribute("src") == before and time.monotonic() < until:
        await app.locator("body").evaluate("() => location.reload()")
        await asyncio.sleep(1)
    await expect(frame).not_to_have_attribute("src", before)
    await expect(app.locator("output")).to_have_text("0", timeout=20 * SECONDS)


async def test_a_board_is_built_repaired_shown_and_changed(page: Page, model: Model) -> None:
    session_id = await build(page, KANBAN)
    await reach(page, "Finished", 120)
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


async def test_reload_and_a_second_tab_show_the_same_picture(page: Page, model: Model) -> None:
    with model.pace(400):
        await build(page, KANBAN)
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


async def test_stop_and_resume_on_the_page(page: Page, model: Model) -> None:
    with model.pace(150):
        session_id = await build(page, KANBAN)
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
