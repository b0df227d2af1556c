"""The pages beside the sessions, in a real browser: start page, models and keys, usage, account, operators."""

import re
from io import BytesIO
from zipfile import ZipFile

from PIL import Image
from playwright.async_api import Page, expect

from schemas.http import CreateSession
from tests.e2e.journeys.acts import COUNTER, KANBAN, SECONDS, preview, reach
from tests.e2e.journeys.conftest import Model, Stich
from tests.e2e.journeys.test_access import look


def picture() -> bytes:
    file = BytesIO()
    Image.new("RGB", (320, 200), "teal").save(file, "PNG")
    return file.getvalue()


async def go(page: Page, name: str) -> None:
    await page.get_by_role("navigation", name="Pages").get_by_role("link", name=name).click()
    await expect(page.get_by_role("navigation", name="Pages").get_by_role("link", name=name)).to_have_attribute(
        "aria-current", "page"
    )


async def test_an_example_with_a_picture_survives_a_reload_and_becomes_a_working_preview(
    page: Page, stich: Stich
) -> None:
    await page.get_by_role("list", name="Examples").get_by_role("button", name=COUNTER).click()
    await page.locator("input[type=file]").set_input_files(
        {"name": "sketch.png", "mimeType": "image/png", "buffer": picture()}
    )
    pictures = page.get_by_role("list", name="Pictures of the prompt").get_by_role("img")
    await expect(pictures).to_have_js_property("naturalWidth", 320)
    await page.get_by_role("button", name="More", exact=True).click()
    await page.get_by_role("combobox", name="Review rounds").select_option("1")
    await page.reload()
    await expect(page.get_by_role("textbox", name="Describe the app")).to_have_value(COUNTER)
    await expect(pictures).to_have_js_property("naturalWidth", 320)
    await expect(page.get_by_role("combobox", name="Review rounds")).to_have_value("1")
    await look(page)
    await page.get_by_role("button", name="Build it").click()
    await page.wait_for_url(re.compile("/s/session-"))
    session_id = page.url.rpartition("/")[2]
    await reach(page, "Finished", 120)
    await expect(page.get_by_text("Demo model").first).to_be_visible()
    app = preview(page)
    await app.get_by_role("button", name="One more").click(timeout=20 * SECONDS)
    await expect(app.locator("output")).to_have_text("1")
    snapshot = await (await page.request.get(f"{stich.at.local_url}/api/sessions/{session_id}")).json()
    assert [image["width"] for image in snapshot["progress"]["images"]] == [320]
    await page.get_by_role("link", name="stich, start page").click()
    await expect(page.get_by_role("textbox", name="Describe the app")).to_have_value("")
    apps = page.get_by_role("region", name="Your apps")
    card = apps.get_by_role("listitem").filter(has=page.locator(f'a[href="/s/{session_id}"]'))
    await expect(card.locator("img")).to_have_js_property("naturalWidth", 1280)
    await apps.get_by_role("searchbox", name="Search your apps").fill("no such app anywhere")
    await expect(apps.get_by_role("status")).to_contain_text("None of your apps fits")
    await apps.get_by_role("button", name="Show all").click()
    await expect(card).to_be_visible()


async def test_a_key_that_does_not_work_is_not_stored_and_loses_nothing(page: Page) -> None:
    await page.get_by_role("textbox", name="Describe the app").fill("An idea of my own")
    await page.get_by_role("complementary", name="Demo").get_by_role("button", name="Add a key").click()
    dialog = page.get_by_role("dialog", name="Add a key")
    await dialog.get_by_label("Key", exact=True).fill("gsk_" + "a1" * 26)
    await expect(dialog.get_by_role("combobox", name="Provider")).to_have_value("groq")
    await dialog.get_by_role("button", name="Try and store the key").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("not stored", timeout=40 * SECONDS)
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("textbox", name="Describe the app")).to_have_value("An idea of my own")
    await page.get_by_role("button", name="Build it").click()
    await reach(page, "Failed")
    await page.get_by_role("button", name="Demo model").click()
    for way in (page.get_by_role("dialog", name="Demo model"), page.get_by_role("log", name="Conversation")):
        await way.get_by_role("button", name="Add a key").click()
        await expect(dialog.get_by_label("Key", exact=True)).to_be_visible()
        await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Take the prompt to the start page").click()
    await expect(page.get_by_role("textbox", name="Describe the app")).to_have_value("An idea of my own")


async def test_an_action_is_tried_changed_and_reset(page: Page) -> None:
    await go(page, "Models")
    await expect(page.get_by_role("region", name="Provider keys")).to_contain_text("You have stored no key")
    await page.get_by_role("button", name="Change Code review").click()
    form = page.get_by_role("form", name="Code review")
    await form.get_by_role("button", name="Test").click()
    await expect(form.get_by_role("status")).to_contain_text("demo model", timeout=20 * SECONDS)
    await form.get_by_role("combobox", name="Thinking").select_option("high")
    await form.get_by_label("Temperature").fill("0.7")
    await form.get_by_role("button", name="Save").click()
    row = page.get_by_role("list", name="Actions").get_by_role("listitem").filter(has_text="Looks over the whole app")
    await expect(row).to_contain_text("Changed")
    await page.reload()
    await expect(row).to_contain_text("Changed")
    await look(page)
    await page.get_by_role("button", name="Change Code review").click()
    await expect(form.get_by_label("Temperature")).to_have_value("0.7")
    await form.get_by_role("button", name="Reset").click()
    await expect(row).not_to_contain_text("Changed")


async def test_usage_as_a_chart_and_a_table_and_a_budget(page: Page) -> None:
    await go(page, "Usage")
    days = page.get_by_role("region", name="Day by day")
    await days.get_by_role("button", name="Tokens").click()
    await expect(days.get_by_role("img", name=re.compile("Tokens by day: .*k"))).to_be_visible(timeout=20 * SECONDS)
    await days.get_by_role("button", name="As a table").click()
    await expect(days.get_by_role("row")).to_have_count(2)
    await page.get_by_role("region", name="Budgets").get_by_role("button", name="Change").click()
    form = page.get_by_role("form", name="Budgets")
    await form.get_by_label("Today, US$").fill("7.50")
    await form.get_by_role("button", name="Save the budgets").click()
    await expect(page.get_by_role("list", name="Budgets")).to_contain_text("of $7.50")
    await look(page)
    await page.get_by_role("region", name="Budgets").get_by_role("button", name="Change").click()
    await form.get_by_label("Today, US$").fill("")
    await form.get_by_role("button", name="Save the budgets").click()
    await expect(page.get_by_role("list", name="Budgets")).not_to_contain_text("of $7.50")


async def test_an_api_key_is_shown_once_works_and_is_revoked(page: Page, stich: Stich) -> None:
    await go(page, "Account")
    await page.get_by_role("button", name="New key").click()
    form = page.get_by_role("form", name="New API key")
    await form.get_by_label("Name").fill("Nightly")
    await form.get_by_label("Build").uncheck()
    await form.get_by_role("button", name="Make the key").click()
    key = await page.get_by_role("status", name="The new key").locator("code").inner_text()
    await look(page)
    headers = {"Authorization": f"Bearer {key}"}
    about = f"{stich.at.local_url}/api/about"
    assert (await page.request.get(about, headers=headers)).status == 200
    await page.reload()
    await expect(page.get_by_role("list", name="API keys")).to_contain_text("Nightly")
    await expect(page.get_by_text(key)).to_have_count(0)
    await page.get_by_role("button", name="Revoke Nightly").click()
    await page.get_by_role("dialog", name="Revoke Nightly?").get_by_role("button", name="Revoke").click()
    await expect(page.get_by_text("Nightly")).to_have_count(0)
    assert (await page.request.get(about, headers=headers)).status == 401


async def test_a_program_is_told_what_happens_and_all_data_are_taken_along(page: Page) -> None:
    await go(page, "Account")
    section = page.get_by_role("region", name="Notifications")
    await section.get_by_role("button", name="Add an address").click()
    form = section.get_by_role("form", name="New address")
    await form.get_by_label("Address").fill("https://program.invalid/told-by-stich")
    await form.get_by_label("Money").check()
    await form.get_by_role("button", name="Add the address").click()
    await expect(section.get_by_role("status", name="The new secret").locator("code")).to_contain_text("whsec_")
    await section.get_by_role("button", name="I have it").click()
    addresses = section.get_by_role("list", name="Addresses")
    await expect(addresses).to_contain_text("It waits for me, Money")
    await addresses.get_by_role("button", name="Test").click()
    await expect(addresses.get_by_role("status")).to_contain_text("not delivered", timeout=30 * SECONDS)
    await addresses.get_by_role("button", name="Deliveries").click()
    await expect(addresses.get_by_role("table")).to_contain_text("test")
    await look(page)
    await addresses.get_by_role("button", name="Change").click()
    await addresses.get_by_label("Money").uncheck()
    await addresses.get_by_label("Every file").check()
    await addresses.get_by_role("button", name="Save what it is told").click()
    await expect(addresses).to_contain_text("It waits for me, Every file")
    await addresses.get_by_role("button", name="Delete").click()
    await page.get_by_role("dialog", name="Delete this address?").get_by_role("button", name="Delete").click()
    await expect(addresses).to_have_count(0)
    github = page.get_by_role("region", name="GitHub")
    await github.get_by_role("button", name="Add a token").click()
    await github.get_by_label("Token", exact=True).fill("ghp_" + "a1" * 18)
    await look(page)
    await github.get_by_role("button", name="Try and store the token").click()
    await expect(github.get_by_role("alert")).to_contain_text("GitHub", timeout=30 * SECONDS)
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Download everything").click()
    assert (await download.value).suggested_filename.endswith(".zip")
    assert {"README.txt", "account/profile.jsonl"} <= set(ZipFile(await (await download.value).path()).namelist())


async def test_operators_see_who_builds_what(page: Page, model: Model, stich: Stich) -> None:
    async with stich.client() as client:
        with model.pace(60):
            session = await client.start(CreateSession(prompt=KANBAN), "seen-by-operators")
            await go(page, "Operators")
            sessions = page.get_by_role("region", name="Sessions", exact=True)
            workflow = sessions.get_by_role("link", name="Open the workflow of").first
            await expect(workflow).to_have_attribute("href", re.compile(f"/workflows/{session.id}$"))
            await expect(page.get_by_role("list", name="Users")).to_contain_text("You")
            await expect(page.get_by_role("region", name="Table of acts")).to_be_visible()
            await look(page)
            await client.stop(session.id)


async def test_everything_is_a_key_away(page: Page) -> None:
    await page.keyboard.press("Control+k")
    palette = page.get_by_role("dialog", name="Commands")
    await expect(palette.get_by_role("combobox")).to_be_focused()
    await page.keyboard.type("catalogue")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("region", name="Catalogue")).to_be_in_viewport()
    await expect(page.get_by_role("table", name="Models and prices")).to_be_in_viewport()
    assert page.url.endswith("/models#catalogue")
