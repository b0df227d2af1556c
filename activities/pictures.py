"""Pictures in transcripts: kept as references to storage, put in place when a model is asked."""

from collections.abc import Sequence

from activities.context import Rooms
from activities.images import image_of
from schemas.inference import ContentPart, ImagePart, Message, TextPart

STORED = "stored:"
NEWEST = 2  # pictures that a conversation shows: older ones show an application that is no more


def stored_picture(sha256: str) -> ImagePart:
    """A picture of storage as a part of a transcript."""
    return ImagePart(url=f"{STORED}{sha256}")


async def with_pictures(rooms: Rooms, thread: Sequence[Message], *, sees: bool) -> list[Message]:
    """The thread with its newest pictures in place, and words instead of the others, or of all for a model that does
    not see. Raises BlobMissing."""
    left = NEWEST if sees else 0
    shown: list[Message] = []
    for message in reversed(thread):
        if isinstance(message.content, str):
            shown.append(message)
            continue
        parts: list[ContentPart] = []
        for part in message.content:
            if not isinstance(part, ImagePart) or part.url is None or not part.url.startswith(STORED):
                parts.append(part)
            elif left > 0:
                left -= 1
                parts.append(await image_of(rooms, part.url.removeprefix(STORED), part.media_type))
            else:
                parts.append(TextPart(text="(The picture is left out here.)"))
        shown.append(message.model_copy(update={"content": tuple(parts)}))
    return shown[::-1]
