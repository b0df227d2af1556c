"""The pictures of the README, taken from the real page while the demo model builds: `python -m tests.e2e.pictures`."""

import asyncio
import re
import tempfile
from io import BytesIO
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.async_api import Page, async_playwright, expect

from sandbox.machine import browser_path
from tests.e2e.journeys.conftest import FLAGS, Model, Stich, running
from tests.stich.demo_server import demo

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
SIZE = {"width": 1280, "height": 800}
MOST_BYTES = 120_000
COLOURS = 256
MINUTE = 60_000
COUNTER = "Build a simple counter app"
BOARD = "Build a kanban board with drag and drop, labels, due dates and search"


async def main() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="stich-pictures-") as folder:
        async with demo() as (server, client), async_playwright() as driver:
            model = Model(server, str(client.base_url).rstrip("/"))
            browser = await driver.chromium.launch(executable_path=browser_path(), args=FLAGS)
            async with running(Path(folder), model) as stich:
                context = await browser.new_context(viewport=SIZE, color_scheme="light")  # type: ignore[arg-type]
                await take_all(await context.new_page(), stich, model)
            await browser.close()


async def take_all(page: Page, stich: Stich, model: Model) -> None:
    await page.goto(stich.url)
    await build(page, COUNTER)
    await state(page, "Finished")
    await page.get_by_role("link", name="stich, start page").click()
    with model.pace(150):
        await build(page, BOARD)
        await state(page, "Building")
        await page.get_by_role("tab", name="Code").click()
        await expect(page.get_by_role("button", name=", new").nth(3)).to_be_visible(timeout=MINUTE)
        await take_writing(page, "light", "writing")
        await take_writing(page, "dark", "writing-dark")
        await page.emulate_media(color_scheme="light")
    await state(page, "Finished")
    await page.get_by_role("textbox", name="Message").fill("add dark mode")
    await page.get_by_role("button", name="Send").click()
    await expect(page.get_by_role("status", name="State")).not_to_contain_text("Finished", timeout=MINUTE)
    await state(page, "Finished")
    await page.get_by_role("tab", name="Preview").click()
    board = page.frame_locator('iframe[title="Preview of the app"]')
    await expect(board.get_by_role("button").first).to_be_visible(timeout=MINUTE)
    await page.wait_for_timeout(1_000)
    await take(page, "preview")
    await page.get_by_role("tab", name="Plan").click()
    await expect(page.get_by_role("list", name="Pictures of the app").first).to_be_visible()
    await page.wait_for_load_state("networkidle")
    await take(page, "plan")
    await page.get_by_role("tab", name="History").click()
    await page.get_by_role("region", name="Versions").get_by_role("button", name=re.compile("^Dark mode")).click()
    changes = page.get_by_role("region", name="Changes")
    await changes.get_by_role("button", name=re.compile("App.tsx")).click()
    await expect(changes.locator(".cm-line").first).to_be_visible()
    await take(page, "history")
    await page.get_by_role("link", name="stich, start page").click()
    await expect(page.get_by_role("region", name="Your apps").get_by_role("link").nth(1)).to_be_visible()
    await page.wait_for_load_state("networkidle")
    await take(page, "home")
    await page.get_by_role("navigation", name="Pages").get_by_role("link", name="Usage").click()
    # The demo model costs nothing.
    await page.get_by_role("region", name="Day by day").get_by_role("button", name="Tokens").click()
    await expect(page.get_by_role("heading", name="Where it went")).to_be_visible()
    await page.wait_for_load_state("networkidle")
    await take(page, "usage")


async def take_writing(page: Page, theme: Literal["light", "dark"], name: str) -> None:
    """A picture of a file of some length while it is written."""
    await page.emulate_media(color_scheme=theme)
    number = page.locator(".cm-gutterElement", has_text=re.compile(r"^[3-7]\d$")).first
    await expect(number).to_be_visible(timeout=MINUTE)
    await take(page, name)


async def build(page: Page, prompt: str) -> None:
    await page.get_by_role("textbox", name="Describe the app").fill(prompt)
    await page.get_by_role("button", name="Build it").click()
    await page.wait_for_url(re.compile("/s/session-"))


async def state(page: Page, words: str) -> None:
    await expect(page.get_by_role("status", name="State")).to_contain_text(words, timeout=3 * MINUTE)


async def take(page: Page, name: str) -> None:
    path = PICTURES / f"{name}.png"
    taken = Image.open(BytesIO(await page.screenshot(animations="disabled"))).convert("RGB")
    # Of few colours, the file is half as large and looks the same.
    taken.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    size = path.stat().st_size
    print(f"{path.relative_to(PICTURES.parents[1])} {size // 1_000} KB")
    assert size <= MOST_BYTES, f"{path.name} is larger than {MOST_BYTES} bytes"


if __name__ == "__main__":
    asyncio.run(main())
