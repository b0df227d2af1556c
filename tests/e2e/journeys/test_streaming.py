"""A file while it is written: a reload in the middle of it finds all that was there before."""

from playwright.async_api import Page, expect

from tests.e2e.journeys.acts import KANBAN, SECONDS, build, reach
from tests.e2e.journeys.conftest import Model

LINES_AT_RELOAD = 6


async def lines(page: Page, least: int) -> list[str]:
    """The lines the editor shows, once the number of the last one is at least this."""
    await page.wait_for_function(
        """least => {
          const editor = document.querySelector('.editor')?.shadowRoot;
          const drawn = '.cm-lineNumbers .cm-gutterElement:not([style*=hidden])';
          const numbers = [...(editor?.querySelectorAll(drawn) ?? [])];
          return Math.max(...numbers.map((number) => Number(number.textContent))) >= least;
        }""",
        arg=least,
        timeout=20 * SECONDS,
    )
    return await page.locator(".cm-line").all_inner_texts()


async def test_a_reload_in_the_middle_of_a_file_finds_all_of_it(page: Page, model: Model) -> None:
    with model.writing(120):
        await build(page, KANBAN)
        await reach(page, "Building")
        await page.get_by_role("tab", name="Code").click()
        code = page.get_by_role("textbox", name="Code of")
        await expect(code).to_be_visible(timeout=20 * SECONDS)
        # Picked by hand, it stays in view also when the work moves on to the next file.
        await page.get_by_role("navigation", name="Files").get_by_role("button", name="being written").click()
        before = await lines(page, LINES_AT_RELOAD)
        name = await code.get_attribute("aria-label")
        await page.reload()
        await lines(page, len(before))
        assert await code.get_attribute("aria-label") == name
        await code.press("Control+Home")
        await expect(page.locator(".cm-line").first).to_have_text(before[0])
        again = await page.locator(".cm-line").all_inner_texts()
        assert again[: len(before) - 1] == before[:-1], "only the last line was still being written"
        await page.get_by_role("button", name="Stop").click()
        await reach(page, "Stopped")
