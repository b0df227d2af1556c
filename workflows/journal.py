"""The workflow's own events: numbered once, handed to the activity that starts next, kept until written."""

from schemas.events import Event, OperationFinished, Outbox


class Journal:
    """An outbox that survives retries: every activity carries all events not yet known to be written.

    The log recognises those it has, so an event handed to two activities is written once, in order.
    """

    def __init__(self, next_number: int = 1) -> None:
        self._first = next_number
        self._events: list[Event] = []
        self._handed = next_number - 1

    @property
    def next_number(self) -> int:
        """The number of the event that comes next."""
        return self._first + len(self._events)

    @property
    def unsent(self) -> bool:
        """Whether an event waits that no activity has been given."""
        return self._handed < self.next_number - 1

    @property
    def urgent(self) -> bool:
        """Whether an event waits that people want to see at once: the end of one step of several can come later."""
        return any(not isinstance(event, OperationFinished) for event in self._events[self._handed - self._first + 1 :])

    @property
    def empty(self) -> bool:
        """Whether every event is known to be written."""
        return not self._events

    def add(self, event: Event) -> None:
        """Append an event, as it is now: what it holds may change afterwards."""
        self._events.append(event.model_copy(deep=True))

    def hand_out(self) -> Outbox:
        """All events not yet known to be written, for the next activity."""
        self._handed = self.next_number - 1
        return Outbox(first=self._first, events=list(self._events))

    def written(self, outbox: Outbox) -> None:
        """An activity that carried `outbox` has ended well: its events are in the log."""
        known = outbox.first + len(outbox.events) - self._first
        if known > 0:
            self._first += known
            self._events = self._events[known:]

    def not_written(self) -> None:
        """An activity failed: what it carried counts as unsent until another one ends."""
        self._handed = self._first - 1
