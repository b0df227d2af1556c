from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox import inspector
from sandbox.http1 import Answer
from sandbox.inspector import TAG, Insertion


def fed(document: bytes, cuts: list[int]) -> bytes:
    insertion = Insertion()
    edges = [0, *sorted(min(cut, len(document)) for cut in cuts), len(document)]
    pieces = [document[start:end] for start, end in pairwise(edges)]
    return b"".join(insertion.feed(piece, more=index < len(pieces) - 1) for index, piece in enumerate(pieces))


@settings(deadline=None)
@given(st.lists(st.integers(0, 60), max_size=6))
def test_the_tag_opens_the_head_however_the_document_is_cut(cuts: list[int]) -> None:
    document = b'<!doctype html><html lang="en"><HEAD data-x="1"><title>a</title></HEAD><body>b'
    assert fed(document, cuts) == document.replace(b'data-x="1">', b'data-x="1">' + TAG)


def test_a_document_without_a_head_keeps_its_doctype_first() -> None:
    assert fed(b"<!doctype html><p>a", []) == b"<!doctype html>" + TAG + b"<p>a"
    assert fed(b"<p>a", []) == TAG + b"<p>a"
    assert fed(b"<header>a</header>", []) == TAG + b"<header>a</header>", "a header is no head"


def test_a_long_document_without_a_head_is_not_held_back() -> None:
    insertion = Insertion()
    piece = b"<!doctype html>" + b"x" * 70_000
    assert len(insertion.feed(piece, more=True)) == len(piece) + len(TAG)
    assert insertion.feed(b"<head>", more=False) == b"<head>"


def test_only_readable_documents_get_it() -> None:
    def answer(method: bytes, status: int, *lines: bytes) -> Answer:
        return Answer(b"HTTP/1.1 %d X\r\n" % status + b"".join(b"%b\r\n" % line for line in lines), method)

    html = b"Content-Type: text/html; charset=utf-8"
    assert inspector.belongs_into(answer(b"GET", 200, html))
    assert not inspector.belongs_into(answer(b"GET", 404, html))
    assert not inspector.belongs_into(answer(b"HEAD", 200, html))
    assert not inspector.belongs_into(answer(b"GET", 200, b"Content-Type: text/javascript"))
    assert not inspector.belongs_into(answer(b"GET", 200, html, b"Content-Encoding: gzip"))


def test_the_script_knows_the_origins_that_it_may_talk_to() -> None:
    program = inspector.script(["https://stich.example.org"]).decode()
    assert 'const parents = ["https://stich.example.org"]' in program
    assert "'PARENTS'" not in program
