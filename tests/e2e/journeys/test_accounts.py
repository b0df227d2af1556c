"""Where people have accounts: signing up, sessions for several, and budgets that end and are raised."""

import re
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, expect

from tests.e2e.journeys.acts import SECONDS, build, reach
from tests.e2e.journeys.conftest import Model
from tests.e2e.journeys.house import PASSWORD, House, house_of
from tests.e2e.journeys.test_access import findings, look

PROMPT = "Build a simple counter app"

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
async def house(model: Model, browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house_of(tmp_path_factory.mktemp("house"), model, browser) as house:
        yield house


async def test_from_a_prompt_over_the_sign_up_to_an_app(house: House) -> None:
    async with house.nobody() as page:
        await page.goto(house.origin)
        await look(page)
        await page.get_by_role("textbox", name="Describe the app").fill(PROMPT)
        await page.get_by_role("button", name="Sign up and build it").click()
        await page.get_by_label("Name").fill("Ada")
        await page.get_by_label("E-mail address").fill("ada@example.org")
        await page.get_by_label("New password").fill(PASSWORD)
        await look(page)
        await page.get_by_role("button", name="Make the account").click()
        await expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()

        # The mail opens in a tab of its own.
        tab = await page.context.new_page()
        await tab.goto(house.origin + await house.mailed("ada@example.org", "verify"))
        await tab.get_by_role("button", name="Confirm the address").click()
        await expect(tab.get_by_role("status")).to_contain_text("Your address is confirmed")
        await tab.get_by_label("E-mail address").fill("ada@example.org")
        await tab.get_by_label("Password").fill("not the password")
        await tab.get_by_role("button", name="Sign in").click()
        await expect(tab.get_by_role("alert")).to_contain_text("wrong")
        await tab.get_by_label("Password").fill(PASSWORD)
        await tab.get_by_role("button", name="Sign in").click()
        await expect(tab.get_by_role("textbox", name="Describe the app")).to_have_value(PROMPT)
        await tab.get_by_role("button", name="Build it").click()
        await reach(tab, "Finished", 120)

        await tab.goto(f"{house.origin}/account")
        await expect(tab.get_by_role("list", name="Devices")).to_contain_text("This device")
        await look(tab)
        await expect(tab.get_by_role("navigation", name="Pages").get_by_role("link", name="Operators")).to_have_count(0)
        await tab.goto(f"{house.origin}/operators")
        await expect(tab.get_by_role("heading", name="This page is for operators")).to_be_visible()

        await tab.goto(f"{house.origin}/account")
        await tab.get_by_role("button", name="Sign out").click()
        await expect(tab.get_by_role("heading", name="Sign in to stich")).to_be_visible(timeout=10 * SECONDS)
        await tab.goto(house.origin)
        await expect(tab.get_by_role("textbox", name="Describe the app")).to_have_value("")


async def share(page: Page, what: str) -> None:
    """Open the dialog and choose what people may do."""
    await page.get_by_role("button", name="Share", exact=True).click()
    await page.get_by_role("dialog", name="Share").get_by_role("combobox").select_option(label=what)


async def test_a_session_is_shared_and_everybody_sees_who_is_there(house: House) -> None:
    async with house.person("Grace") as grace, house.person("Hedy") as hedy, house.person("Joan") as joan:
        await build(grace, PROMPT)
        await share(grace, "Can look and write")
        dialog = grace.get_by_role("dialog", name="Share")
        await dialog.get_by_role("button", name="Make a link").click()
        link = await dialog.locator("code").inner_text()
        await dialog.get_by_role("combobox").select_option(label="Can look")
        await dialog.get_by_label("Address of a person").fill("joan@example.org")
        await dialog.get_by_role("button", name="Share", exact=True).click()
        await expect(dialog.get_by_role("region", name="Shared with")).to_contain_text("Joan")
        await look(grace)
        await grace.keyboard.press("Escape")

        await hedy.goto(link)
        await hedy.get_by_role("button", name="Open the app").click()
        await hedy.wait_for_url(re.compile("/s/session-"))
        await expect(grace.get_by_role("list", name=re.compile("Here now: .*Hedy"))).to_be_visible(timeout=20 * SECONDS)
        await expect(hedy.get_by_role("button", name="May write: a session of Grace")).to_be_visible()
        for name in ("Publish", "Share", "Stop"):
            await expect(hedy.get_by_role("button", name=name, exact=True)).to_have_count(0)
        await hedy.get_by_role("textbox", name="Message").fill("What can you do?")
        await hedy.get_by_role("button", name="Send").click()
        said = grace.get_by_role("log", name="Conversation").get_by_role("listitem").filter(has_text="What can you do?")
        await expect(said).to_contain_text("Hedy", timeout=20 * SECONDS)
        assert await findings(hedy) == []

        await joan.goto(f"{house.origin}/account")
        await joan.get_by_role("region", name="Shared with you").get_by_role("link").first.click()
        await expect(joan.get_by_text("without the right to write messages")).to_be_visible()
        await expect(joan.get_by_role("textbox", name="Message")).to_have_count(0)
        assert await findings(joan) == []

        await share(grace, "Can look")
        await dialog.get_by_role("button", name="End it").click()
        await expect(hedy.get_by_role("heading", level=1)).to_contain_text("no session", timeout=30 * SECONDS)
        await grace.keyboard.press("Escape")
        await reach(grace, "Finished", 120)


async def test_another_provider_goes_on_and_the_page_says_why(house: House, model: Model) -> None:
    house.gateway.down.add("openai")
    try:
        async with house.person("Barbara") as page:
            with model.pace(40):
                await build(page, PROMPT)
                now = page.get_by_role("group", name="What happens now")
                await expect(now).to_contain_text("OpenAI is overloaded", timeout=40 * SECONDS)
                await expect(now).to_contain_text("It goes on at OpenRouter, with the same model.")
                await page.get_by_role("button", name="Stop").click()
                await reach(page, "Stopped")
    finally:
        house.gateway.down.clear()


async def test_a_server_of_ones_own_is_added_tried_and_chosen(house: House) -> None:
    async with house.person("Radia") as page:
        await page.goto(f"{house.origin}/models")
        servers = page.get_by_role("region", name="Your own servers")
        await servers.get_by_role("button", name="Add a server").click()
        form = servers.get_by_role("form", name="Server")
        await form.get_by_label("Name").fill("Lab")
        await form.get_by_label("Address").fill(f"{house.gateway.url}/lab")
        await form.get_by_label("Models").fill("small")
        assert await findings(page) == []
        await form.get_by_role("button", name="Store the server").click()
        test = servers.get_by_role("button", name="Test Lab")
        await test.click()
        await expect(servers.get_by_role("status")).to_contain_text("answered in", timeout=30 * SECONDS)
        house.gateway.down.add("lab")
        try:
            await test.click()
            await expect(servers.get_by_role("status")).to_contain_text("overloaded", timeout=30 * SECONDS)
        finally:
            house.gateway.down.clear()
        await page.get_by_role("button", name="Change Conversation").click()
        action = page.get_by_role("form", name="Conversation")
        await action.get_by_role("combobox", name="Model", exact=True).select_option("lab/small")
        await action.get_by_role("button", name="Save").click()
        row = page.get_by_role("list", name="Actions").get_by_role("listitem").filter(has_text="Conversation")
        await expect(row).to_contain_text("lab/small")


async def test_an_account_is_deleted_with_all_that_is_in_it(house: House) -> None:
    async with house.person("Ida") as page:
        await page.goto(f"{house.origin}/account")
        await page.get_by_role("button", name="Delete the account").click()
        dialog = page.get_by_role("dialog", name="Delete your account?")
        await dialog.get_by_label("Your password").fill("not the password")
        await dialog.get_by_role("button", name="Delete the account").click()
        await expect(dialog.get_by_role("alert")).to_contain_text("wrong")
        await look(page)
        await dialog.get_by_label("Your password").fill(PASSWORD)
        await dialog.get_by_role("button", name="Delete the account").click()
        await expect(page.get_by_role("button", name="Sign up and build it")).to_be_visible(timeout=20 * SECONDS)
        await page.goto(f"{house.origin}/sign-in")
        await page.get_by_label("E-mail address").fill("ida@example.org")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("alert")).to_contain_text("wrong")


async def test_a_budget_ends_is_raised_and_the_work_goes_on(house: House) -> None:
    async with house.person("Mary") as page:
        await page.goto(f"{house.origin}/usage")
        await page.get_by_role("region", name="Budgets").get_by_role("button", name="Change").click()
        form = page.get_by_role("form", name="Budgets")
        await form.get_by_label("Each app, US$").fill("0.01")
        await form.get_by_role("button", name="Save the budgets").click()
        await expect(page.get_by_role("list", name="Budgets")).to_contain_text("$0.01")
        await page.goto(house.origin)
        await build(page, PROMPT)
        await reach(page, "Over budget", 60)
        now = page.get_by_role("group", name="What happens now")
        await expect(now).to_contain_text("budget")
        await expect(page.get_by_role("log", name="Conversation")).to_contain_text("The session's budget is used up")
        assert await findings(page) == []
        await page.reload()
        await now.get_by_label("Raise the limit of this session to").fill("50")
        await now.get_by_role("button", name="Set").click()
        await reach(page, "Finished", 120)
        await page.get_by_role("button", name="Usage:").click()
        usage = page.get_by_role("dialog", name="Usage")
        await expect(usage).to_contain_text("of $50.00")
        await expect(usage.get_by_role("region", name="By phase and message")).to_contain_text("$0.0")
        assert await findings(page) == []
