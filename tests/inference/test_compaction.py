"""Token care: counts, trimming, cutting, and conversations that are summarised without losing their end."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codegen.tokens import estimate_tokens
from inference import tokens
from inference.compaction import KEEP, MESSAGES, TOKENS, TURNS, compact, due, shorten
from inference.history import repaired
from schemas.inference import ActionKey, ImagePart, Message, ModelCall, TextPart, ToolCall, ToolSpec


def said(role: str, text: str = "x", **more: object) -> Message:
    return Message(role=role, content=text, **more)  # type: ignore[arg-type]


class TestCounting:
    def test_the_breakdown_adds_up(self) -> None:
        image = Message(role="user", content=(TextPart(text="See."), ImagePart(data="AA")))
        tool = ToolSpec(name="f", description="F.", parameters={"type": "object"})
        call = ModelCall(
            action=ActionKey.BLUEPRINT,
            messages=(said("system", "Rules. " * 50), image, said("assistant", "Yes.")),
            tools=(tool,),
            cacheable_prefix=1,
            context_parts={"template": 38},
        )
        parts = tokens.breakdown(call)
        assert parts["of which template"] == 11
        assert sum(size for label, size in parts.items() if not label.startswith("of which")) == tokens.of_call(call)
        assert set(parts) == {"stable prefix", "user", "assistant", "tools", "of which template"}
        assert parts["user"] > tokens.IMAGE


@settings(deadline=None)
@given(st.text(max_size=3_000), st.integers(1, 400))
def test_shortening_keeps_to_the_limit_and_both_ends(text: str, limit: int) -> None:
    short = shorten(text, limit)
    if estimate_tokens(text) <= limit:
        assert short == text
    else:
        assert "characters left out" in short
        assert estimate_tokens(short) <= limit + 40


class TestCompaction:
    def test_each_of_the_three_triggers(self) -> None:
        assert due([said("user"), said("assistant")]) == ""
        assert "turns" in due([said("user")] * TURNS)
        assert "messages" in due([said("assistant")] * MESSAGES)
        assert "tokens" in due([said("user", "word " * TOKENS)])

    async def test_the_past_becomes_a_summary_and_the_end_stays(self) -> None:
        history = [said("system", "Rules."), *(said("user" if n % 2 == 0 else "assistant", f"m{n}") for n in range(60))]
        seen: list[str] = []

        async def summarise(text: str) -> str:
            seen.append(text)
            return "They spoke."

        result = await compact(history, summarise)
        assert result.messages[0] == history[0]
        assert "They spoke." in result.messages[1].text and result.messages[1].role == "user"
        assert result.messages[-KEEP:] == history[-KEEP:]
        assert result.summarised + len(result.messages) - 2 == 60
        assert "m0" in seen[0] and "m59" not in seen[0]

    async def test_a_past_too_long_for_one_summary_is_summarised_in_pieces(self) -> None:
        history = [said("user", f"m{n} " + "word " * 3_500) for n in range(60)]
        sizes: list[int] = []

        async def summarise(text: str) -> str:
            sizes.append(estimate_tokens(text))
            return "short"

        result = await compact(history, summarise)
        assert len(sizes) > 2 and max(sizes) < 90_000
        assert len([message for message in result.messages if "summary" in message.text]) == 1

    async def test_no_summary_no_cut(self) -> None:
        async def fail(text: str) -> str:
            raise RuntimeError("no model")

        with pytest.raises(RuntimeError):
            await compact([said("user")] * 50, fail)

    async def test_a_short_conversation_is_left_alone(self) -> None:
        async def never(text: str) -> str:
            raise AssertionError

        history = [said("user"), said("assistant")]
        assert (await compact(history, never)).messages == history

    @settings(deadline=None)
    @given(st.lists(st.sampled_from(["user", "assistant", "calls"]), min_size=0, max_size=60))
    def test_calls_and_results_are_never_torn_apart(self, shape: list[str]) -> None:
        import asyncio

        history: list[Message] = []
        for number, kind in enumerate(shape):
            if kind == "calls":
                calls = (ToolCall(id=f"a{number}", name="f"), ToolCall(id=f"b{number}", name="f"))
                history.append(Message(role="assistant", tool_calls=calls))
                history += [Message(role="tool", tool_call_id=call.id, name="f", content="r") for call in calls]
            else:
                history.append(said(kind, f"m{number}"))

        async def summarise(text: str) -> str:
            return "s"

        result = asyncio.run(compact(history, summarise))
        assert repaired(result.messages) == result.messages, "nothing is orphaned"
        assert result.messages[-min(KEEP, len(history)) :] == history[-min(KEEP, len(history)) :] or not history
