"""What is sent: the body in each dialect for the same call, checked field by field."""

from typing import Any

import orjson
import pytest

from inference import agents
from inference.anthropic_messages import thinking_budget
from inference.catalogue import resolve
from inference.dialects import BUILDERS, READERS
from inference.history import INTERRUPTED, repaired
from inference.providers import PROVIDERS
from inference.structured import output_mode
from inference.wire import Target, gather
from schemas.inference import (
    ActionKey,
    ImagePart,
    Message,
    ModelCall,
    ReasoningBlock,
    TextPart,
    ToolCall,
    ToolSpec,
)

TOOL = ToolSpec(
    name="read_file",
    description="Read a file.",
    parameters={"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
)
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "count": {"type": "integer", "default": 1, "minimum": 0}},
    "required": ["name"],
}

PICTURES = (
    TextPart(text="See"),
    ImagePart(data="AAAA", media_type="image/webp"),
    ImagePart(url="https://example.com/a.png"),
)


def build(model: str, call: ModelCall, **changes: Any) -> dict[str, Any]:
    """The body that `model` is sent, with its path and headers under keys of their own."""
    reference = resolve(model)
    provider = PROVIDERS[reference.forced_provider or next(iter(reference.model.served))]
    values: dict[str, Any] = {
        "provider": provider,
        "model": reference.model,
        "wire_id": reference.model.served[provider.id],
        "effort": "none",
        "max_output_tokens": 8_000,
        "temperature": 0.2,
        "cache_key": "s1",
    }
    target = Target(**{**values, **changes})
    request = BUILDERS[provider.dialect](call, repaired(call.messages), target, output_mode(call, target))
    body: dict[str, Any] = orjson.loads(request.body)
    return {**body, "_path": request.path, "_headers": dict(request.headers)}


def call(*messages: Message, **changes: Any) -> ModelCall:
    messages = messages or (Message(role="system", content="Rules."), Message(role="user", content="Hi."))
    return ModelCall(action=ActionKey.CODE_REVIEW, messages=messages, **changes)


def conversation(dialect: str, model: str, payload: dict[str, Any], signature: str | None = None) -> ModelCall:
    """A tool loop in its second turn, with the signed reasoning that `dialect` gave for `model` in the first."""
    block = ReasoningBlock(dialect=dialect, model=model, payload=payload)  # type: ignore[arg-type]
    asked = ToolCall(id="t1", name="read_file", arguments='{"path":"a"}', signature=signature)
    return call(
        Message(role="user", content="Look."),
        Message(role="assistant", content="I look.", tool_calls=(asked,), reasoning=(block,)),
        Message(role="tool", tool_call_id="t1", content="text"),
        tools=(TOOL,),
    )


class TestOpenAI:
    def test_a_plain_call(self) -> None:
        body = build("openai/gpt-4.1", call())
        assert body["_path"] == "/chat/completions"
        assert body["messages"] == [{"role": "system", "content": "Rules."}, {"role": "user", "content": "Hi."}]
        assert (body["model"], body["stream"], body["temperature"]) == ("gpt-4.1", True, 0.2)
        assert (body["max_completion_tokens"], body["stream_options"]) == (8_000, {"include_usage": True})
        assert "reasoning_effort" not in body and "tools" not in body

    def test_reasoning_models_get_effort_and_no_temperature(self) -> None:
        body = build("openai/gpt-5", call(), effort="high")
        assert body["reasoning_effort"] == "high" and "temperature" not in body
        assert build("openai/gpt-5.1", call())["reasoning_effort"] == "none"

    @pytest.mark.parametrize(
        ("model", "field"),
        [
            ("openai/gpt-5", {"reasoning_effort": "minimal"}),
            ("openai/gpt-5-mini", {"reasoning_effort": "minimal"}),
            ("openai/o3", {"reasoning_effort": "low"}),
            ("openai/o4-mini", {"reasoning_effort": "low"}),
            ("cerebras/gpt-oss-120b", {"reasoning_effort": "low"}),
            ("[groq]cerebras/gpt-oss-120b", {"reasoning_effort": "low"}),
            ("[openrouter]openai/gpt-5", {"reasoning": {"effort": "minimal"}}),
            ("[openrouter]anthropic/claude-sonnet-4.5", {"reasoning": {"enabled": False}}),
        ],
    )
    def test_no_effort_is_the_least_that_the_model_takes(self, model: str, field: dict[str, Any]) -> None:
        assert field.items() <= build(model, call()).items()

    @pytest.mark.parametrize(
        ("model", "field"),
        [
            ("[cerebras]cerebras/gpt-oss-120b", {"reasoning_effort": "low"}),
            ("[groq]cerebras/gpt-oss-120b", {"reasoning_effort": "low"}),
            ("[openrouter]google/gemini-2.5-pro", {"reasoning": {"effort": "low"}}),
        ],
    )
    def test_each_provider_has_its_own_word_for_effort(self, model: str, field: dict[str, Any]) -> None:
        assert field.items() <= build(model, call(), effort="low").items()

    def test_a_local_server_gets_nothing_it_may_not_know(self) -> None:
        body = build("ollama/llama3", call())
        assert set(body) - {"_path", "_headers"} == {
            "model", "messages", "stream", "max_tokens", "stream_options", "temperature",
        }  # fmt: skip

    def test_images_tools_and_results(self) -> None:
        image = ImagePart(data="AAAA", media_type="image/png")
        asked = ToolCall(id="t1", name="read_file", arguments="{}")
        body = build(
            "openai/gpt-4.1",
            call(
                Message(role="user", content=(TextPart(text="See"), image)),
                Message(role="assistant", tool_calls=(asked,)),
                Message(role="tool", tool_call_id="t1", content="ok"),
                tools=(TOOL,),
            ),
        )
        user, assistant, tool = body["messages"]
        assert user["content"][1]["image_url"]["url"] == "data:image/png;base64,AAAA"
        assert assistant["tool_calls"][0]["function"] == {"name": "read_file", "arguments": "{}"}
        assert tool == {"role": "tool", "tool_call_id": "t1", "content": "ok"}
        assert "tool_choice" not in body and body["tools"][0]["function"]["name"] == "read_file"

    def test_structured_output_is_strict_with_optional_as_nullable(self) -> None:
        body = build("openai/gpt-4.1", call(output_schema=SCHEMA, output_name="fruit"))
        form = body["response_format"]["json_schema"]
        assert (form["name"], form["strict"]) == ("fruit", True)
        assert form["schema"]["required"] == ["name", "count"]
        assert form["schema"]["additionalProperties"] is False
        count = form["schema"]["properties"]["count"]
        assert {"type": "null"} in count["anyOf"] and "default" not in str(count)
        assert SCHEMA["required"] == ["name"], "the caller's schema is not changed"

    def test_a_model_without_schemas_and_tools_is_asked_in_words(self) -> None:
        body = build("openai/chatgpt-4o-latest", call(output_schema=SCHEMA))
        assert "response_format" not in body and "tools" not in body
        assert body["messages"][-1]["role"] == "user" and '"count"' in body["messages"][-1]["content"]

    @pytest.mark.parametrize(
        ("provider", "asked", "expected"),
        [
            ("deepseek", "deepseek/deepseek-chat", "Look first."),
            ("vllm", "vllm/deepseek-chat", "Look first."),
            ("groq", "deepseek/deepseek-chat", ""),
            ("deepseek", "vllm/deepseek-chat", None),
            ("groq", "[groq]deepseek-chat", None),
        ],
    )
    def test_thoughts_go_back_with_the_calls_they_led_to(self, provider: str, asked: str, expected: str | None) -> None:
        asks = {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}
        chunks = [{"reasoning_content": "Look "}, {"reasoning_content": "first."}, {"tool_calls": [asks]}]
        body = b"".join(b"data: " + orjson.dumps({"choices": [{"delta": delta}]}) + b"\n\n" for delta in chunks)
        body += b'data: {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]}\n\n'
        model = resolve(asked).model.name
        read = READERS["openai"](provider, model, status=200, content_type="text/event-stream", headers={})
        said = gather([*read.feed(body), *read.end()]).message()
        turn = (Message(role="user", content="?"), said, Message(role="tool", tool_call_id="a", content="done"))
        assert build(asked, call(*turn))["messages"][1].get("reasoning_content") == expected
        plain = (Message(role="user", content="?"), Message(role="assistant", content="Hi."))
        assert "reasoning_content" not in build(asked, call(*plain))["messages"][1]

    def test_claude_at_openrouter_gets_cache_marks_and_its_reasoning_back(self) -> None:
        model = "[openrouter]anthropic/claude-sonnet-4.5"
        body = build(model, call(cacheable_prefix=1))
        assert body["messages"][0]["content"][-1]["cache_control"] == {"type": "ephemeral"}
        turn = conversation("openai", "anthropic/claude-sonnet-4.5", {"detail": {"signature": "s"}})
        assert build(model, turn)["messages"][1]["reasoning_details"] == [{"signature": "s"}]
        assert "reasoning_details" not in build("openai/gpt-4.1", turn)["messages"][1]

    @pytest.mark.parametrize(
        "model", ["[openrouter]anthropic/claude-4-sonnet", "[openrouter]openai/gpt-5", "openrouter/moonshotai/kimi-k2"]
    )
    def test_signed_reasoning_that_was_read_goes_back(self, model: str) -> None:
        detail = {"type": "reasoning.text", "text": "t", "signature": "s", "index": 0}
        said = {"content": "I look.", "reasoning": "t", "reasoning_details": [detail]}
        read = READERS["openai"]("openrouter", resolve(model).model.name, status=200, content_type="", headers={})
        read.feed(orjson.dumps({"choices": [{"message": said, "finish_reason": "stop"}]}))
        turn = gather(read.end()).message()
        body = build(model, call(Message(role="user", content="?"), turn, Message(role="user", content="And?")))
        assert body["messages"][1]["reasoning_details"] == [detail]

    def test_a_thought_signature_goes_back_to_its_model_alone(self) -> None:
        turn = conversation("openai", "compatible/gemini-3.5-flash", {"call": "sig"}, signature="sig")
        asked = build("compatible/gemini-3.5-flash", turn)["messages"][1]["tool_calls"][0]
        assert asked["extra_content"] == {"google": {"thought_signature": "sig"}}
        assert "extra_content" not in build("openai/gpt-4.1", turn)["messages"][1]["tool_calls"][0]

    def test_arguments_that_a_model_wrote_badly_are_not_sent_again(self) -> None:
        written = ['{"path":', "[1]", "", '{ "path": "a" }']
        calls = tuple(ToolCall(id=str(n), name="read_file", arguments=text) for n, text in enumerate(written))
        asked = build("[groq]cerebras/gpt-oss-120b", call(Message(role="assistant", tool_calls=calls)))["messages"][0]
        sent = [each["function"]["arguments"] for each in asked["tool_calls"]]
        assert sent == ["{}", "{}", "{}", '{ "path": "a" }'], "what is right stays as it was written"

    def test_a_provider_that_streams_no_schemas_gets_a_tool_or_words(self) -> None:
        model = "[groq]cerebras/gpt-oss-120b"
        body = build(model, call(output_schema=SCHEMA, output_name="fruit"))
        assert "response_format" not in body and body["tool_choice"]["function"]["name"] == "fruit"
        body = build(model, call(output_schema=SCHEMA, tools=(TOOL,)))
        assert "response_format" not in body and '"count"' in body["messages"][-1]["content"]
        assert "response_format" in build(model, call(output_schema=SCHEMA), stream=False)
        assert "response_format" in build("cerebras/gpt-oss-120b", call(output_schema=SCHEMA))

    def test_claude_does_not_begin_to_think_within_a_turn_wherever_it_is_served(self) -> None:
        model = "[openrouter]anthropic/claude-sonnet-4.5"
        foreign = conversation("google", "google/gemini-2.5-pro", {})
        assert build(model, foreign, effort="low")["reasoning"] == {"enabled": False}
        own = conversation("openai", "anthropic/claude-sonnet-4.5", {"detail": {"signature": "s"}})
        assert build(model, own, effort="low")["reasoning"] == {"effort": "low"}


class TestAnthropic:
    MODEL = "anthropic/claude-haiku-4.5"

    def test_a_plain_call(self) -> None:
        body = build(self.MODEL, call())
        assert body["_path"] == "/v1/messages" and body["_headers"] == {"anthropic-version": "2023-06-01"}
        assert body["system"] == [{"type": "text", "text": "Rules."}]
        assert body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "Hi."}]}]
        assert (body["max_tokens"], body["temperature"]) == (8_000, 0.2)
        assert "thinking" not in body

    @pytest.mark.parametrize(
        ("effort", "limit", "budget"),
        [
            ("low", 64_000, 5_000), ("medium", 64_000, 20_000), ("high", 64_000, 60_000),
            ("high", 32_000, 24_000), ("low", 4_000, 3_000), ("low", 1_000, 0), ("none", 64_000, 0),
        ],
    )  # fmt: skip
    def test_thinking_budgets_stay_below_the_output_limit(self, effort: str, limit: int, budget: int) -> None:
        assert thinking_budget(effort, limit) == budget
        body = build(self.MODEL, call(), effort=effort, max_output_tokens=limit)
        if budget:
            assert body["thinking"] == {"type": "enabled", "budget_tokens": budget}
            assert budget < body["max_tokens"] and "temperature" not in body
        else:
            assert "thinking" not in body

    def test_newer_models_think_adaptively(self) -> None:
        body = build("anthropic/claude-sonnet-5", call(), effort="medium")
        assert body["thinking"] == {"type": "adaptive"} and body["output_config"] == {"effort": "medium"}
        assert "temperature" not in build("anthropic/claude-sonnet-5", call()), "they take no sampling parameters"

    def test_models_without_reasoning_get_none(self) -> None:
        assert "thinking" not in build("anthropic/claude-3.5-sonnet", call(), effort="high")

    def test_the_stable_prefix_is_marked(self) -> None:
        body = build(self.MODEL, call(cacheable_prefix=1, tools=(TOOL,)))
        assert body["system"][-1]["cache_control"] == body["tools"][-1]["cache_control"] == {"type": "ephemeral"}
        marks = orjson.dumps(build(self.MODEL, call(cacheable_prefix=2, tools=(TOOL,)))).count(b"cache_control")
        assert 0 < marks <= 4, "more than four are refused"
        assert b"cache_control" not in orjson.dumps(build(self.MODEL, call(tools=(TOOL,))))

    def test_signed_thinking_goes_back_first_and_unchanged(self) -> None:
        payload = {"type": "thinking", "thinking": "hm", "signature": "sig"}
        body = build(self.MODEL, conversation("anthropic", self.MODEL, payload))
        assistant, result = body["messages"][1:]
        assert assistant["content"] == [
            payload,
            {"type": "text", "text": "I look."},
            {"type": "tool_use", "id": "t1", "name": "read_file", "input": {"path": "a"}},
        ]
        assert result["content"][0]["tool_use_id"] == "t1"

    def test_reasoning_of_another_model_is_left_out(self) -> None:
        for turn in (
            conversation("openai", "openai/gpt-5", {}),
            conversation("anthropic", "anthropic/claude-opus-5", {}),
        ):
            assert [part["type"] for part in build(self.MODEL, turn)["messages"][1]["content"]] == ["text", "tool_use"]

    def test_results_of_parallel_calls_share_a_turn(self) -> None:
        calls = (ToolCall(id="a", name="f"), ToolCall(id="b", name="f"))
        body = build(
            self.MODEL,
            call(
                Message(role="user", content="Go."),
                Message(role="assistant", tool_calls=calls),
                Message(role="tool", tool_call_id="a", content="1"),
                Message(role="tool", tool_call_id="b", content="2", is_error=True),
                Message(role="user", content="And?"),
            ),
        )
        assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user"]
        first, second, text = body["messages"][2]["content"]
        assert "is_error" not in first and second["is_error"] is True and text["text"] == "And?"

    def test_images_stand_among_the_text(self) -> None:
        body = build(self.MODEL, call(Message(role="user", content=PICTURES)))
        text, inline, linked = body["messages"][0]["content"]
        assert text["text"] == "See"
        assert inline["source"] == {"type": "base64", "media_type": "image/webp", "data": "AAAA"}
        assert linked["source"] == {"type": "url", "url": "https://example.com/a.png"}

    def test_structured_output_native_or_by_tool(self) -> None:
        native = build(self.MODEL, call(output_schema=SCHEMA))
        assert native["output_config"]["format"]["type"] == "json_schema"
        tool = build("anthropic/claude-4-sonnet", call(output_schema=SCHEMA, output_name="fruit"), effort="high")
        assert tool["tool_choice"] == {"type": "tool", "name": "fruit"}
        assert "thinking" not in tool, "a forced tool and budgeted thinking exclude each other"

    @pytest.mark.parametrize("model", ["anthropic/claude-haiku-4.5", "anthropic/claude-sonnet-4.6"])
    def test_a_forced_tool_and_thinking_exclude_each_other(self, model: str) -> None:
        body = build(model, call(tools=(TOOL,), tool_choice="required"), effort="high")
        assert "thinking" not in body and body["tool_choice"] == {"type": "any"} and body["temperature"] == 0.2
        assert "thinking" in build(model, call(tools=(TOOL,)), effort="high")

    def test_a_model_does_not_begin_to_think_in_the_middle_of_a_turn(self) -> None:
        foreign = conversation("google", "google/gemini-2.5-pro", {"call": "sig"}, signature="sig")
        assert "thinking" not in build(self.MODEL, foreign, effort="high")
        own = conversation("anthropic", self.MODEL, {"type": "thinking", "thinking": "hm", "signature": "sig"})
        assert "thinking" in build(self.MODEL, own, effort="high")
        assert "thinking" in build("anthropic/claude-sonnet-4.6", foreign, effort="high"), "only budgets are strict"
        ended = call(*foreign.messages, Message(role="assistant", content="Done."), Message(role="user", content="?"))
        assert "thinking" in build(self.MODEL, ended, effort="high")
        begun = build(self.MODEL, call(*ended.messages, Message(role="assistant", content="It")), effort="high")
        assert "thinking" not in begun
        assert begun["messages"][-1]["role"] == "assistant"

    def test_a_form_with_free_objects_is_asked_for_by_a_tool(self) -> None:
        free = {
            "type": "object",
            "properties": {"extra": {"type": "object", "additionalProperties": {"type": "string"}}},
        }
        body = build(self.MODEL, call(output_schema=free, output_name="fruit"))
        assert "output_config" not in body and body["tool_choice"] == {"type": "tool", "name": "fruit"}
        worded = build(self.MODEL, call(output_schema=free, tools=(TOOL,)))
        assert "output_config" not in worded and "JSON schema" in worded["messages"][-1]["content"][-1]["text"]
        assert build("openai/gpt-5", call(output_schema=free))["response_format"]["json_schema"]["strict"] is False


class TestGoogle:
    MODEL = "google/gemini-2.5-flash"

    def test_a_plain_call(self) -> None:
        body = build(self.MODEL, call())
        assert body["_path"] == "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
        assert body["systemInstruction"] == {"parts": [{"text": "Rules."}]}
        assert body["contents"] == [{"role": "user", "parts": [{"text": "Hi."}]}]
        config = body["generationConfig"]
        assert (config["maxOutputTokens"], config["temperature"]) == (8_000, 0.2)
        assert config["thinkingConfig"]["thinkingBudget"] == 0

    def test_budgets_and_levels(self) -> None:
        def thinking(model: str, effort: str) -> Any:
            return build(model, call(), effort=effort, max_output_tokens=64_000)["generationConfig"].get(
                "thinkingConfig"
            )

        assert thinking(self.MODEL, "low")["thinkingBudget"] == 5_000
        least = {"thinkingBudget": 128, "includeThoughts": False}
        assert thinking("google/gemini-2.5-pro", "none") == least, "it always thinks"
        assert thinking("google/gemini-3.5-flash", "high")["thinkingLevel"] == "high"
        assert thinking("google/gemini-2.0-flash", "high") is None

    def test_images_stand_among_the_text(self) -> None:
        body = build(self.MODEL, call(Message(role="user", content=PICTURES)))
        text, inline, linked = body["contents"][0]["parts"]
        assert text == {"text": "See"}
        assert inline == {"inlineData": {"mimeType": "image/webp", "data": "AAAA"}}
        assert linked["fileData"]["fileUri"] == "https://example.com/a.png"

    def test_signatures_go_back_with_their_calls(self) -> None:
        model = "google/gemini-3.5-flash"
        body = build(model, conversation("google", model, {"call": "sig"}, signature="sig"))
        part = body["contents"][1]["parts"][1]
        assert part["functionCall"]["args"] == {"path": "a"} and part["thoughtSignature"] == "sig"
        response = body["contents"][2]["parts"][0]["functionResponse"]
        assert (response["name"], response["id"], response["response"]) == ("read_file", "t1", {"result": "text"})

    def test_calls_of_another_model_carry_the_documented_placeholder(self) -> None:
        model = "google/gemini-3.5-flash"
        body = build(model, conversation("openai", "openai/gpt-5", {}, signature="foreign"))
        signature = body["contents"][1]["parts"][1]["thoughtSignature"]
        assert signature == "skip_thought_signature_validator"

    def test_structured_output(self) -> None:
        config = build(self.MODEL, call(output_schema=SCHEMA))["generationConfig"]
        assert config["responseMimeType"] == "application/json"
        assert "default" not in str(config["responseJsonSchema"])
        assert build(self.MODEL, call(output_schema=SCHEMA, tools=(TOOL,)))["contents"][-1]["role"] == "user"


def test_history_gets_one_result_for_every_call() -> None:
    calls = (ToolCall(id="a", name="f"), ToolCall(id="b", name="g"))
    history = [
        Message(role="tool", tool_call_id="lost", content="of a turn that was cut off"),
        Message(role="user", content="Go."),
        Message(role="assistant", tool_calls=calls),
        Message(role="tool", tool_call_id="b", content="2"),
        Message(role="tool", tool_call_id="b", content="2 again"),
        Message(role="tool", tool_call_id="x", content="of nobody"),
        Message(role="user", content="So?"),
    ]
    fixed = repaired(history)
    assert [(message.role, message.tool_call_id) for message in fixed] == [
        ("user", None), ("assistant", None), ("tool", "a"), ("tool", "b"), ("user", None),
    ]  # fmt: skip
    assert fixed[2].content == INTERRUPTED and fixed[2].is_error
    assert (fixed[3].content, fixed[3].name) == ("2", "g")
    assert repaired(fixed) == fixed


def test_every_action_has_a_configuration_that_its_own_rules_allow() -> None:
    assert set(agents.AGENTS) == set(ActionKey)
    for action, config in agents.AGENTS.items():
        agents.check(action, config.model)
        if config.fallback:
            agents.check(action, config.fallback)
        assert config.max_output_tokens <= resolve(config.model).model.output_limit
