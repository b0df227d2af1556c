"""Pictures for models that see: out of storage, behind the words of a prompt."""

import asyncio
import base64
from collections.abc import Iterable, Sequence
from io import BytesIO
from typing import Final

from PIL import Image

from activities.context import Rooms
from activities.step import Step
from schemas.inference import ActionKey, ImagePart, Message, TextPart
from schemas.session import ChatMessage
from storage.blobs import Blobs
from storage.images import Images, StoredImage

MAX_PICTURES: Final = 8  # of one call, the newest
MAX_SIDE: Final = 1_568  # pixels; providers scale larger ones down themselves, or refuse them
MAX_BYTES: Final = 3_000_000  # base64 makes 4 MB of them; the smallest limit of a provider is 5


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


async def pictures(step: Step, action: ActionKey, message_ids: Sequence[str]) -> tuple[ImagePart, ...]:
    """The pictures of messages (`PROMPT` for the first prompt) for the model that serves `action`.

    A model that reads no pictures gets none, and the user is told so.
    """
    shown = (await Images(step.rooms.database).of_messages(step.session_id, message_ids))[-MAX_PICTURES:]
    if not shown:
        return ()
    if not await step.reads_images(action):
        model, _ = await step.serves(action)
        await step.say(
            ChatMessage(
                id=f"{step.id}-pictures"[:200],
                role="notice",
                text=f"The model {model} reads no pictures: it works from the words alone. Another model can be chosen "
                "in the settings.",
                at=step.given.operation.since,
            )
        )
        return ()
    return tuple([await _picture(step.rooms, image) for image in shown])


async def _picture(rooms: Rooms, image: StoredImage) -> ImagePart:
    if max(image.width, image.height) <= MAX_SIDE and image.size <= MAX_BYTES:
        return await image_of(rooms, image.sha256, image.media_type)
    content = await Blobs(rooms.database).get(image.sha256)
    smaller = await asyncio.to_thread(_shrunk, content)
    return ImagePart(media_type="image/jpeg", data=base64.b64encode(smaller).decode())


def _shrunk(content: bytes) -> bytes:
    """A picture at a size that models look at anyway, without its transparency."""
    with Image.open(BytesIO(content)) as picture:
        picture.thumbnail((MAX_SIDE, MAX_SIDE))
        flat = Image.new("RGB", picture.size, "white")
        seen = picture.convert("RGBA")
        flat.paste(seen, mask=seen.getchannel("A"))
        out = BytesIO()
        flat.save(out, "JPEG", quality=88)
        return out.getvalue()
