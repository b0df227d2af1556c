"""Pages of the web: read as text, bounded, and never a way to what is not public."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest

from activities.web_page import MAX_BYTES, PageRefused, fetch_page
from codegen.page_text import page_text
from inference.guarded_transport import guarded_client

PAGE = """<html><head><title>Docs</title><style>p {}</style></head><body><script>evil()</script>
<h1>A  library</h1><p>Use <a href="/api">the API</a>.</p><ul><li>one<li>two</ul><!-- hidden --></body></html>"""


class Pages:
    """A web server on this machine; `answers` maps a path to the bytes of its answer."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes] = {}
        self.asked: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            path = head.split(" ")[1]
            self.asked.append(path)
            if path == "/never":
                await reader.read()
            writer.write(self.answers.get(path, answer(b"gone", status="404 Not Found")))
            if path == "/endless":
                while True:
                    writer.write(b"x" * 65536)
                    await writer.drain()
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


def answer(body: bytes, kind: str = "text/html", status: str = "200 OK", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-type: {kind}", "connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


@pytest.fixture
async def pages() -> AsyncIterator[tuple[Pages, str]]:
    served = Pages()
    server = await asyncio.start_server(served.serve, "127.0.0.1", 0)
    yield served, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


async def resolve_to(*addresses: str) -> Callable[[str, int], Awaitable[list[str]]]:
    async def resolve(host: str, port: int) -> list[str]:
        return list(addresses)

    return resolve


async def test_a_page_is_read_as_text(pages: tuple[Pages, str]) -> None:
    served, url = pages
    served.answers["/docs"] = answer(PAGE.encode(), "text/html; charset=utf-8")
    async with guarded_client(allow_private=True) as client:
        page = await fetch_page(f"{url}/docs", client)
    assert page.text == f"Docs\n\n# A library\n\nUse the API ({url}/api).\n\n- one\n\n- two"
    assert not page.cut


async def test_redirects_are_followed_and_bounded(pages: tuple[Pages, str]) -> None:
    served, url = pages
    served.answers["/old"] = answer(b"", status="302 Found", location="/new")
    served.answers["/new"] = answer(b'{"a": 1}', "application/json")
    served.answers["/round"] = answer(b"", status="301 Moved", location="/round")
    async with guarded_client(allow_private=True) as client:
        page = await fetch_page(f"{url}/old", client)
        assert (page.address, page.text) == (f"{url}/new", '{"a": 1}')
        with pytest.raises(PageRefused, match="leads on more than"):
            await fetch_page(f"{url}/round", client)


async def test_what_is_too_large_too_slow_or_no_text_is_bounded(pages: tuple[Pages, str]) -> None:
    served, url = pages
    served.answers["/endless"] = answer(b"", "text/plain")
    served.answers["/picture"] = answer(b"\x89PNG", "image/png")
    served.answers["/bomb"] = answer(gzip.compress(b"0" * 10**7), "text/plain", content_encoding="gzip")
    async with guarded_client(allow_private=True) as client:
        page = await fetch_page(f"{url}/endless", client)
        assert page.cut and len(page.text) == MAX_BYTES
        for path, says in (("picture", "image/png"), ("bomb", "compressed"), ("nowhere", "404")):
            with pytest.raises(PageRefused, match=says):
                await fetch_page(f"{url}/{path}", client)
        with pytest.raises(PageRefused, match="did not come within"):
            await fetch_page(f"{url}/never", client, seconds=0.3)


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1/", "http://localhost/", "http://0.0.0.0/", "http://[::1]/", "http://[::ffff:127.0.0.1]/",
        "http://2130706433/", "http://0x7f000001/", "http://0177.0.0.1/", "http://127.1/", "http://10.0.0.1/",
        "http://192.168.1.1/", "http://172.16.0.1/", "http://169.254.169.254/latest/meta-data/", "http://100.64.0.1/",
        "http://[fe80::1]/", "http://[fc00::1]/", "http://[64:ff9b::7f00:1]/", "http://[2002:7f00:1::]/",
        "http://localhost./", "http://[fd00:ec2::254]/", "http://224.0.0.1/", "http://255.255.255.255/",
    ],
)  # fmt: skip
async def test_no_address_of_ours_is_reached_however_it_is_written(address: str) -> None:
    async with guarded_client(allow_private=False) as client:
        with pytest.raises(PageRefused):
            await fetch_page(address, client, seconds=5)


@pytest.mark.parametrize(
    "address",
    [
        "file:///etc/passwd", "ftp://example.org/", "gopher://127.0.0.1:6379/_x", "data:text/plain,x", "javascript:1",
        "//example.org/", "example.org", "http://", "http:///x", "http://user:pw@example.org/", "http://example.org:0/",
        "http://example.org:99999/", "http://[::1", "unix:///var/run/x.sock", "",
    ],
)  # fmt: skip
async def test_only_plain_addresses_of_the_web_are_fetched(address: str) -> None:
    async def never(host: str, port: int) -> list[str]:
        raise AssertionError(f"{host} was looked up")

    async with guarded_client(allow_private=False, resolve=never) as client:
        with pytest.raises(PageRefused):
            await fetch_page(address, client)


@pytest.mark.parametrize("target", ["http://169.254.169.254/secret", "file:///etc/passwd", "ftp://127.0.0.1/", "//["])
async def test_a_redirect_is_looked_at_like_the_first_address(pages: tuple[Pages, str], target: str) -> None:
    served, url = pages
    served.answers["/out"] = answer(b"", status="302 Found", location=target)
    async with guarded_client(allow_private=True) as client:  # private, as the server is; link-local never
        with pytest.raises(PageRefused):
            await fetch_page(f"{url}/out", client)
    assert served.asked == ["/out"]


async def test_a_name_that_also_leads_here_is_refused(pages: tuple[Pages, str]) -> None:
    served, url = pages
    port = httpx.URL(url).port
    async with guarded_client(allow_private=False, resolve=await resolve_to("93.184.216.34", "127.0.0.1")) as client:
        with pytest.raises(PageRefused):
            await fetch_page(f"http://rebinding.example:{port}/", client)
    assert served.asked == []


async def test_a_name_that_changes_its_answer_leads_nowhere_else(pages: tuple[Pages, str]) -> None:
    """The connection goes to the address that was checked: a second answer of the name server is never asked for."""
    served, url = pages
    answers = [["192.0.2.1"], ["127.0.0.1"]]
    looked_up: list[str] = []

    async def resolve(host: str, port: int) -> list[str]:
        looked_up.append(host)
        return answers[min(len(looked_up) - 1, 1)]

    async with guarded_client(allow_private=False, resolve=resolve, timeout=0.5) as client:
        with pytest.raises(PageRefused):
            await fetch_page(f"http://rebinding.example:{httpx.URL(url).port}/", client, seconds=2)
    assert looked_up == ["rebinding.example"] and served.asked == []


def test_broken_markup_still_gives_its_words() -> None:
    assert page_text("<p>a<b>c<script>x") == "ac"
    assert page_text("<a href='http://[bad'>word</a> <td>cell", "http://x.example/") == "word cell"
    assert page_text("") == ""
