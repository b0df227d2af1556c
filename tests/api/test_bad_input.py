"""What does not fit is refused with one clear sentence, and changes nothing."""

import asyncio
import json
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.bodies import MAX_DEPTH, PROMPT_LIMIT
from schemas.http import Problem
from schemas.session import MAX_PROMPT
from tests.api.conftest import TOKEN, Service

pytestmark = pytest.mark.usefixtures("worker")

JSON = {"Content-Type": "application/json"}


def problem_of(content: bytes) -> Problem:
    problem = Problem.model_validate_json(content)
    assert problem.detail
    assert problem.next_action
    assert problem.request_id
    return problem


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, "The field “prompt” is missing."),
        ({"prompt": ""}, "The field “prompt” is empty."),
        ({"prompt": " \n\t "}, "The field “prompt” is empty."),
        ({"prompt": "x" * (MAX_PROMPT + 1)}, "The field “prompt” is longer than the 20,000 characters allowed."),
        ({"prompt": 7}, "The field “prompt” must be text."),
        ({"prompt": None}, "The field “prompt” must be text."),
        ({"prompt": "a\0b"}, "The text holds a null character, which cannot be stored."),
        ({"prompt": "An app", "mode": "clever"}, "The field “mode” must be one of: deterministic, smart."),
        ({"prompt": "An app", "template": "cobol"}, "There is no template “cobol”. Known templates: react-vite."),
        ({"prompt": "An app", "template": 1}, "The field “template” must be text."),
        ({"prompt": "An app", "max_phases": 0}, "The field “max_phases” must be at least 1."),
        ({"prompt": "An app", "max_phases": 99}, "The field “max_phases” must be at most 10."),
        ({"prompt": "An app", "review_cycles": "many"}, "The field “review_cycles” must be a whole number."),
        ({"prompt": "An app", "user_id": "bob"}, "There is no field “user_id” here."),
        ({"prompt": "An app", "a\0": 1}, "The text holds a null character, which cannot be stored."),
        (
            {"prompt": "An app", "mode": "smart", "phase_candidates": 2},
            "The request does not fit: candidates are written in the mode “deterministic” only.",
        ),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_body_that_does_not_fit(service: Service, body: object, sentence: str) -> None:
    answer = await service.signed_in.post("/api/sessions", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = problem_of(answer.content)
    assert problem.code == "invalid_request"
    assert problem.detail == sentence


async def test_several_errors_are_told_at_once(service: Service) -> None:
    answer = await service.signed_in.post("/api/sessions", json={"prompt": "", "mode": "x"})
    assert problem_of(answer.content).detail == (
        "The field “prompt” is empty. The field “mode” must be one of: deterministic, smart."
    )


async def test_the_longest_prompt_fits_however_it_is_written(service: Service) -> None:
    prompt = "\N{GRINNING FACE}" * MAX_PROMPT
    for ensure_ascii in (True, False):
        content = json.dumps({"prompt": prompt}, ensure_ascii=ensure_ascii).encode()
        answer = await service.signed_in.post("/api/sessions", content=content, headers=JSON)
        assert answer.status_code == 201


@pytest.mark.parametrize(
    ("body", "fits"),
    [
        ({"text": ""}, False),
        ({"text": "x" * (MAX_PROMPT + 1)}, False),
        ({"text": "Hello", "id": "a b"}, False),
        ({"text": "Hello", "id": ""}, False),
        ({"text": "Hello", "id": "x" * 65}, False),
        ({"text": "Hello", "interrupt": "perhaps"}, False),
        ({"text": "Hello", "author": "bob"}, False),
        ({"text": "Hello", "id": "m_1-A", "interrupt": True}, True),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_message_is_checked_too(service: Service, body: object, fits: bool) -> None:
    session_id = (await service.signed_in.post("/api/sessions", json={"prompt": "An app"})).json()["id"]
    answer = await service.signed_in.post(f"/api/sessions/{session_id}/messages", json=body)
    assert answer.status_code == (202 if fits else 422)
    messages = (await service.signed_in.get(f"/api/sessions/{session_id}")).json()["progress"]["messages"]
    assert len(messages) == fits


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"prompt"',
        b"{'prompt': 'x'}",
        b'{"prompt": NaN}',
        b'{"prompt": "\xff"}',
        b'{"prompt": "\\ud800"}',
        b'\xef\xbb\xbf{"prompt": "x"}',
        b"[" * 2000,
        b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1),
        b'{"a":' + b"[" * 500 + b"]" * 500 + b"}",
    ],
    ids=lambda value: repr(value[:20]),
)
async def test_what_is_not_json(service: Service, content: bytes) -> None:
    answer = await service.signed_in.post("/api/sessions", content=content, headers=JSON)
    assert answer.status_code == 400
    assert problem_of(answer.content).code == "bad_json"


@pytest.mark.parametrize("media_type", ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonx"])
async def test_only_json_is_taken(service: Service, media_type: str) -> None:
    answer = await service.signed_in.post(
        "/api/sessions", content=b'{"prompt":"x"}', headers={"Content-Type": media_type}
    )
    assert answer.status_code == 415
    assert problem_of(answer.content).code == "unsupported_media_type"


async def test_json_may_name_its_charset(service: Service) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    answer = await service.signed_in.post("/api/sessions", content=b'{"prompt":"An app"}', headers=headers)
    assert answer.status_code == 201


async def test_a_body_may_not_be_too_large(service: Service) -> None:
    content = b'{"prompt":"' + b"x" * PROMPT_LIMIT + b'"}'
    answer = await service.signed_in.post("/api/sessions", content=content, headers=JSON)
    assert answer.status_code == 413
    assert problem_of(answer.content).detail == "The body is larger than the 256 KB allowed here."


async def raw_post(service: Service, *headers: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection on which the head of a POST was sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", service.settings.port)
    head = ["POST /api/sessions HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {TOKEN}", *headers]
    writer.write("".join(f"{line}\r\n" for line in [*head, "Content-Type: application/json", ""]).encode())
    await writer.drain()
    return reader, writer


async def test_a_body_without_a_length_may_not_be_too_large_either(service: Service) -> None:
    reader, writer = await raw_post(service, "Transfer-Encoding: chunked")
    for _ in range(PROMPT_LIMIT // 8192 + 1):
        writer.write(b"2000\r\n" + b"x" * 8192 + b"\r\n")
        await writer.drain()
    assert (await reader.readline()).split()[1] == b"413"
    writer.close()


async def test_a_large_body_is_refused_before_it_is_sent(service: Service) -> None:
    reader, writer = await raw_post(service, f"Content-Length: {10**30}")
    assert (await reader.readline()).split()[1] in (b"400", b"413")
    writer.close()


async def test_a_body_has_to_arrive_in_time(service: Service) -> None:
    with mock.patch("api.bodies.BODY_SECONDS", 0.1):
        reader, writer = await raw_post(service, "Content-Length: 100")
        assert (await reader.readline()).split()[1] == b"408"
        writer.close()


async def test_a_client_that_leaves_in_the_middle_of_its_body_harms_nobody(service: Service) -> None:
    _, writer = await raw_post(service, "Content-Length: 100")
    writer.write(b"{")
    await writer.drain()
    writer.close()
    assert (await service.signed_in.get("/healthz")).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/api/sessions", {"GET", "HEAD", "POST"}),
        ("PUT", "/api/sessions/session-1", {"GET", "HEAD"}),
        ("GET", "/api/sessions/session-1/stop", {"POST"}),
        ("HEAD", "/api/sessions/session-1/events", {"GET"}),
        ("POST", "/healthz", {"GET", "HEAD"}),
    ],
)
async def test_a_wrong_method(service: Service, method: str, path: str, allowed: set[str]) -> None:
    answer = await service.signed_in.request(method, path)
    assert answer.status_code == 405
    assert allowed <= set(answer.headers["allow"].split(", "))
    if method != "HEAD":
        assert problem_of(answer.content).code == "method_not_allowed"


@pytest.mark.parametrize("path", ["/api/nowhere", "/api/", "/api/sessions/", "/nowhere", "/a/b", "/%00", "/..%2f..%2f"])
async def test_an_unknown_address(service: Service, path: str) -> None:
    answer = await service.signed_in.get(path)
    assert answer.status_code == 404
    assert problem_of(answer.content).code in ("not_found", "session_not_found")


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=many", "limit=", f"before={'x' * 201}"])
async def test_a_query_that_does_not_fit(service: Service, query: str) -> None:
    answer = await service.signed_in.get(f"/api/sessions?{query}")
    assert answer.status_code == 422
    assert query.split("=")[0] in problem_of(answer.content).detail


async def test_a_query_with_a_null_character(service: Service) -> None:
    answer = await service.signed_in.get("/api/sessions?before=%00")
    assert answer.status_code == 422


@pytest.mark.parametrize("what", ["stop", "resume"])
@pytest.mark.parametrize(
    ("content", "status"), [(b"{", 400), (b"[]", 400), (b"\xff", 400), (b'{"now":true}', 422), (b"x" * 70_000, 413)]
)
async def test_a_stop_has_nothing_to_say(service: Service, what: str, content: bytes, status: int) -> None:
    session_id = (await service.signed_in.post("/api/sessions", json={"prompt": "An app"})).json()["id"]
    answer = await service.signed_in.post(f"/api/sessions/{session_id}/{what}", content=content, headers=JSON)
    assert answer.status_code == status
    assert problem_of(answer.content).detail
    shown = (await service.signed_in.get(f"/api/sessions/{session_id}")).json()
    assert shown["progress"]["state"]["name"] == "planning", "a request that does not fit changes nothing"


@pytest.mark.parametrize("key", ["with space", "x" * 201, ""])
async def test_an_idempotency_key_that_does_not_fit(service: Service, key: str) -> None:
    answer = await service.signed_in.post("/api/sessions", json={"prompt": "An app"}, headers={"Idempotency-Key": key})
    assert answer.status_code == 422
    assert "idempotency-key" in problem_of(answer.content).detail


class TestAnything:
    """Whatever is sent, the answer is a problem or a success, never an internal error."""

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        body=st.one_of(
            st.binary(max_size=200),
            st.recursive(
                st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
                lambda inner: (
                    st.lists(inner, max_size=3)
                    | st.dictionaries(st.sampled_from(["prompt", "mode", "template", "x"]), inner, max_size=4)
                ),
                max_leaves=8,
            ).map(lambda value: json.dumps(value).encode()),
        )
    )
    async def test_any_body(self, service: Service, body: bytes) -> None:
        answer = await service.signed_in.post("/api/sessions", content=body, headers=JSON)
        assert answer.status_code in (201, 400, 422)
        if answer.status_code != 201:
            problem_of(answer.content)

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(path=st.text(st.characters(blacklist_categories=["Cs"]), max_size=40))
    async def test_any_path(self, service: Service, path: str) -> None:
        answer = await service.signed_in.get(f"/api/{httpx_quote(path)}")
        assert answer.status_code < 500
        if answer.status_code >= 400:
            problem_of(answer.content)


def httpx_quote(path: str) -> str:
    """Every byte but letters and digits escaped, so that nothing on the way tidies the path up."""
    return "".join(f"%{byte:02X}" if not chr(byte).isalnum() or byte > 127 else chr(byte) for byte in path.encode())
