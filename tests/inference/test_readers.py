"""Answers in the three dialects: what real providers sent, what the specifications allow, cut anywhere."""

import functools
import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from inference.sse import EventReader
from inference.wire import gather
from schemas.inference import ReasoningBlock, Usage
from tests.inference.reading import answer_of, chunk, done, failure_of, reader, sse
from tests.recordings.reading import read as recorded
from tests.recordings.reading import summary


def fragment(arguments: str | None = None, **each: object) -> dict[str, Any]:
    function = {key: each.pop(key) for key in ("name",) if key in each}
    if arguments is not None:
        function["arguments"] = arguments
    return chunk(tool_calls=[{**each, "function": function}])


class TestOpenAI:
    def test_parallel_calls_in_interleaved_fragments(self) -> None:
        body = sse(
            fragment("", index=0, id="a", name="one"),
            fragment("", index=1, id="b", name="two"),
            fragment('{"x"', index=0),
            fragment('{"y":', index=1),
            fragment(":1}", index=0),
            fragment("2}", index=1),
            done("tool_calls"),
        )
        calls = answer_of(reader("openai"), body).tool_calls
        assert [(call.id, call.name, call.arguments) for call in calls] == [
            ("a", "one", '{"x":1}'),
            ("b", "two", '{"y":2}'),
        ]

    def test_servers_that_give_every_call_the_same_index_or_none(self) -> None:
        same = sse(
            fragment('{"x":1}', index=0, id="a", name="one"), fragment('{"y":2}', index=0, id="b", name="two"), done()
        )
        none = sse(fragment('{"x":1}', id="a", name="one"), fragment('{"y":2}', id="b", name="two"), done())
        for body in (same, none):
            answer = answer_of(reader("openai"), body)
            assert [(call.id, call.arguments) for call in answer.tool_calls] == [("a", '{"x":1}'), ("b", '{"y":2}')]
            assert answer.finish is not None and answer.finish.reason == "tool_calls"

    @pytest.mark.parametrize("place", [{}, {"index": None}, {"index": 0, "id": ""}])
    def test_parallel_calls_that_nothing_but_their_names_tells_apart(self, place: dict[str, Any]) -> None:
        body = sse(
            fragment('{"x":', **place, name="one"),
            fragment("1}", **place),
            fragment('{"y":2}', **place, name="two"),
            fragment('{"y":3}', **place, name="two"),
            fragment("{}", **place, name="three"),
            fragment("{}", **place, name="three"),
            done(),
        )
        calls = answer_of(reader("openai"), body).tool_calls
        assert [(call.name, call.arguments) for call in calls] == [
            ("one", '{"x":1}'), ("two", '{"y":2}'), ("two", '{"y":3}'), ("three", "{}"), ("three", "{}"),
        ]  # fmt: skip
        assert len({call.id for call in calls}) == 5

    @pytest.mark.parametrize("place", [{}, {"index": 0}, {"index": 0, "id": "a"}])
    def test_a_name_that_every_fragment_repeats_is_one_call(self, place: dict[str, Any]) -> None:
        pieces = ["", '{"x":', '{"y":1}', "}", ""]
        body = sse(*(fragment(piece, **place, name="one") for piece in pieces), done())
        assert [call.arguments for call in answer_of(reader("openai"), body).tool_calls] == ['{"x":{"y":1}}']

    @pytest.mark.parametrize("cuts", [0, 1])
    def test_an_empty_finish_reason_is_none(self, cuts: int) -> None:
        pieces = [
            {"choices": [{"delta": {"content": text}, "finish_reason": ""}]} for text in ("<think>so", "</think>ok")
        ]
        answer = answer_of(reader("openai"), sse(*pieces, done()), cuts)
        assert (answer.reasoning, answer.text) == ("so", "ok")
        assert failure_of(reader("openai"), sse(*pieces)).code == "stream_broken"

    @pytest.mark.parametrize(
        ("raw", "reason"),
        [("model_length", "length"), ("eos_token", "stop"), ("STOP", "stop"), ("max_tokens", "length")],
    )
    def test_the_words_of_other_servers_for_the_end(self, raw: str, reason: str) -> None:
        finish = answer_of(reader("openai"), sse(chunk(content="x"), done(raw))).finish
        assert finish is not None and (finish.reason, finish.raw_reason) == (reason, raw)

    @pytest.mark.parametrize(
        ("raw", "code"),
        [
            ("abort", "provider_error"),
            ("error", "provider_error"),
            ("content_filter: PROHIBITED_CONTENT", "content_refused"),
            ("malformed_function_call", "malformed_tool_call"),
            ("function_call_filter: MALFORMED_FUNCTION_CALL", "malformed_tool_call"),
            ("a reason of next year", "unusable_answer"),
        ],
    )
    def test_an_end_that_is_no_success(self, raw: str, code: str) -> None:
        streamed = reader("openai")
        assert failure_of(streamed, sse(chunk(content="x"), done(raw))).code == code
        assert streamed.reason in (None, "content_filter")
        whole = {"choices": [{"message": {"content": "x"}, "finish_reason": raw}]}
        assert failure_of(reader("openai", content_type="application/json"), orjson.dumps(whole)).code == code

    @pytest.mark.parametrize("reason", ["error", "stop"])
    def test_an_answer_that_failed_did_not_stop(self, tmp_path: Path, reason: str) -> None:
        failed = {**done(reason), "error": {"code": 502, "message": "upstream died"}}
        recording = {
            "provider": "openrouter",
            "path": "/chat/completions",
            "status": 200,
            "content_type": "text/event-stream",
            "response": sse(chunk(content="x"), failed).decode(),
        }
        (tmp_path / "r.json").write_bytes(orjson.dumps(recording))
        got = summary(tmp_path / "r.json")
        assert (got["text"], got["finish_reason"], got["error"]["code"]) == ("x", None, "provider_error")

    def test_only_the_first_of_several_answers_is_read(self) -> None:
        other = {"choices": [{"index": 1, "delta": {"content": "other"}, "finish_reason": None}]}
        last = {"choices": [{"index": 1, "delta": {}, "finish_reason": "length"}]}
        read = answer_of(reader("openai"), sse(chunk(content="o"), other, chunk(content="ne"), last, done()))
        assert read.finish is not None and (read.text, read.finish.reason) == ("one", "stop")

    def test_an_error_beside_the_choices_is_an_error(self) -> None:
        body = sse(chunk(content="x"), {"choices": [], "x_groq": {"error": "the model is overloaded"}})
        assert failure_of(reader("openai"), body).code == "provider_overloaded"

    def test_the_older_form_of_a_tool_call(self) -> None:
        streamed = sse(
            chunk(function_call={"name": "f", "arguments": ""}),
            chunk(function_call={"arguments": '{"x"'}),
            chunk(function_call={"arguments": ":1}"}),
            done("function_call"),
        )
        message = {"content": None, "function_call": {"name": "f", "arguments": '{"x":1}'}}
        whole = orjson.dumps({"choices": [{"message": message, "finish_reason": "function_call"}]})
        for read, body in (reader("openai"), streamed), (reader("openai", content_type="application/json"), whole):
            answer = answer_of(read, body)
            assert [(call.name, call.arguments) for call in answer.tool_calls] == [("f", '{"x":1}')]
            assert answer.finish is not None and answer.finish.reason == "tool_calls"

    def test_a_tool_that_takes_plain_text(self) -> None:
        pieces = [{"id": "a", "type": "custom", "custom": {"name": "run", "input": ""}}, {"custom": {"input": "ls"}}]
        body = sse(*(chunk(tool_calls=[{"index": 0, **piece}]) for piece in pieces), done("tool_calls"))
        assert [(call.name, call.arguments) for call in answer_of(reader("openai"), body).tool_calls] == [("run", "ls")]

    def test_a_message_in_the_place_of_a_delta(self) -> None:
        body = sse({"choices": [{"index": 0, "message": {"content": "x"}, "finish_reason": "stop"}]})
        assert answer_of(reader("openai"), body).text == "x"

    def test_a_router_tells_what_the_vendor_called_the_end(self) -> None:
        for word, native in ("error", "MALFORMED_FUNCTION_CALL"), ("stop", "UNEXPECTED_TOOL_CALL"):
            end = {"choices": [{"delta": {}, "finish_reason": word, "native_finish_reason": native}]}
            assert failure_of(reader("openai"), sse(end)).code == "malformed_tool_call"

    def test_a_thought_signature_of_a_call_is_kept_as_its_models(self) -> None:
        extra = {"google": {"thought_signature": "sig"}}
        body = sse(fragment("{}", index=0, id="a", name="f", extra_content=extra), done("tool_calls"))
        message = answer_of(reader("openai"), body).message()
        assert message.tool_calls[0].signature == "sig"
        assert message.reasoning == (ReasoningBlock(dialect="openai", model="m", payload={"call": "sig"}),)

    def test_repeated_and_missing_ids_become_distinct(self) -> None:
        body = sse(
            fragment("{}", index=0, id="same", name="one"),
            fragment("{}", index=1, id="same", name="two"),
            fragment("{}", index=2, name="three"),
            done(),
        )
        calls = answer_of(reader("openai"), body).tool_calls
        assert len({call.id for call in calls}) == 3 and all(call.id for call in calls)

    def test_arguments_as_an_object(self) -> None:
        body = sse(
            chunk(tool_calls=[{"index": 0, "id": "a", "function": {"name": "f", "arguments": {"x": 1}}}]), done()
        )
        assert answer_of(reader("openai"), body).tool_calls[0].arguments == '{"x":1}'

    @pytest.mark.parametrize("cuts", [0, 1, 7])
    def test_think_tags_are_reasoning(self, cuts: int) -> None:
        pieces = ["<th", "ink>so ", "I </thi", "nk>", "Yes", " <think>no</think>"]
        answer = answer_of(reader("openai"), sse(*(chunk(content=piece) for piece in pieces), done()), cuts)
        assert (answer.reasoning, answer.text) == ("so I ", "Yes <think>no</think>")

    def test_text_that_only_begins_like_a_tag(self) -> None:
        assert answer_of(reader("openai"), sse(chunk(content="<thi"), done())).text == "<thi"
        assert answer_of(reader("openai"), sse(chunk(content=" <"), chunk(content="b>"), done())).text == " <b>"

    def test_usage_of_every_kind(self) -> None:
        usage = {
            "prompt_tokens": 100,
            "completion_tokens": 50,
            "prompt_tokens_details": {"cached_tokens": 64, "cache_write_tokens": 8},
            "completion_tokens_details": {"reasoning_tokens": 20},
        }
        answer = answer_of(reader("openai"), sse(chunk(content="x"), done(), {"choices": [], "usage": usage}))
        assert answer.usage == Usage(100, 64, 8, 50, 20)
        groq = {"choices": [], "x_groq": {"usage": {"prompt_tokens": 3, "completion_tokens": 4}}}
        assert answer_of(reader("openai"), sse(chunk(content="x"), done(), groq)).usage == Usage(3, 0, 0, 4, 0)

    def test_a_refusal_is_not_an_answer(self) -> None:
        error = failure_of(reader("openai"), sse(chunk(refusal="I can't "), chunk(refusal="do that."), done()))
        assert error.code == "content_refused" and "I can't do that." in error.detail

    def test_signed_reasoning_details_come_back_whole(self) -> None:
        detail = {"type": "reasoning.text", "index": 0, "format": "anthropic-claude-v1"}
        body = sse(
            chunk(reasoning="So", reasoning_details=[{**detail, "text": "So"}]),
            chunk(reasoning=" yes", reasoning_details=[{**detail, "text": " yes"}]),
            chunk(reasoning_details=[{**detail, "text": "", "signature": "sig"}]),
            chunk(content="Yes"),
            done(),
        )
        answer = answer_of(reader("openai"), body)
        assert answer.reasoning == "So yes"
        signed = {"detail": {**detail, "text": "So yes", "signature": "sig"}}
        assert answer.message().reasoning == (ReasoningBlock(dialect="openai", model="m", payload=signed),)

    def test_an_error_after_the_finish_reason_is_an_error(self) -> None:
        body = sse(chunk(content="x"), done(), {"error": {"code": 502, "message": "upstream died"}, "choices": []})
        assert failure_of(reader("openai"), body).code == "provider_error"

    def test_thinking_parts_in_a_list(self) -> None:
        parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "ok"}]
        answer = answer_of(reader("openai"), sse(chunk(content=parts), done()))
        assert (answer.reasoning, answer.text) == ("hm", "ok")

    def test_content_that_is_no_text(self) -> None:
        body = sse(*(chunk(content=piece) for piece in ("$", 0, ".", 5, None, {"a": [1]})), done())
        assert answer_of(reader("openai"), body).text == '$0.5{"a":[1]}'
        whole = {"choices": [{"message": {"content": 0}, "finish_reason": "stop"}]}
        assert answer_of(reader("openai"), orjson.dumps(whole)).text == "0"

    def test_no_choices_is_not_an_answer(self) -> None:
        assert failure_of(reader("openai", content_type="application/json"), b"{}").code == "unreadable_answer"


class TestAnthropic:
    def stream(self, *events: dict[str, Any]) -> bytes:
        usage = {"input_tokens": 10, "cache_read_input_tokens": 70, "cache_creation_input_tokens": 20}
        start = {"type": "message_start", "message": {"id": "i", "model": "c", "usage": usage}}
        end = {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}}
        return sse(start, *events, end, {"type": "message_stop"})

    def block(self, index: int, block: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
        return [
            {"type": "content_block_start", "index": index, "content_block": block},
            *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
            {"type": "content_block_stop", "index": index},
        ]

    def test_signed_and_redacted_thinking_is_kept_in_order(self) -> None:
        body = self.stream(
            *self.block(
                0,
                {"type": "thinking", "thinking": "", "signature": ""},
                {"type": "thinking_delta", "thinking": "a"},
                {"type": "thinking_delta", "thinking": "b"},
                {"type": "signature_delta", "signature": "sig"},
            ),
            *self.block(1, {"type": "redacted_thinking", "data": "xyz"}),
            *self.block(
                2,
                {"type": "tool_use", "id": "t", "name": "f", "input": {}},
                {"type": "input_json_delta", "partial_json": ""},
                {"type": "input_json_delta", "partial_json": '{"a":'},
                {"type": "input_json_delta", "partial_json": "1}"},
            ),
        )
        answer = answer_of(reader("anthropic"), body)
        assert answer.reasoning == "ab"
        assert answer.tool_calls[0].arguments == '{"a":1}'
        assert [block.payload for block in answer.message().reasoning] == [
            {"type": "thinking", "thinking": "ab", "signature": "sig"},
            {"type": "redacted_thinking", "data": "xyz"},
        ]

    def test_input_tokens_include_the_cached_ones(self) -> None:
        body = self.stream(*self.block(0, {"type": "text", "text": "x"}))
        assert answer_of(reader("anthropic"), body).usage == Usage(100, 70, 20, 9, 0)

    def test_a_count_that_is_null_does_not_erase_an_earlier_one(self) -> None:
        names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens")
        count = {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 7}}
        nulls = {"type": "message_delta", "delta": {"stop_reason": ""}, "usage": dict.fromkeys(names)}
        read = reader("anthropic")
        read.feed(
            self.stream(count, nulls).split(b'data: {"type":"message_delta","delta":{"stop_reason":"tool_use"')[0]
        )
        assert read.usage == Usage(100, 70, 20, 7, 0) and read.reason is None

    def test_an_unknown_reason_to_stop_is_no_success(self) -> None:
        body = self.stream().replace(b'"tool_use"', b'"of_next_year"')
        assert failure_of(reader("anthropic"), body).code == "unusable_answer"

    @pytest.mark.parametrize("size", [0, 1, 60])
    @pytest.mark.parametrize("too_long", [False, True])
    def test_text_before_a_failure_is_taken_once(
        self, monkeypatch: pytest.MonkeyPatch, size: int, too_long: bool
    ) -> None:
        monkeypatch.setattr("inference.wire.EventReader", functools.partial(EventReader, limit=2_000))
        text = self.stream(*self.block(0, {"type": "text", "text": "once"})).decode()
        text = text.replace('"stop_reason":"tool_use"', '"stop_reason":null')
        if too_long:
            text += "data: " + "x" * 2_500
        recording = {"path": "/v1/messages", "status": 200, "content_type": "text/event-stream", "response": text}
        _, deltas, error = recorded(recording, size or len(text) - 1_500 * too_long)
        assert error is not None and error.code == ("unreadable_answer" if too_long else "stream_broken")
        assert gather(deltas).text == "once"

    def test_tools_that_run_at_the_vendor_are_not_calls(self) -> None:
        body = self.stream(
            *self.block(
                0,
                {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
                {"type": "input_json_delta", "partial_json": '{"query":"x"}'},
            ),
            *self.block(1, {"type": "web_search_tool_result", "tool_use_id": "s", "content": []}),
            *self.block(2, {"type": "text", "text": ""}, {"type": "citations_delta", "citation": {}}),
        )
        assert answer_of(reader("anthropic"), body).tool_calls == []

    @pytest.mark.parametrize("again", [[], [{"type": "input_json_delta", "partial_json": '{"a":1}'}]])
    def test_arguments_that_come_with_the_start_of_a_call(self, again: list[dict[str, Any]]) -> None:
        body = self.stream(*self.block(0, {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}, *again))
        assert [call.arguments for call in answer_of(reader("anthropic"), body).tool_calls] == ['{"a":1}']

    def test_an_event_of_a_kind_to_come_is_passed_over(self) -> None:
        body = self.stream({"type": "something_new", "x": 1}, *self.block(0, {"type": "new_block"}, {"type": "new"}))
        assert answer_of(reader("anthropic"), body).text == ""

    def test_a_stream_without_its_stop_is_broken(self) -> None:
        body = self.stream(*self.block(0, {"type": "text", "text": "x"})).split(b'data: {"type":"message_delta"')[0]
        assert failure_of(reader("anthropic"), body).code == "stream_broken"


class TestGoogle:
    def test_signatures_stay_with_their_calls(self) -> None:
        parts = [
            {"text": "hm", "thought": True},
            {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "sig"},
            {"functionCall": {"name": "g", "args": {}, "id": "own"}},
        ]
        body = sse({"candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}]})
        answer = answer_of(reader("google"), body)
        assert answer.reasoning == "hm"
        assert [(call.name, call.arguments, call.signature) for call in answer.tool_calls] == [
            ("f", '{"a":1}', "sig"),
            ("g", "{}", None),
        ]
        assert answer.tool_calls[1].id == "own"
        assert answer.finish is not None and answer.finish.reason == "tool_calls"

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}, "content_refused"),
            ({"candidates": [{"finishReason": "SAFETY"}]}, "content_refused"),
            ({"candidates": [{"finishReason": "RECITATION"}]}, "content_refused"),
            ({"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL"}]}, "malformed_tool_call"),
            ({"candidates": [{"content": {"parts": [{"text": "x"}]}, "finishReason": "OTHER"}]}, "unusable_answer"),
            ({"candidates": [{"finishReason": "MALFORMED_RESPONSE"}]}, "unusable_answer"),
            ({"candidates": [{"finishReason": "FINISH_REASON_UNSPECIFIED"}]}, "stream_broken"),
            ({"candidates": [{"content": {"parts": [{"text": "x"}]}}]}, "stream_broken"),
            ({"error": {"code": 503, "status": "UNAVAILABLE", "message": "busy"}}, "provider_overloaded"),
        ],
    )
    def test_what_is_not_an_answer(self, body: dict[str, Any], code: str) -> None:
        assert failure_of(reader("google"), sse(body)).code == code

    def test_errors_wrapped_in_a_list_with_the_time_to_wait(self) -> None:
        details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "33.5s"}]
        error = {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "quota exceeded, check billing",
                           "details": details}}  # fmt: skip
        failure = failure_of(reader("google", 429, "application/json"), json.dumps([error]).encode())
        assert (failure.code, failure.retry_after) == ("rate_limited", 33.5)

    def test_a_stream_asked_for_without_events_comes_as_a_list(self) -> None:
        said = [{"candidates": [{"content": {"parts": [{"text": text}]}}]} for text in ("one ", "two")]
        said.append({"candidates": [{"finishReason": "STOP"}]})
        assert answer_of(reader("google", content_type="application/json"), orjson.dumps(said)).text == "one two"

    def test_thoughts_are_output(self) -> None:
        usage = {
            "promptTokenCount": 9,
            "candidatesTokenCount": 5,
            "thoughtsTokenCount": 7,
            "cachedContentTokenCount": 4,
        }
        body = sse({"candidates": [{"finishReason": "MAX_TOKENS"}], "usageMetadata": usage})
        answer = answer_of(reader("google"), body)
        assert answer.usage == Usage(9, 4, 0, 12, 7)
        assert answer.finish is not None and answer.finish.reason == "length"
