"""No name, form of an address, redirect or second answer of a name server leads to where it may not."""

import asyncio
import contextlib
import ipaddress
from collections.abc import AsyncIterator

import httpcore
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.guarded_transport import AddressRefused, GuardedBackend, guarded_client, why_refused

PUBLIC = ["1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8", "2002:808:808::1"]
PRIVATE = [
    "127.0.0.1", "127.255.255.254", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "::1",
    "fd12:3456::1", "::ffff:127.0.0.1", "::ffff:0:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "::127.0.0.1",
    "2001:db8:1:2:0:5efe:a00:1",
]  # fmt: skip
NEVER = [
    "169.254.169.254", "fe80::1", "fe80::1%eth0", "0.0.0.0", "::", "0.1.2.3", "224.0.0.1", "255.255.255.255",
    "ff02::1", "100.100.100.200", "192.0.0.192", "fd00:ec2::254", "240.0.0.1", "198.18.0.1", "192.0.2.1",
    "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a9fe:a9fe", "2001:0:1::1", "2001:db8::1", "fec0::1",
    "2002:a9fe:a9fe::1", "not an address", "",
]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_may_be_reached(address: str) -> None:
    assert why_refused(address, allow_private=False) == ""


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_the_operators_to_allow(address: str) -> None:
    assert why_refused(address, allow_private=False)
    assert why_refused(address, allow_private=True) == ""


@pytest.mark.parametrize("address", NEVER)
def test_some_addresses_are_never_reached(address: str) -> None:
    assert why_refused(address, allow_private=False)
    assert why_refused(address, allow_private=True)


@given(st.integers(0, 2**32 - 1))
def test_an_embedded_address_is_judged_as_the_address_itself(number: int) -> None:
    address = ipaddress.IPv4Address(number)
    for form in (f"::ffff:{address}", f"64:ff9b::{address}", str(ipaddress.IPv6Address(0x2002 << 112 | number << 80))):
        for allowed in (False, True):
            assert why_refused(form, allow_private=allowed) == why_refused(str(address), allow_private=allowed)


@given(st.integers(0, 2**128 - 1))
def test_what_may_be_reached_is_global(number: int) -> None:
    address = ipaddress.IPv6Address(number)
    if not why_refused(str(address), allow_private=False):
        assert address.is_global or address in ipaddress.IPv6Network("::/3")  # there, what it stands for is


class Web:
    """A server on the loopback that counts who came, and redirects `/to?URL`."""

    def __init__(self) -> None:
        self.port = 0
        self.seen: list[str] = []

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.seen.append(head)
            path = head.split(" ")[1]
            if path.startswith("/to?"):
                writer.write(f"HTTP/1.1 302 F\r\nLocation: {path[4:]}\r\nContent-Length: 0\r\n\r\n".encode())
            else:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
            await writer.drain()
        writer.close()


@pytest.fixture
async def web() -> AsyncIterator[Web]:
    web = Web()
    server = await asyncio.start_server(web.answer, "127.0.0.1", 0)
    web.port = server.sockets[0].getsockname()[1]
    yield web
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "017700000001", "0177.0.0.1", "127.1", "0x7f.1",
     "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::1]", "[::]", "0", "0.0.0.0", "127.0.0.1.", "①②⑦.⓪.⓪.①"],
)  # fmt: skip
async def test_no_form_of_this_machines_address_is_reached(web: Web, host: str) -> None:
    async with guarded_client(False) as client:
        with pytest.raises((httpx.ConnectError, httpx.InvalidURL)):
            await client.get(f"http://{host}:{web.port}/")
    assert web.seen == []


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "localhost"])
async def test_an_operator_may_allow_private_addresses(web: Web, host: str) -> None:
    async with guarded_client(True) as client:
        assert (await client.get(f"http://{host}:{web.port}/")).text == "hello"


async def test_a_name_is_resolved_once_and_the_checked_address_is_used(web: Web) -> None:
    asked: list[str] = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    async with guarded_client(True, resolve=resolve) as client:
        assert (await client.get(f"http://models.example:{web.port}/")).text == "hello"
    assert asked == ["models.example"]
    assert f"Host: models.example:{web.port}" in web.seen[0]


class Recording(httpcore.AsyncNetworkBackend):
    """Notes where a connection was to go, and makes none."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def connect_tcp(self, host: str, *rest: object, **named: object) -> httpcore.AsyncNetworkStream:
        self.seen.append(host)
        raise httpcore.ConnectError("nobody is there")


async def test_a_name_that_turns_private_later_is_refused_then() -> None:
    answers = iter([["1.1.1.1", "8.8.8.8"], ["127.0.0.1"], ["1.1.1.1", "127.0.0.1"]])

    async def resolve(host: str, port: int) -> list[str]:
        return next(answers)

    network = Recording()
    backend = GuardedBackend(False, resolve, network)
    for _ in range(3):
        with pytest.raises(httpcore.ConnectError):
            await backend.connect_tcp("rebinding.example", 443)
    assert network.seen == ["1.1.1.1", "8.8.8.8"]


async def test_redirects_are_not_followed_by_themselves(web: Web) -> None:
    async with guarded_client(True) as client:
        answer = await client.get(f"http://127.0.0.1:{web.port}/to?http://127.0.0.1:{web.port}/inner")
    assert answer.status_code == 302
    assert len(web.seen) == 1


async def test_a_redirect_is_checked_like_any_address(web: Web) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["169.254.169.254"] if host == "metadata.example" else ["127.0.0.1"]

    async with guarded_client(True, resolve=resolve) as client:
        with pytest.raises(AddressRefused) as refused:
            await client.get(
                f"http://start.example:{web.port}/to?http://metadata.example/latest", follow_redirects=True
            )
    assert len(web.seen) == 1
    assert "169.254" not in str(refused.value)


async def test_other_schemes_are_refused() -> None:
    async with guarded_client(True) as client:
        for url in ("file:///etc/passwd", "gopher://127.0.0.1/", "ftp://127.0.0.1/"):
            with pytest.raises(httpx.UnsupportedProtocol):
                await client.get(url)


async def test_a_proxy_of_the_environment_is_not_used(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{web.port}")
    monkeypatch.setenv("all_proxy", f"http://127.0.0.1:{web.port}")
    async with guarded_client(False) as client:
        with pytest.raises(AddressRefused):
            await client.get("http://10.0.0.1/")
    assert web.seen == []
