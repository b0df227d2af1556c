"""The workflow's outbox: whatever fails and in whatever order activities end, each event is written once, in order."""

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events import OperationFinished, Outbox
from workflows.journal import Journal


class Log:
    """What the event log does with outboxes: it takes what it does not have, and refuses a gap."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    def append(self, outbox: Outbox) -> None:
        assert outbox.first <= len(self.ids) + 1
        known = len(self.ids) - outbox.first + 1
        self.ids += [event.operation_id for event in outbox.events[known:]]  # type: ignore[union-attr]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["add", "hand", "written", "lost", "failed"]), st.integers(0, 5))))
def test_every_event_is_written_once_in_order(moves: list[tuple[str, int]]) -> None:
    journal, log, under_way, added = Journal(), Log(), [], 0
    for move, pick in moves:
        if move == "add":
            journal.add(OperationFinished(operation_id=str(added), outcome="done"))
            added += 1
        elif move == "hand":
            under_way.append(journal.hand_out())
        elif under_way:
            outbox = under_way.pop(pick % len(under_way))
            if move in ("written", "failed"):  # a failed activity may have written before it failed
                log.append(outbox)
            if move == "written":
                journal.written(outbox)
            else:
                journal.not_written()
    assert journal.unsent or journal.empty or under_way or not added
    last = journal.hand_out()
    log.append(last)
    journal.written(last)
    assert log.ids == [str(number) for number in range(added)]
    assert journal.empty
    assert journal.next_number == added + 1
