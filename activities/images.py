"""Pictures for models that see: out of storage, behind the words of a prompt."""

import base64
from collections.abc import Iterable, Sequence

from activities.context import Rooms
from schemas.inference import ImagePart, Message, TextPart
from storage.blobs import Blobs


async def image_of(rooms: Rooms, sha256: str, media_type: str) -> ImagePart:
    """A stored picture as a part of a message. Raises BlobMissing."""
    content = await Blobs(rooms.database).get(sha256)
    return ImagePart(media_type=media_type, data=base64.b64encode(content).decode())


def with_images(messages: Sequence[Message], images: Iterable[ImagePart]) -> tuple[Message, ...]:
    """The messages with `images` behind the text of the last one: what is stable stays in front."""
    shown = tuple(images)
    if not shown:
        return tuple(messages)
    last = messages[-1]
    words = (TextPart(text=last.content),) if isinstance(last.content, str) else last.content
    return (*messages[:-1], last.model_copy(update={"content": (*words, *shown)}))
