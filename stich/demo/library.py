"""Which recorded exchange answers a prompt, and what to say when none does."""

import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple

from schemas.recording import Exchange, Match, RecordedError, Recording, Reply
from stich.demo.continuation import without_files
from stich.demo.prompt import Prompt

_KEPT = 4096  # turns remembered


@dataclass(frozen=True)
class Found:
    """A recorded exchange, with the names the request log shows. `exact`: it was recorded for this very request."""

    recording: str
    exchange: int
    reply: Reply
    exact: bool = False


class _Score(NamedTuple):
    """How specifically an exchange matches; the greater one wins."""

    hash_hit: int
    conditions: int
    length: int


class Library:
    """The recordings of one server, and the choice among them.

    The most specific match wins: first the hash of the messages, then the exchange with most conditions, then the one
    with the longest texts, then the first in file order. Only recordings marked `by_order` need memory: where several
    of their exchanges fit equally well, a session's k-th different request gets the k-th of them. The same request
    always gets the same answer.
    """

    def __init__(self, recordings: list[Recording]) -> None:
        self.recordings = recordings
        self._turns: OrderedDict[tuple[str | int, ...], list[str]] = OrderedDict()

    def answer(self, prompt: Prompt) -> tuple[Reply, Found | None]:
        """The reply to a prompt and the exchange it comes from; without one, the reply says so.

        Files the prompt lists as already written, or does not ask for, are left out of the reply.
        """
        found = self.find(prompt)
        reply = found.reply if found else self._refuse(prompt)
        exact = found is not None and found.exact
        if reply.text is not None and not exact and (prompt.already_written or prompt.write_only):
            # what was counted and thought for the whole answer would be wrong for a part of it
            text = without_files(reply.text, prompt.already_written, prompt.write_only)
            reply = reply.model_copy(update={"text": text, "usage": None, "reasoning": None})
        if prompt.beginning and not exact:
            reply = _after(prompt.beginning, reply)
        return reply, found

    def find(self, prompt: Prompt) -> Found | None:
        """The exchange that fits best, None if none does."""
        best: _Score | None = None
        ties: list[tuple[Recording, int]] = []
        for recording in self.recordings:
            wanted = _wants(recording, prompt)
            for index, exchange in enumerate(recording.exchanges):
                # a prompt without the request (a repair's) is recognised by the texts an exchange looks for
                score = _score(exchange, prompt, recording.by_order)
                if not (wanted or (score and score.hash_hit) or (exchange.match.contains and not prompt.request)):
                    continue
                if score is None or (best is not None and score < best):
                    continue
                if score != best:
                    best, ties = score, []
                ties.append((recording, index))
        if best is None:
            return None
        recording, index = ties[0]
        if recording.session is not None and best.hash_hit:
            index = self._next_of(prompt, recording, [at for other, at in ties if other is recording])
        elif recording.by_order and best.hash_hit == 0:
            of_recording = [at for other, at in ties if other is recording]
            turn = self._turn(prompt, recording, of_recording)
            if turn >= len(of_recording) and best.conditions == 0:
                return None  # only its turn would have chosen it, and the turns are over
            index = of_recording[min(turn, len(of_recording) - 1)]
        return Found(recording.title, index, recording.exchanges[index].reply, exact=best.hash_hit > 0)

    def _refuse(self, prompt: Prompt) -> Reply:
        """The plain answer to a request without a recording, in the form its action can show."""
        if prompt.action == "conversation":
            return Reply(text=self._offer(prompt))
        return Reply(
            error=RecordedError(
                status=404,
                type="invalid_request_error",
                code="demo_no_recording",
                message=f"The demo model only plays recorded sessions and has none for this; it has {self._prompts()}.",
            )
        )

    def _next_of(self, prompt: Prompt, recording: Recording, ties: list[int]) -> int:
        """A session that asked the same several times was answered in this order; the last answer is repeated."""
        seen = self._turns.setdefault((prompt.session, recording.title, *ties), [])
        seen.append(prompt.fingerprint)
        return ties[min(len(seen), len(ties)) - 1]

    def _turn(self, prompt: Prompt, recording: Recording, ties: list[int]) -> int:
        """How many different requests the session made before this one that the same exchanges would answer."""
        key: tuple[str | int, ...] = (prompt.session, recording.title, *ties)
        seen = self._turns.setdefault(key, [])
        self._turns.move_to_end(key)
        while len(self._turns) > _KEPT:
            self._turns.popitem(last=False)
        if prompt.messages_sha256 not in seen:
            if len(seen) > len(ties):
                return len(ties)
            seen.append(prompt.messages_sha256)
        return seen.index(prompt.messages_sha256)

    def _offer(self, prompt: Prompt) -> str:
        current = next((r for r in self.recordings if r.match and prompt.request and _wants(r, prompt)), None)
        lines = ["I am the demo model: I only play recorded sessions, and I have no recording of an answer to that."]
        if current and current.follow_ups:
            asks = " or ".join(f"“{ask}”" for ask in current.follow_ups)
            lines.append(f"In this session I can do {asks}.")
        lines.append(f"To start a new session I have {self._prompts()}.")
        lines.append("With a provider's key in the settings, a real model answers anything.")
        return "\n\n".join(lines)

    def _prompts(self) -> str:
        prompts = [f"“{recording.example_prompt}”" for recording in self.recordings if recording.match]
        if not prompts:
            return "no example prompts"
        return prompts[0] if len(prompts) == 1 else f"{', '.join(prompts[:-1])} and {prompts[-1]}"


def _after(beginning: str, reply: Reply) -> Reply:
    """What is left of a reply that has begun already."""
    if reply.text is None or not reply.text.startswith(beginning):
        error = RecordedError(status=400, type="invalid_request_error", message="The recorded answer begins otherwise.")
        return Reply(error=error)
    left = reply.text[len(beginning) :]
    return reply.model_copy(update={"text": left, "usage": None, "reasoning": None})


def _wants(recording: Recording, prompt: Prompt) -> bool:
    """Whether the recording is of the app the request asks for."""
    asked = prompt.request or prompt.text
    return not recording.match or any(_mentions(asked, phrase) for phrase in recording.match)


def _mentions(text: str, phrase: str) -> bool:
    """Whether the phrase stands in the text as whole words, in any case."""
    return re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", text, re.IGNORECASE) is not None


def _score(exchange: Exchange, prompt: Prompt, by_order: bool) -> _Score | None:
    """How specifically the exchange matches, None if it does not."""
    match = exchange.match
    if exchange.action != prompt.action:
        return None
    if match.fingerprint is not None and match.fingerprint == prompt.fingerprint:
        return _Score(1, int(match.operation == prompt.operation), 0)
    if match.messages_sha256 is not None:
        if match.messages_sha256 == prompt.messages_sha256:
            return _Score(1, 0, 0)
        if not by_order and match == Match(messages_sha256=match.messages_sha256):
            return None  # the hash was its only condition
    spoken = prompt.user_messages[-1:] if prompt.action == "conversation" else prompt.user_messages
    holds = (
        all(text in prompt.text for text in match.contains)
        and (match.phase is None or match.phase == prompt.phase)
        and (match.operation is None or match.operation == prompt.operation)
        and (match.after_tool_call is None or match.after_tool_call == prompt.last_tool_call)
        and (not match.user_message or any(_mentions(said, phrase) for phrase in match.user_message for said in spoken))
    )
    if not holds:
        return None
    texts = [
        *match.contains,
        match.phase or "",
        match.operation or "",
        match.after_tool_call or "",
        *match.user_message[:1],
    ]
    conditions = len(match.contains) + sum(
        (
            match.operation is not None,
            match.phase is not None,
            match.after_tool_call is not None,
            bool(match.user_message),
        )
    )
    return _Score(0, conditions, sum(map(len, texts)))
