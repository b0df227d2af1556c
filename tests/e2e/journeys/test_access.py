"""Every page in both themes and both sizes, looked at by axe: nothing that shuts someone out."""

from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import Browser, Page, expect

from tests.e2e.journeys.conftest import Model, Stich
from tests.e2e.journeys.test_page import KANBAN, SECONDS, build, reach

AXE = (Path(__file__).parents[3] / "web" / "node_modules" / "axe-core" / "axe.min.js").read_text()
# Frames hold the apps that models wrote, which are not the page's own.
# A new theme or size is painted only after a frame or two.
RUN = """async () => {
  for (let frame = 0; frame < 3; frame += 1) await new Promise(requestAnimationFrame);
  const { violations } = await axe.run(document, { iframes: false, resultTypes: ["violations"] });
  return violations
    .filter((found) => found.impact === "serious" || found.impact === "critical")
    .flatMap((found) => found.nodes.map((node) => `${found.id}: ${node.target.join(" ")} ${node.failureSummary}`));
}"""
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


async def findings(page: Page) -> list[str]:
    """What axe calls serious or critical."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE)
    found: list[str] = await page.evaluate(RUN)
    return found


async def look(page: Page, *tabs: str) -> None:
    """Scan the page, or each of its tabs, in both themes and both sizes."""
    for size in (DESKTOP, PHONE):
        await page.set_viewport_size(size)  # type: ignore[arg-type]
        for tab in tabs or ("",):
            if tab:
                await page.get_by_role("tab", name=tab).click()
            for theme in THEMES:
                await page.emulate_media(color_scheme=theme, reduced_motion="reduce")
                await page.wait_for_function(
                    "theme => matchMedia(`(prefers-color-scheme: ${theme})`).matches", arg=theme
                )
                assert await findings(page) == [], f"{tab} {theme} {size['width']}"
    await page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]


async def test_a_finding_is_found(page: Page) -> None:
    await page.evaluate("document.body.append(document.createElement('button'))")
    assert [finding.split(":")[0] for finding in await findings(page)] == ["button-name"]


async def test_the_start_page(page: Page) -> None:
    await expect(page.get_by_role("list", name="Examples").get_by_role("button").first).to_be_visible()
    await look(page)


async def test_a_session_at_work(page: Page, model: Model) -> None:
    with model.pace(150):
        await build(page, KANBAN)
        await reach(page, "Building")
        await expect(page.get_by_text("being written").first).to_be_attached(timeout=20 * SECONDS)
        await look(page, "Code", "Plan")
        await page.get_by_role("button", name="Stop").click()
        await reach(page, "Stopped")


@pytest.mark.timeout(180)
async def test_a_finished_session(page: Page) -> None:
    await build(page, "Build a simple counter app")
    await reach(page, "Finished", 120)
    await look(page, "Preview", "Code", "Plan", "Problems")
    await page.get_by_role("tab", name="Plan").click()
    pictures = page.get_by_role("list", name="Pictures of the app")
    await pictures.get_by_role("button").first.click()
    large = page.get_by_role("dialog", name="The app after")
    await expect(large.get_by_role("img")).to_have_js_property("naturalWidth", 1280)
    await look(page)
    await large.get_by_role("button", name="Phone").click()
    await expect(large.get_by_role("img")).to_have_js_property("naturalWidth", 390)
    await page.keyboard.press("Escape")
    await expect(large).to_be_hidden()
    await expect(pictures.get_by_role("button").first).to_be_focused()


async def test_the_page_of_someone_signed_out(browser: Browser, stich: Stich) -> None:
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(stich.at.local_url)
    await expect(page.get_by_role("heading", name="Sign in to stich")).to_be_visible()
    await look(page)
    await context.close()
