"""The gateway's reading of messages: what could be understood in two ways is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.http1 import LAST_CHUNK, MOST_HEAD, Answer, Body, Malformed, Request, chunk, take_head

HOST = b"Host: x\r\n"


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n",  # no host
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n",
        b"GET  / HTTP/1.1\r\n" + HOST,
        b"GET / HTTP/1.1 \r\n" + HOST,
        b"GET / HTTP/2.0\r\n" + HOST,
        b"GET / http/1.1\r\n" + HOST,
        b"GET http://other/ HTTP/1.1\r\n" + HOST,
        b"GET * HTTP/1.1\r\n" + HOST,
        b"GET /\x00 HTTP/1.1\r\n" + HOST,
        b"GET /\xff HTTP/1.1\r\n" + HOST,
        b"GET / HTTP/1.1\r\n" + HOST + b" Folded: x\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"A: x\r\n folded\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"A : x\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b": x\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"A\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"A: x\nB: y\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"A: x\rB: y\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"A: \x00\r\n",
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nContent-Length: 5\r\n",
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: +5\r\n",
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5, 5\r\n",
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 0x5\r\n",
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length:\r\n",
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: xchunked\r\n",
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip, chunked\r\n",
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding:\r\n",
        b"POST / HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n",
        b"CONNECT / HTTP/1.1\r\n" + HOST,
        b"TRACE / HTTP/1.1\r\n" + HOST,
    ],
)
def test_requests_that_could_be_read_in_two_ways_are_refused(head: bytes) -> None:
    with pytest.raises(Malformed):
        Request(head)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n",
        b"HTTP/1.1 200 OK\r\nA: x\r\n folded\r\n",
        b"HTTP/1.1 200 O\nK\r\n",
        b"HTTP/1.1 2000 OK\r\n",
        b"HTTP/1.1 700 OK\r\n",
        b"ICY 200 OK\r\n",
    ],
)
def test_answers_that_could_be_read_in_two_ways_are_refused(head: bytes) -> None:
    with pytest.raises(Malformed):
        Answer(head, b"GET")


def test_a_head_is_read() -> None:
    lines = b"Host: x:80\r\nCookie: a=b\r\nConnection: close, X-Own\r\nX-Own: 1\r\nX-Kept:  2 \r\nContent-Length: 3\r\n"
    request = Request(b"POST /a?b=c HTTP/1.1\r\n" + lines)
    assert (request.method, request.path, request.query) == (b"POST", b"/a", b"b=c")
    assert request.has_body
    assert not request.lasting
    kept = request.fields.kept(frozenset({b"cookie", b"connection"}))
    assert kept == b"host: x:80\r\nx-kept: 2\r\ncontent-length: 3\r\n", "what Connection names is not passed on"
    assert Request(b"GET / HTTP/1.1\r\n" + HOST).lasting
    assert not Request(b"GET / HTTP/1.0\r\n").lasting


@pytest.mark.parametrize(
    "head,upgrades",
    [
        (b"GET / HTTP/1.1\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n", True),
        (b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n", False),
        (b"GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\n", False),
        (b"POST / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n", False),
        (b"GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n", False),
        (b"GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n", False),
    ],
)
def test_only_a_plain_request_becomes_a_socket(head: bytes, upgrades: bool) -> None:
    assert Request(head + HOST).upgrades is upgrades


@pytest.mark.parametrize(
    "status,method,bodiless,lasting",
    [(200, b"GET", False, False), (200, b"HEAD", True, True), (204, b"GET", True, True), (304, b"GET", True, True)],
)
def test_answers_without_a_length_end_with_their_connection(
    status: int, method: bytes, bodiless: bool, lasting: bool
) -> None:
    answer = Answer(b"HTTP/1.1 %d X\r\n" % status, method)
    assert (answer.bodiless, answer.lasting) == (bodiless, lasting)


@pytest.mark.parametrize("text", [b"GET / HTTP/1.1\nHost: x\n\n", b"\r\nGET /", b"GET / HTTP/1.1\r\nA: x\r\n b"])
def test_a_head_that_can_become_none_is_refused_at_once(text: bytes) -> None:
    with pytest.raises(Malformed):
        take_head(text)


def test_a_head_has_bounds() -> None:
    assert take_head(b"GET / HTTP/1.1\r\nHost: x\r") is None
    with pytest.raises(Malformed, match="431"):
        take_head(b"GET / HTTP/1.1\r\nA: " + b"x" * MOST_HEAD)


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=200))
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    for read in (Request, lambda head: Answer(head, b"GET")):
        try:
            found = take_head(data + b"\r\n\r\n")
            if found is not None:
                read(found[0])
        except Malformed:
            pass


@settings(deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=40), max_size=6), st.binary(max_size=8), st.integers(1, 12))
def test_chunks_are_taken_apart_wherever_they_are_cut(pieces: list[bytes], after: bytes, step: int) -> None:
    data = b"".join(map(chunk, pieces)) + LAST_CHUNK + after
    body, found, rest = Body(None, True), b"", b""
    for start in range(0, len(data), step):
        if body.complete:
            rest += data[start : start + step]
            continue
        piece, rest = body.feed(data[start : start + step])
        found += piece
    assert body.complete
    assert found == b"".join(pieces)
    assert rest == after


@pytest.mark.parametrize(
    "data",
    [
        *(b"0x5\r\n", b"+5\r\n", b"-5\r\n", b" 5\r\n", b"5 \r\n", b"5;a=b\r\n", b"5\n", b"\r\n", b"g\r\n", b"5\r5"),
        *(b"fffffffff\r\n", b"00000000000", b"5\r\nhelloX", b"5\r\nhello\n", b"0\r\nTrailer: x\r\n\r\n", b"0\r\nX"),
    ],
)
def test_bad_chunks_are_refused(data: bytes) -> None:
    for step in (1, len(data)):
        body = Body(None, True)
        with pytest.raises(Malformed):
            for start in range(0, len(data), step):
                body.feed(data[start : start + step])


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=120))
def test_whatever_is_taken_for_chunks_says_the_same_framed_anew(data: bytes) -> None:
    body = Body(None, True)
    try:
        piece, rest = body.feed(data)
    except Malformed:
        return
    if body.complete:
        again = Body(None, True)
        assert again.feed((chunk(piece) if piece else b"") + LAST_CHUNK) == (piece, b"")
        assert data.endswith(rest)


def test_a_body_of_known_length_ends_there() -> None:
    body = Body(5, False)
    assert body.feed(b"abc") == (b"abc", b"")
    assert not body.complete
    assert body.feed(b"defgh") == (b"de", b"fgh")
    assert body.complete
    assert Body(0, False).complete
    assert Body(None, False).feed(b"abc") == (b"abc", b"")
