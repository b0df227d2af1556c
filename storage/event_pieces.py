"""Events as rows: whole ones as they are, adjacent pieces of one text joined."""

from typing import Final

from schemas.events import BlueprintChunk, ConversationDelta, Event, FileChunk
from storage.event_rows import Row

PIECE: Final = 6_000  # characters up to which adjacent pieces are joined

TextEvent = FileChunk | BlueprintChunk | ConversationDelta


class JoinedText:
    """Adjacent pieces of one text, waiting to be stored as one event.

    Raises UnicodeEncodeError for half a surrogate pair: neither JSON nor Postgres can hold one.
    """

    def __init__(self, event: TextEvent) -> None:
        self._first = event
        self._of = _whole(event)
        self._parts = [event.text]
        self._length = len(event.text)
        "".join((*self._of, event.text)).encode()

    def join(self, event: TextEvent) -> bool:
        """Take the piece in if it follows directly and the whole stays small."""
        follows = (
            type(event) is type(self._first)
            and event.offset == self._first.offset + self._length
            and self._length + len(event.text) <= PIECE
            and _whole(event) == self._of
        )
        if follows:
            event.text.encode()
            self._parts.append(event.text)
            self._length += len(event.text)
        return follows

    def row(self) -> Row:
        joined = self._first.model_copy(update={"text": "".join(self._parts)})
        return Row(joined.type, self._of[-1], joined.model_dump_json())


def _whole(event: TextEvent) -> tuple[str, ...]:
    """What the piece is a part of; the last entry names it."""
    if isinstance(event, FileChunk):
        return (event.operation_id, event.format, event.path)
    if isinstance(event, ConversationDelta):
        return (event.operation_id, event.message_id)
    return (event.operation_id,)


def row_of(event: Event) -> Row:
    return JoinedText(event).row() if isinstance(event, TextEvent) else Row(event.type, None, event.model_dump_json())
