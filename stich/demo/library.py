"""Which recorded exchange answers a prompt, and what to say when none does."""

import re
from collections import OrderedDict
from dataclasses import dataclass

from schemas.recording import Exchange, Match, RecordedError, Recording, Reply
from stich.demo.prompt import Prompt

_SESSIONS_KEPT = 256  # sessions whose order of requests is remembered


@dataclass(frozen=True)
class Found:
    """A recorded exchange, with the names the request log shows."""

    recording: str
    exchange: int
    reply: Reply


class Library:
    """The recordings of one server, and the choice among them.

    The most specific match wins: first the hash of the messages, then the exchange with most conditions, then the one
    with the longest texts, then the first in file order. Only recordings marked `by_order` need memory, to know how
    many different requests of an action a session has made; the same request always gets the same answer.
    """

    def __init__(self, recordings: list[Recording]) -> None:
        self.recordings = recordings
        self._orders: OrderedDict[tuple[str, str, int], list[str]] = OrderedDict()

    def find(self, prompt: Prompt) -> Found | None:
        best: tuple[tuple[int, int, int], Found] | None = None
        candidates = [(at, r) for at, r in enumerate(self.recordings) if _wants(r, prompt)]
        for _, recording in candidates:
            for index, exchange in enumerate(recording.exchanges):
                score = _score(exchange, prompt)
                if score is not None and (best is None or score > best[0]):
                    best = (score, Found(recording.title, index, exchange.reply))
        if best is not None:
            return best[1]
        for at, recording in candidates:
            if recording.by_order and (found := self._next_in_order(at, recording, prompt)):
                return found
        return None

    def refuse(self, prompt: Prompt) -> Reply:
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

    def _next_in_order(self, at: int, recording: Recording, prompt: Prompt) -> Found | None:
        of_action = [i for i, exchange in enumerate(recording.exchanges) if exchange.action == prompt.action]
        key = (prompt.session, prompt.action, at)
        seen = self._orders.setdefault(key, [])
        self._orders.move_to_end(key)
        if prompt.messages_sha256 not in seen and len(seen) < len(of_action):
            seen.append(prompt.messages_sha256)
        while len(self._orders) > _SESSIONS_KEPT:
            self._orders.popitem(last=False)
        if prompt.messages_sha256 not in seen:
            return None
        index = of_action[seen.index(prompt.messages_sha256)]
        return Found(recording.title, index, recording.exchanges[index].reply)

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


def _wants(recording: Recording, prompt: Prompt) -> bool:
    """Whether the recording is of the app the request asks for."""
    asked = prompt.request or prompt.text
    return not recording.match or any(
        re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", asked, re.IGNORECASE) for phrase in recording.match
    )


def _score(exchange: Exchange, prompt: Prompt) -> tuple[int, int, int] | None:
    """How specifically the exchange matches: (hash hit, number of conditions, length of their texts); None if not."""
    match = exchange.match
    if exchange.action != prompt.action:
        return None
    if match.messages_sha256 is not None and match.messages_sha256 == prompt.messages_sha256:
        return (1, 0, 0)
    if match.messages_sha256 is not None and match == Match(messages_sha256=match.messages_sha256):
        return None  # recorded with its hash as the only condition
    spoken = prompt.user_messages[-1:] if prompt.action == "conversation" else prompt.user_messages
    holds = (
        all(text in prompt.text for text in match.contains)
        and (match.phase is None or match.phase == prompt.phase)
        and (match.after_tool_call is None or match.after_tool_call == prompt.last_tool_call)
        and (not match.user_message or any(p.lower() in s.lower() for p in match.user_message for s in spoken))
    )
    if not holds:
        return None
    texts = [*match.contains, match.phase or "", match.after_tool_call or "", *match.user_message[:1]]
    conditions = len(match.contains) + sum(
        (match.phase is not None, match.after_tool_call is not None, bool(match.user_message))
    )
    return (0, conditions, sum(map(len, texts)))
