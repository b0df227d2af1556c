"""The session's page as a workbench: edit, choose in a conflict, go back, go on elsewhere, point, publish."""

import asyncio
import re
import time

import pytest
from playwright.async_api import Page, expect

from tests.e2e.journeys.acts import COUNTER, SECONDS, build, preview, reach
from tests.e2e.journeys.conftest import Model
from tests.e2e.journeys.test_access import findings, look

APP = "src/App.tsx"


async def open_app(page: Page) -> None:
    await page.get_by_role("tab", name="Code").click()
    await page.get_by_role("navigation", name="Files").get_by_role("button", name=re.compile("^App.tsx")).click()
    await expect(page.get_by_role("textbox", name=f"Code of {APP}")).to_contain_text("import", timeout=20 * SECONDS)


async def type_first_line(page: Page, text: str) -> None:
    await page.get_by_role("textbox", name=f"Code of {APP}").click()
    await page.keyboard.press("Control+Home")
    await page.keyboard.type(text + "\n")


async def test_an_edit_is_saved_seen_elsewhere_and_taken_back(page: Page, counter: str) -> None:
    await open_app(page)
    other = await page.context.new_page()
    await other.goto(f"{counter}?tab=code&file={APP}")
    await type_first_line(page, "// a line of mine")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("button", name="Save")).to_have_count(0, timeout=20 * SECONDS)
    await expect(other.get_by_role("textbox", name=f"Code of {APP}")).to_contain_text(
        "a line of mine", timeout=20 * SECONDS
    )
    await other.close()

    await page.get_by_role("tab", name="History").click()
    versions = page.get_by_role("region", name="Versions").get_by_role("button")
    await expect(versions.first).to_contain_text("Edited")
    changes = page.get_by_role("region", name="Changes")
    await changes.get_by_role("button", name=APP).click()
    await expect(changes).to_contain_text("a line of mine")
    assert await findings(page) == []
    await versions.nth(1).click()
    await page.get_by_role("button", name="Restore", exact=True).click()
    dialog = page.get_by_role("dialog", name="Restore")
    await look(page)
    await dialog.get_by_role("button", name="Restore it").click()
    await expect(versions.first).to_contain_text("Restored", timeout=30 * SECONDS)
    await open_app(page)
    await expect(page.get_by_role("textbox", name=f"Code of {APP}")).not_to_contain_text("a line of mine")


async def test_what_is_searched_is_found_and_what_it_cost_is_told(page: Page, counter: str) -> None:
    await page.get_by_role("tab", name="Code").click()
    await page.get_by_role("searchbox", name="Search in all files").fill("useCounter")
    files = page.get_by_role("complementary", name="Project files")
    await expect(files.get_by_role("status")).to_contain_text("lines in", timeout=20 * SECONDS)
    await files.get_by_role("button", name=re.compile(r"^\d+.*import.*useCounter")).first.click()
    await expect(page.get_by_role("textbox", name=f"Code of {APP}")).to_contain_text("useCounter")
    await page.get_by_role("button", name="Usage:").click()
    usage = page.get_by_role("dialog", name="Usage")
    await expect(usage.get_by_role("region", name="By phase and message")).to_contain_text("1. The counter")
    await expect(usage.get_by_role("region", name="The last call")).to_contain_text("tokens sent")
    assert await findings(page) == []


async def test_two_changes_of_a_line_wait_for_a_choice(page: Page, counter: str) -> None:
    await open_app(page)
    await type_first_line(page, "// mine")
    session = counter.rpartition("/")[2]
    path = f"{counter.partition('/s/')[0]}/api/sessions/{session}/files/{APP}"
    stored = await page.context.request.get(path)
    about = (await (await page.context.request.get(f"{path.partition('/files/')[0]}")).json())["progress"]["files"]
    (base,) = (file["sha256"] for file in about if file["path"] == APP)
    theirs = await page.context.request.put(
        path,
        data={"content": "// theirs\n" + await stored.text(), "base_sha256": base},
        headers={"origin": counter.partition("/s/")[0]},
    )
    assert theirs.ok, await theirs.text()
    await expect(page.get_by_text("Changed meanwhile")).to_be_visible(timeout=20 * SECONDS)
    await page.get_by_role("button", name="Save").click()
    await page.get_by_role("button", name="Choose").click(timeout=20 * SECONDS)
    dialog = page.get_by_role("dialog", name="Choose between two texts")
    await expect(dialog.get_by_role("textbox")).to_contain_text("mine")
    await look(page)
    await dialog.get_by_role("button", name="Keep mine").click()
    await expect(dialog).to_have_count(0)
    code = page.get_by_role("textbox", name=f"Code of {APP}")
    await expect(code).to_contain_text("// mine", timeout=20 * SECONDS)
    await expect(code).not_to_contain_text("// theirs")
    await expect(page.get_by_role("button", name="Choose")).to_have_count(0)


async def test_a_session_goes_on_from_a_version_of_another(page: Page, counter: str) -> None:
    await page.get_by_role("tab", name="History").click()
    await page.get_by_role("button", name="Fork").click()
    await page.wait_for_url(lambda url: "/s/session-" in url and not url.startswith(counter))
    await reach(page, "Finished", 60)
    await open_app(page)


async def test_an_element_of_the_app_goes_into_the_message(page: Page, counter: str) -> None:
    app = preview(page)
    plus = app.get_by_role("button", name="One more")
    await plus.wait_for(timeout=40 * SECONDS)
    await page.get_by_role("button", name="Pick an element for the message").click()
    await plus.click()
    await expect(page.get_by_role("textbox", name="Message")).to_have_value(
        re.compile(r"In `src/App\.tsx`, line \d+: `<")
    )
    await expect(app.locator("output")).to_have_text("0")
    await page.get_by_role("textbox", name="Message").fill("")
    await page.get_by_role("button", name="Console").click()
    await page.frames[-1].evaluate("console.error('said by the app')")
    await expect(page.get_by_text("said by the app")).to_be_visible()


async def test_a_preview_whose_way_in_was_taken_back_fetches_another(page: Page, counter: str) -> None:
    app = preview(page)
    await app.get_by_role("button", name="One more").click(timeout=40 * SECONDS)
    await expect(app.locator("output")).to_have_text("1")
    frame = page.locator('iframe[title="Preview of the app"]')
    before = await frame.get_attribute("src") or ""
    await page.evaluate("fetch(`/api/sessions/${location.pathname.split('/')[2]}/preview/revoke`, { method: 'POST' })")
    until = time.monotonic() + 60
    while await frame.get_attribute("src") == before and time.monotonic() < until:
        await app.locator("body").evaluate("() => location.reload()")
        await asyncio.sleep(1)
    await expect(frame).not_to_have_attribute("src", before)
    await expect(app.locator("output")).to_have_text("1", timeout=20 * SECONDS)  # as the app keeps it


@pytest.mark.timeout(300)
async def test_a_phase_is_built_anew(page: Page, counter: str, model: Model) -> None:
    def times_written() -> int:
        return sum("implementation" in request.action for request in model.asked(counter.rpartition("/")[2]))

    before = times_written()
    await page.get_by_role("tab", name="Plan").click()
    await page.get_by_role("button", name=re.compile("^Build “.*” anew")).last.click()
    dialog = page.get_by_role("dialog", name=re.compile("anew"))
    await expect(dialog).to_contain_text("every version stays in the history")
    await look(page)
    await dialog.get_by_role("button", name="Build it anew").click()
    await expect(dialog).to_have_count(0, timeout=20 * SECONDS)
    await expect(page.get_by_role("region", name="Phases").locator("[aria-current=step]")).to_be_visible(
        timeout=20 * SECONDS
    )
    await reach(page, "Finished", 90)
    assert times_written() > before


@pytest.mark.timeout(300)
async def test_candidates_are_compared_and_another_one_is_chosen(page: Page) -> None:
    await page.get_by_role("button", name="More", exact=True).click()
    await page.get_by_role("combobox", name="Candidates of a phase").select_option("2")
    await build(page, COUNTER)
    await reach(page, "Finished", 120)
    await page.get_by_role("tab", name="Plan").click()
    first, second = await page.get_by_role("region", name="Candidates").get_by_role("listitem").all()
    await expect(first).to_contain_text("Goes on")
    await expect(second).to_contain_text("79 of 100")
    assert await findings(page) == []
    await second.get_by_role("button", name="Go on with this one").click()
    await expect(second).to_contain_text("Goes on", timeout=30 * SECONDS)
    await expect(first.get_by_role("button", name="Go on with this one")).to_be_visible()
    await reach(page, "Finished", 60)


async def test_it_is_published_and_withdrawn(page: Page, counter: str) -> None:
    await page.get_by_role("button", name="Publish").click()
    dialog = page.get_by_role("dialog", name="Publish")
    await dialog.get_by_role("button", name="Publish", exact=True).click()
    link = dialog.get_by_role("region", name="Published").get_by_role("link").first
    address = await link.get_attribute("href", timeout=60 * SECONDS)
    assert address is not None
    await look(page)
    site = await page.context.new_page()
    await site.goto(address)
    await expect(site.get_by_role("button", name="One more")).to_be_visible(timeout=20 * SECONDS)
    await site.close()
    await dialog.get_by_role("button", name="Withdraw").click()
    await expect(dialog.get_by_text("Withdrawn")).to_be_visible(timeout=30 * SECONDS)


async def test_a_dead_network_comes_back_to_the_same_picture(page: Page, counter: str) -> None:
    await page.get_by_role("tab", name="Plan").click()
    await page.context.set_offline(True)
    await expect(page.get_by_role("status", name="Connection")).to_contain_text("Reconnecting", timeout=10 * SECONDS)
    await page.context.set_offline(False)
    await expect(page.get_by_role("status", name="Connection")).to_have_text("", timeout=20 * SECONDS)
    await reach(page, "Finished")
