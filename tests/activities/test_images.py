"""Pictures of a prompt: whole out of storage, behind the words, for whoever has none nothing changes."""

import base64

import pytest

from activities.images import image_of, with_images
from schemas.inference import ImagePart, Message, TextPart
from storage.blobs import BlobMissing, Blobs
from storage.database import Database


class Stored:
    def __init__(self, database: Database) -> None:
        self.database = database


async def test_a_stored_picture_is_read_whole(database: Database) -> None:
    content = bytes(range(256)) * 40
    sha256 = await Blobs(database).put(content)
    image = await image_of(Stored(database), sha256, "image/webp")  # type: ignore[arg-type]
    assert image.data is not None
    assert (base64.b64decode(image.data), image.media_type) == (content, "image/webp")
    with pytest.raises(BlobMissing):
        await image_of(Stored(database), "0" * 64, "image/png")  # type: ignore[arg-type]


def test_pictures_come_after_the_words_of_the_last_message() -> None:
    messages = (Message(role="system", content="Rules."), Message(role="user", content="See."))
    first, second = ImagePart(data="AA"), ImagePart(data="BB")
    assert with_images(messages, []) == messages
    system, user = with_images(messages, [first])
    assert (system, user.content) == (messages[0], (TextPart(text="See."), first))
    assert with_images((system, user), [second])[1].content == (TextPart(text="See."), first, second)
