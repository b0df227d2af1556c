"""What is said on the page: pictures, messages that wait and are changed or taken back, questions and their answers."""

import base64

import pytest
from playwright.async_api import Page, expect

from tests.e2e.journeys.acts import KANBAN, SECONDS, build, reach
from tests.e2e.journeys.conftest import Model, Stich
from tests.e2e.journeys.test_access import findings
from tests.e2e.journeys.test_settings_pages import picture
from tests.replay.scenarios import TOUR

pytestmark = pytest.mark.timeout(240)

KEY = "sk-proj-" + "a1B2" * 10
PASTE = """(box, data) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const clipboardData = new DataTransfer();
  clipboardData.items.add(new File([bytes], "pasted.png", { type: "image/png" }));
  box.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
}"""


async def say(page: Page, text: str) -> None:
    await page.get_by_role("textbox", name="Message").fill(text)
    await page.get_by_role("button", name="Send").click()


async def test_messages_with_pictures_wait_are_changed_and_taken_back(page: Page, model: Model, stich: Stich) -> None:
    talk = page.get_by_role("log", name="Conversation")
    with model.writing(20):
        session_id = await build(page, KANBAN)
        await reach(page, "Building")
        box = page.get_by_role("textbox", name="Message")
        await box.evaluate(PASTE, base64.b64encode(picture()).decode())
        await page.get_by_label("Pictures to add").set_input_files(
            {"name": "sketch.png", "mimeType": "image/png", "buffer": picture()}
        )
        pictures = page.get_by_role("list", name="Pictures of the message")
        await expect(pictures.get_by_role("img")).to_have_count(2)
        await say(page, "Add dark mode, like this")
        await expect(pictures).to_have_count(0)
        sent = talk.get_by_role("listitem").filter(has_text="Add dark mode, like this")
        await expect(sent.get_by_role("img").first).to_have_js_property("naturalWidth", 320, timeout=20 * SECONDS)

        await sent.get_by_role("button", name="Edit the message").click()
        await talk.get_by_role("textbox", name="The message").fill("Add dark mode, like that")
        assert await findings(page) == []
        await talk.get_by_role("button", name="Save the message").click()
        changed = talk.get_by_role("listitem").filter(has_text="Add dark mode, like that")
        await expect(changed.get_by_role("img")).to_have_count(2)
        await say(page, f"And a night mode, with {KEY}")
        mistake = talk.get_by_role("listitem").filter(has_text="And a night mode, with [removed: OpenAI key")
        await page.get_by_role("button", name="Store it under your keys").click()
        offered = page.get_by_role("dialog", name="Add a key")
        await expect(offered.get_by_role("combobox", name="Provider")).to_have_value("openai")
        await expect(offered.get_by_label("Key", exact=True)).to_have_value(KEY)
        await page.keyboard.press("Escape")
        await mistake.get_by_role("button", name="Withdraw the message").click()
        await expect(mistake).to_contain_text("Withdrawn", timeout=20 * SECONDS)

        await page.reload()
        await expect(changed.get_by_role("img").last).to_have_js_property("naturalWidth", 320, timeout=20 * SECONDS)
        await expect(mistake).to_contain_text("Withdrawn")
        await expect(mistake.get_by_role("button")).to_have_count(0)
        await page.get_by_role("button", name="Stop").click()
        await reach(page, "Stopped")
    answers = [request for request in model.asked(session_id) if request.action == "conversation"]
    assert max(request.pictures for request in answers) == 2


async def test_a_question_is_answered_by_a_press(page: Page) -> None:
    await page.get_by_role("combobox", name="Mode").select_option("smart")
    await build(page, TOUR)
    await reach(page, "Waiting for you", 120)
    await expect(page.get_by_role("group", name="What happens now")).to_contain_text("It waits for your answer")
    options = page.get_by_role("group", name="Answers to choose from")
    await expect(options.get_by_role("button")).to_have_text(["teal", "rose"])
    assert await findings(page) == []
    await page.reload()
    await options.get_by_role("button", name="teal").click()
    talk = page.get_by_role("log", name="Conversation")
    await expect(talk.get_by_text("teal", exact=True)).to_be_visible()
    await expect(options).to_have_count(0)
    await reach(page, "Finished", 90)
    await page.get_by_role("tab", name="Problems").click()
    commands = page.get_by_role("region", name="Commands in the sandbox")
    await commands.get_by_role("button", name="grep -rn useTally src").click()
    await expect(commands.locator("pre")).to_contain_text("src/App.tsx")
