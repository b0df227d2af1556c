"""Where people have accounts: a prompt typed before the sign-up is built after it."""

import asyncio
import re
import time
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.e2e.journeys.conftest import Model, Stich, running
from tests.e2e.journeys.test_access import look
from tests.e2e.journeys.test_page import SECONDS, reach

PROMPT = "Build a simple counter app"
PASSWORD = "correct horse battery"


async def mailed(stich: Stich, what: str) -> str:
    """The address in the newest mail that the terminal showed, without the host."""
    deadline = time.monotonic() + 30
    while not (found := re.findall(rf"/sign-in#{what}=\S+", stich.up.output)):
        assert time.monotonic() < deadline, "no mail came"
        await asyncio.sleep(0.2)
    return found[-1]


@pytest.mark.timeout(240)
async def test_from_a_prompt_over_the_sign_up_to_an_app(browser: Browser, model: Model, tmp_path: Path) -> None:
    async with running(tmp_path, model, STICH_AUTH="accounts") as stich:
        origin = stich.at.local_url
        context = await browser.new_context(viewport={"width": 1280, "height": 800})
        page = await context.new_page()
        await page.goto(origin)
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
        tab = await context.new_page()
        await tab.goto(origin + await mailed(stich, "verify"))
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

        await tab.goto(f"{origin}/account")
        await expect(tab.get_by_role("list", name="Devices")).to_contain_text("This device")
        await look(tab)
        await expect(tab.get_by_role("navigation", name="Pages").get_by_role("link", name="Operators")).to_have_count(0)
        await tab.goto(f"{origin}/operators")
        await expect(tab.get_by_role("heading", name="This page is for operators")).to_be_visible()

        await tab.goto(f"{origin}/account")
        await tab.get_by_role("button", name="Sign out").click()
        await expect(tab.get_by_role("heading", name="Sign in to stich")).to_be_visible(timeout=10 * SECONDS)
        await tab.goto(origin)
        await expect(tab.get_by_role("textbox", name="Describe the app")).to_have_value("")
        await context.close()
