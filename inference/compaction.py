"""Keeping a conversation within bounds: long texts cut, old turns summarised.

All pure but `compact`, which asks for a summary through the function it is given.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from codegen.tokens import estimate_tokens
from inference import tokens
from schemas.inference import Message

KEEP = 10
"""Messages at the end that stay as they are."""

TURNS, TOKENS, MESSAGES = 40, 100_000, 150
"""What sets a compaction off: so many turns of the user, tokens, or messages."""

PIECE = 60_000
"""Tokens that one summary is made of; a longer past is summarised in pieces, then the summaries are."""

Summarise = Callable[[str], Awaitable[str]]


def shorten(text: str, limit: int) -> str:
    """`text` cut to about `limit` tokens: beginning and end stay, the middle goes, and the cut says so."""
    have = estimate_tokens(text)
    if have <= limit:
        return text
    keep = max(int(len(text) * limit / have * 0.95) - 60, 0)
    head = keep * 2 // 3
    tail = keep - head
    omitted = len(text) - keep
    return f"{text[:head]}\n[... {omitted} characters left out ...]\n{text[len(text) - tail :] if tail else ''}"


def due(messages: Sequence[Message]) -> str:
    """Why a conversation has to be compacted, or an empty string."""
    turns = sum(message.role == "user" for message in messages)
    if turns >= TURNS:
        return f"{turns} turns"
    if len(messages) >= MESSAGES:
        return f"{len(messages)} messages"
    size = sum(map(tokens.of_message, messages))
    return f"about {size} tokens" if size >= TOKENS else ""


@dataclass(frozen=True, slots=True)
class Compacted:
    """A shorter conversation. `summarised` is how many messages the summary stands for."""

    messages: list[Message]
    summarised: int


async def compact(messages: Sequence[Message], summarise: Summarise) -> Compacted:
    """The conversation with all but the system messages and the last `KEEP` replaced by a summary.

    The kept part never begins with a tool's result. `summarise` turns a transcript into a summary; what it raises is
    raised here: no conversation is cut without one.
    """
    system = [message for message in messages if message.role == "system"]
    turns = [message for message in messages if message.role != "system"]
    start = boundary(turns)
    if start <= 0:
        return Compacted(list(messages), 0)
    pieces = _pieces(turns[:start])
    summaries = [await summarise(piece) for piece in pieces]
    while len(summaries) > 1:
        summaries = [await summarise(piece) for piece in _joined(summaries)]
    note = Message(role="user", content=f"<summary_of_earlier_conversation>\n{summaries[0]}\n"
                   "</summary_of_earlier_conversation>")  # fmt: skip
    return Compacted([*system, note, *turns[start:]], start)


def boundary(turns: Sequence[Message]) -> int:
    """Where the kept part begins: at most `KEEP` messages from the end where the turns allow, at a user's turn if one
    is near, and never between a tool call and its result."""
    start = max(len(turns) - KEEP, 0)
    for position in range(start, max(start - KEEP, 0), -1):
        if turns[position].role == "user":
            return position
    while start > 0 and turns[start].role == "tool":
        start -= 1
    return start


def transcript(message: Message) -> str:
    """A message as a line of a transcript. Long tool results are cut: their gist is in the turn that follows."""
    text = shorten(message.text, 500 if message.role == "tool" else 4_000)
    calls = "".join(f"\n[calls {call.name} {shorten(call.arguments, 200)}]" for call in message.tool_calls)
    return f"{message.role}: {text}{calls}"


def _pieces(turns: Sequence[Message]) -> list[str]:
    return _joined([transcript(message) for message in turns])


def _joined(texts: Sequence[str]) -> list[str]:
    """`texts` in as few pieces of at most `PIECE` tokens as their order allows, fewer than before where there were
    several."""
    pieces: list[list[str]] = [[]]
    size = 0
    for text in texts:
        cost = estimate_tokens(text)
        if pieces[-1] and size + cost > PIECE and len(pieces[-1]) > 1:
            pieces.append([])
            size = 0
        pieces[-1].append(text)
        size += cost
    return ["\n\n".join(piece) for piece in pieces]
