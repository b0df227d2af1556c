"""Every page in both themes and both sizes, looked at by axe: nothing that shuts someone out."""

from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import Browser, Page, expect

from tests.e2e.journeys.acts import COUNTER, SECONDS, build, reach
from tests.e2e.journeys.conftest import Model, Stich

AXE = (Path(__file__).parents[3] / "web" / "node_modules" / "axe-core" / "axe.min.js").read_text()
# Frames hold the apps that models wrote, which are not the page's own.
# A new theme or size is painted only after a frame or two.
RUN = """async (rules) => {
  for (let frame = 0; frame < 3; frame += 1) await new Promise(requestAnimationFrame);
  const options = { iframes: false, resultTypes: ["violations"], ...(rules.length > 0 && { runOnly: rules }) };
  const { violations } = await axe.run(document, options);
  return violations
    .filter((found) => found.impact === "serious" || found.impact === "critical")
    .flatMap((found) => found.nodes.map((node) => `${found.id}: ${node.target.join(" ")} ${node.failureSummary}`));
}"""
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


async def findings(page: Page, *rules: str) -> list[str]:
    """What axe calls serious or critical, by these rules or by all of them."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE)
    found: list[str] = await page.evaluate(RUN, list(rules))
    return found


async def look(page: Page, *tabs: str) -> None:
    """Scan the page, or each of its tabs, in both sizes and both themes, which differ in colours alone."""
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
                rules = () if theme == THEMES[0] else ("color-contrast",)
                assert await findings(page, *rules) == [], f"{tab} {theme} {size['width']}"
    await page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]


async def test_a_finding_is_found(page: Page) -> None:
    await page.evaluate("document.body.append(document.createElement('button'))")
    assert [finding.split(":")[0] for finding in await findings(page)] == ["button-name"]


async def test_the_start_page(page: Page) -> None:
    await expect(page.get_by_role("list", name="Examples").get_by_role("button").first).to_be_visible()
    await look(page)


async def test_a_session_at_work(page: Page, model: Model) -> None:
    with model.writing(40):
        await build(page, COUNTER)
        await reach(page, "Building")
        await expect(page.get_by_text("being written").first).to_be_attached(timeout=20 * SECONDS)
        await look(page, "Code", "Plan")
        await page.get_by_role("button", name="Stop").click()
        await reach(page, "Stopped")


@pytest.mark.timeout(180)
async def test_a_finished_session(page: Page, counter: str) -> None:
    await look(page, "Preview", "Code", "Plan", "Problems", "History")
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


async def test_what_is_not_there_and_what_lies_above(page: Page, stich: Stich) -> None:
    for path, heading in (("/nowhere", "Nothing is here"), ("/s/session-of-nobody", "no session")):
        await page.goto(stich.at.local_url + path)
        await expect(page.get_by_role("heading", level=1)).to_contain_text(heading)
        await look(page)
    await page.goto(stich.at.local_url)
    await page.get_by_role("complementary", name="Demo").get_by_role("button", name="Add a key").click()
    await expect(page.get_by_role("dialog", name="Add a key")).to_be_visible()
    await look(page)
    await page.keyboard.press("Escape")
    await page.keyboard.press("Control+k")
    await expect(page.get_by_role("dialog", name="Commands")).to_be_visible()
    await look(page)


# What the keyboard stands on: its name, and whether that is to be seen.
FOCUS = """() => {
  let here = document.activeElement;
  while (here?.shadowRoot?.activeElement) here = here.shadowRoot.activeElement;
  if (here === document.body) return ["the end of the page", true];
  const style = getComputedStyle(here);
  const around = here.closest("form, .cm-editor") ?? here;
  const seen = [style, getComputedStyle(around)].some((one) => one.outlineStyle !== "none" || one.boxShadow !== "none");
  return [here.getAttribute("aria-label") ?? here.textContent.trim().slice(0, 40), seen];
}"""


@pytest.mark.timeout(180)
async def test_a_session_by_keyboard_alone(page: Page, counter: str) -> None:
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the message box")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("textbox", name="Message")).to_be_focused()
    await page.reload()
    await reach(page, "Finished")
    for tab, key in (("Code", "2"), ("Plan", "3"), ("Problems", "4"), ("History", "5")):
        await page.keyboard.press(f"Alt+{key}")
        await expect(page.get_by_role("tab", name=tab)).to_have_attribute("aria-selected", "true")
    await page.keyboard.press("Alt+m")
    await expect(page.get_by_role("textbox", name="Message")).to_be_focused()
    await page.keyboard.press("Control+k")
    await expect(page.get_by_role("dialog", name="Commands").get_by_role("combobox")).to_be_focused()
    await page.keyboard.type("plan")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("tab", name="Plan")).to_have_attribute("aria-selected", "true")
    stops: list[str] = []
    for _ in range(30):
        await page.keyboard.press("Tab")
        name, seen = await page.evaluate(FOCUS)
        assert seen, f"nothing shows that the keyboard is on {name!r}, after {stops}"
        stops.append(name)
    assert len(set(stops)) > 10, stops


async def test_the_page_of_someone_signed_out(browser: Browser, stich: Stich) -> None:
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(stich.at.local_url)
    await expect(page.get_by_role("heading", name="Sign in to stich")).to_be_visible()
    await look(page)
    await context.close()
