"""What the readers of all dialects share: which bytes are a stream, what is an error, what counts."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.errors import InferenceError
from schemas.inference import Usage
from tests.inference.reading import answer_of, chunk, done, failure_of, reader, sse

WHOLE = {"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]}


@pytest.mark.parametrize("cuts", [0, 1])
@pytest.mark.parametrize("content_type", ["", "application/json", "application/octet-stream", "text/plain"])
@pytest.mark.parametrize("before", [b"", b": hello\n\n", b"retry: 3000\r\n", b"\xef\xbb\xbf\r\n"])
def test_a_stream_that_does_not_call_itself_one(cuts: int, content_type: str, before: bytes) -> None:
    body = before + sse(chunk(content="x"), done())
    assert answer_of(reader("openai", content_type=content_type), body, cuts).text == "x"


@pytest.mark.parametrize("body", [b"<html>Sign in</html>", b"data: of a page", b"", b"no"])
def test_a_page_is_not_an_answer(body: bytes) -> None:
    assert failure_of(reader("openai", content_type="text/html"), body).code == "unreadable_answer"


@pytest.mark.parametrize("cuts", [0, 1])
def test_a_body_that_begins_with_a_byte_order_mark(cuts: int) -> None:
    body = b"\xef\xbb\xbf" + orjson.dumps(WHOLE)
    assert answer_of(reader("openai", content_type="application/json"), body, cuts).text == "x"


def test_a_stream_of_nothing_is_broken() -> None:
    assert failure_of(reader("openai"), b"").code == "stream_broken"
    assert failure_of(reader("openai"), b":\n").code == "stream_broken"


@pytest.mark.parametrize("cuts", [0, 1])
def test_one_json_body_that_calls_itself_a_stream(cuts: int) -> None:
    limited = b' \r\n{"error":\n{"message": "slow down", "code": 429}}'
    with pytest.raises(InferenceError) as caught:
        answer_of(reader("openai"), limited, cuts)
    assert caught.value.code == "rate_limited"
    whole = {"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]}
    assert answer_of(reader("openai"), orjson.dumps(whole), cuts).text == "x"
    array = [{"error": {"code": 503, "status": "UNAVAILABLE", "message": "busy"}}]
    assert failure_of(reader("google"), orjson.dumps(array)).code == "provider_overloaded"


def test_an_error_event_in_words() -> None:
    body = sse(chunk(content="x")) + b"event: error\ndata: the model is overloaded\n\n"
    assert failure_of(reader("openai"), body).code == "provider_overloaded"


def test_an_error_that_stands_bare() -> None:
    bare = {"object": "error", "message": "engine died", "type": "InternalServerError", "code": 500}
    assert failure_of(reader("openai"), sse(chunk(content="x"), bare)).code == "provider_error"
    assert failure_of(reader("openai", content_type="application/json"), orjson.dumps(bare)).detail == "engine died"


@pytest.mark.parametrize("after", [{}, {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}])
def test_a_count_of_nothing_does_not_erase_an_earlier_one(after: dict[str, Any]) -> None:
    counted = {**done(), "usage": {"prompt_tokens": 3, "completion_tokens": 4}}
    body = sse(chunk(content="x"), counted, {"choices": [], "usage": after})
    assert answer_of(reader("openai"), body).usage == Usage(3, 0, 0, 4, 0)


def test_half_a_character_costs_no_more_than_itself() -> None:
    halves = rb'data: {"choices":[{"delta":{"content":"a\ud83d"}}]}' + b"\n\n"
    halves += rb'data: {"choices":[{"delta":{"content":"\uDE00b"}}]}' + b"\n\n"
    assert answer_of(reader("openai"), halves + sse(done())).text == "a??b"
    assert failure_of(reader("openai"), rb"data: {\ud83d" + b"\n\n").code == "unreadable_answer"


@pytest.mark.parametrize("dialect", ["openai", "anthropic", "google"])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_nothing_a_server_sends_raises_anything_untyped(dialect: str, data: st.DataObject) -> None:
    json_value = st.recursive(
        st.none() | st.booleans() | st.integers(-9, 10**12) | st.text(max_size=8),
        lambda child: (
            st.lists(child, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "choices",
                        "delta",
                        "content",
                        "tool_calls",
                        "function",
                        "type",
                        "index",
                        "error",
                        "usage",
                        "candidates",
                        "parts",
                        "text",
                        "message",
                        "content_block",
                        "finish_reason",
                        "finishReason",
                        "id",
                    ]
                ),
                child,
                max_size=4,
            )
        ),
        max_leaves=8,
    )
    events = data.draw(st.lists(json_value, max_size=4))
    status = data.draw(st.sampled_from([200, 400, 429, 500]))
    kind = data.draw(st.sampled_from(["text/event-stream", "application/json", "text/html", ""]))
    body = sse(*events) if kind == "text/event-stream" else orjson.dumps(events)
    try:
        answer_of(reader(dialect, status, kind), body, cuts=7)
    except InferenceError as error:
        assert error.code and error.sentence and error.next_action
