"""Pictures of prompts and messages on their way to a model, and what becomes of them where it reads none."""

import base64
from datetime import UTC, datetime
from io import BytesIO

from PIL import Image
from pydantic import SecretStr

from activities.conversation import ConversationActivities
from activities.images import MAX_SIDE
from activities.phase_generation import PhaseGenerationActivities
from inference import Inference
from inference.settings import InferenceSettings, ProviderSettings
from schemas.operations import PhaseGenerationInput
from schemas.session import ImageRef, QueuedMessage
from schemas.tool_turns import ConversationInput
from storage.images import PROMPT, Images
from tests.activities.conftest import ModelRooms
from tests.inference.conftest import KEY, shared_client

AT = datetime(2026, 1, 1, tzinfo=UTC)


async def picture(rooms: ModelRooms, size: tuple[int, int] = (4, 3), mode: str = "RGB") -> tuple[ImageRef, bytes]:
    out = BytesIO()
    Image.new(mode, size, "red").save(out, "PNG")
    images = Images(rooms.rooms.database)
    stored = await images.put("local", out.getvalue(), media_type="image/png", width=size[0], height=size[1])
    return stored, out.getvalue()


def shown(rooms: ModelRooms) -> list[str]:
    """The addresses of the pictures in the last request."""
    parts = rooms.server.seen[-1].body["messages"][-1]["content"]
    assert isinstance(parts, str | list)
    return [] if isinstance(parts, str) else [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]


async def ask(rooms: ModelRooms, image: ImageRef) -> None:
    await Images(rooms.rooms.database).attach("s1", "m1", [image])
    message = QueuedMessage(id="m1", text="Like this", author="local", at=AT, images=[image])
    given = ConversationInput(**rooms.common("message-m1", "conversation"), message=message, situation="At work.")
    await rooms.run(ConversationActivities(rooms.rooms).answer, given)


async def test_a_message_shows_its_picture(model_rooms: ModelRooms) -> None:
    image, content = await picture(model_rooms)
    model_rooms.says("I see.")
    await ask(model_rooms, image)
    assert shown(model_rooms) == [f"data:image/png;base64,{base64.b64encode(content).decode()}"]


async def test_a_large_picture_is_made_smaller(model_rooms: ModelRooms) -> None:
    image, _ = await picture(model_rooms, (2 * MAX_SIDE, 100), "RGBA")
    model_rooms.says("I see.")
    await ask(model_rooms, image)
    kind, _, data = shown(model_rooms)[0].partition(",")
    assert kind == "data:image/jpeg;base64"
    with Image.open(BytesIO(base64.b64decode(data))) as sent:
        assert sent.size == (MAX_SIDE, 50)


async def test_a_plan_shows_those_of_the_prompt_and_of_its_messages(model_rooms: ModelRooms) -> None:
    first, one = await picture(model_rooms)
    second, other = await picture(model_rooms, (5, 5))
    await Images(model_rooms.rooms.database).attach("s1", PROMPT, [first])
    await Images(model_rooms.rooms.database).attach("s1", "m1", [second])
    await model_rooms.put()
    model_rooms.says('{"name": "Next", "files": [{"path": "src/App.tsx"}]}')
    given = PhaseGenerationInput(
        **model_rooms.common("phase-2/plan", "phase_generation"),
        phase_id="phase-2",
        template="react-vite",
        done=[],
        message_ids=["m1"],
        remaining=1,
    )
    await model_rooms.run(PhaseGenerationActivities(model_rooms.rooms).plan, given)
    sent = [base64.b64decode(url.partition(",")[2]) for url in shown(model_rooms)]
    assert sent == [one, other]


async def test_a_model_that_reads_none_is_not_sent_any_and_the_user_knows(model_rooms: ModelRooms) -> None:
    provider = ProviderSettings(base_url=model_rooms.server.url("answers"), key=SecretStr(KEY))
    settings = InferenceSettings(providers={"groq": provider}, model="openai/gpt-oss-120b")
    model_rooms.rooms.inference = Inference(settings, client=shared_client())
    image, _ = await picture(model_rooms)
    model_rooms.says("I work from the words.")
    await ask(model_rooms, image)
    assert shown(model_rooms) == []
    said = [event["message"] for event in await model_rooms.events("message")]
    assert [(turn["role"], "reads no pictures" in turn["text"]) for turn in said] == [
        ("notice", True),
        ("assistant", False),
    ]
