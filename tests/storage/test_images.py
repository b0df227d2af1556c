"""Pictures: each belongs to who uploaded it, and to the messages that show it."""

from datetime import UTC, datetime

import pytest

from schemas.session import ChatMessage
from storage.blobs import Blobs
from storage.database import Database
from storage.images import MAX_WAITING, PROMPT, ImageMissing, Images, TooManyImages
from storage.messages import Messages

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def images(database: Database) -> Images:
    return Images(database)


async def test_a_picture_is_its_user_s_and_its_session_s(images: Images, database: Database) -> None:
    first = await images.put("ada", b"1", media_type="image/png", width=2, height=3)
    second = await images.put("ada", b"2", media_type="image/webp", width=4, height=5)
    found = await images.of_user("ada", [second.id, first.id])
    assert [image.id for image in found] == [second.id, first.id]
    assert await Blobs(database).get(found[0].sha256) == b"2"
    with pytest.raises(ImageMissing):
        await images.of_user("bob", [first.id])
    with pytest.raises(ImageMissing):
        await images.of_session("s1", first.id)
    await images.attach("s1", PROMPT, [first])
    assert (await images.of_session("s1", first.id)).width == 2
    with pytest.raises(ImageMissing):
        await images.of_session("s2", first.id)


async def test_a_message_shows_its_pictures_and_after_an_edit_others(images: Images, database: Database) -> None:
    messages = Messages(database)
    one = await images.put("ada", b"1", media_type="image/png", width=1, height=1)
    other = await images.put("ada", b"2", media_type="image/png", width=1, height=1)
    said = ChatMessage(id="m1", role="user", text="look", at=NOW, state="queued", images=[one])
    await messages.follow("s1", said, 1)
    assert (await messages.list("s1"))[0].message.images == [one]
    await messages.follow("s1", said.model_copy(update={"images": [other, one]}), 2)
    await messages.follow("s1", said, 1)  # late
    assert (await messages.list("s1"))[0].message.images == [other, one]
    assert [image.id for image in await images.of_messages("s1", [PROMPT, "m1"])] == [other.id, one.id]


async def test_pictures_that_nobody_sends_are_few_and_go(images: Images, database: Database) -> None:
    for number in range(MAX_WAITING):
        await images.put("ada", b"%d" % number, media_type="image/png", width=1, height=1)
    with pytest.raises(TooManyImages):
        await images.put("ada", b"one more", media_type="image/png", width=1, height=1)
    await images.put("bob", b"one", media_type="image/png", width=1, height=1)
    await database.pool.execute("UPDATE images SET created_at = now() - interval '2 days' WHERE user_id = 'ada'")
    await images.put("ada", b"one more", media_type="image/png", width=1, height=1)
    assert await database.pool.fetchval("SELECT count(*) FROM images WHERE user_id = 'ada'") == 1
