"""Plays a session's moments in their order: lets each answer go when the recorded one went, and acts in between.

Steps of a session run side by side. What one of them sees of the others depends on which ends first; so the answers of
the models are held until it is their turn, and what people said and decided comes between the same two of them.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from schemas.recording import Moment, Reply
from stich.demo.request_log import LoggedRequest

PATIENCE: Final = 300.0
"""Seconds that something is waited for which the recorded session did: installs and checks may come before it."""
IMPATIENCE: Final = 30.0
"""The same, while an answer is held back that could go."""
STEP: Final = 0.05


class Conductor:
    """One pass over the moments.

    act: carries out a message or a decision, and returns why it could not, if so. `differences` are the moments that
    could not be played as they were, in plain words.
    """

    def __init__(
        self,
        moments: Sequence[Moment],
        replies: Sequence[Reply],
        act: Callable[[Moment], Awaitable[str | None]],
        *,
        patience: float = PATIENCE,
        impatience: float = IMPATIENCE,
    ) -> None:
        self._moments = moments
        self._replies = replies
        self._act = act
        self._patience = patience
        self._impatience = impatience
        self._asked: dict[int, LoggedRequest] = {}
        self._released = {number: asyncio.Event() for number in range(len(replies))}
        self._held = 0
        self.differences: list[str] = []

    async def may_answer(self, exchange: int | None, entry: LoggedRequest) -> None:
        """Wait until it is this exchange's turn. What is not in the recording has none."""
        if exchange is None:
            return
        self._asked[exchange] = entry
        self._held += 1
        try:
            await self._released[exchange].wait()
        finally:
            self._held -= 1

    async def play(self) -> None:
        """Play all moments; afterwards every answer goes at once."""
        try:
            for moment in self._moments:
                if moment.kind == "begin":
                    await self._begin(_number(moment))
                elif moment.kind == "end":
                    await self._end(_number(moment))
                elif (problem := await self._act(moment)) is not None:
                    self.differences.append(problem)
        finally:
            for event in self._released.values():
                event.set()

    async def _begin(self, number: int) -> None:
        if not await self._until(lambda: number in self._asked):
            self.differences.append(f"the recorded call {number + 1} was not made in its turn")
        elif self._replies[number].ends is not None:
            self._released[number].set()  # what came of it was there before it broke off

    async def _end(self, number: int) -> None:
        self._released[number].set()
        entry = self._asked.get(number)
        if entry is not None and not await self._until(lambda: entry.outcome != "running"):
            self.differences.append(f"the answer to call {number + 1} was not taken")

    async def _until(self, condition: Callable[[], bool]) -> bool:
        begun = held_since = time.monotonic()
        while not condition():
            now = time.monotonic()
            if not self._held:
                held_since = now
            if now - begun > self._patience or now - held_since > self._impatience:
                return False
            await asyncio.sleep(STEP)
        return True


def _number(moment: Moment) -> int:
    assert moment.exchange is not None, "the recording was checked when it was read"
    return moment.exchange
