"""HTTP to addresses that somebody else named, without reaching what is not meant for them.

Every connection resolves its host's name once, checks all addresses that it has, and connects to one of those that were
checked: no other name, form of an address or later answer of the name server leads elsewhere. A redirect makes a
connection of its own and is checked like any other.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, TypeAlias

import httpcore
import httpx

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve: TypeAlias = Callable[[str, int], Awaitable[list[str]]]
SocketOptions: TypeAlias = Iterable[
    tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]
]

# Where clouds tell a machine its own secrets, beside the link-local address that most of them use.
METADATA: Final = frozenset(map(ipaddress.ip_address, ("100.100.100.200", "192.0.0.192", "fd00:ec2::254")))
PRIVATE: Final = tuple(
    map(
        ipaddress.ip_network,
        ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "::1/128", "fc00::/7"),
    )
)
# IPv6 addresses that stand for an IPv4 address, and how far right of the low end it lies in them.
EMBEDDING: Final = tuple(
    (ipaddress.IPv6Network(network), shift)
    for network, shift in (
        ("::ffff:0:0/96", 0),  # mapped
        ("::ffff:0:0:0/96", 0),  # translated
        ("64:ff9b::/96", 0),  # NAT64
        ("2002::/16", 80),  # 6to4
        ("::/96", 0),  # compatible; after ::1, which is itself
    )
)
REFUSED_NETWORKS: Final = tuple(
    map(ipaddress.ip_network, ("64:ff9b:1::/48", "2001::/32", "0.0.0.0/8", "fec0::/10", "192.88.99.0/24"))
)
ISATAP: Final = 0x00005EFE


class AddressRefused(httpx.ConnectError):
    """The host has an address that may not be reached from here. The message says why and names no address."""


class _Refused(httpcore.ConnectError):
    """`AddressRefused` on its way through the connection pool."""


def why_refused(address: str, *, allow_private: bool) -> str:
    """Why `address`, a numeric one, may not be reached; empty where it may.

    Private means this machine and its networks. Link-local addresses, those where clouds keep a machine's secrets, and
    those that are not one machine's are refused either way.
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "it is not an IP address"
    inner = _embedded(parsed)
    if inner is not None:
        return why_refused(str(inner), allow_private=allow_private)
    if parsed in METADATA or parsed.is_link_local:
        return "it is a link-local or metadata address"
    if parsed.is_unspecified or parsed.is_multicast or any(parsed in network for network in REFUSED_NETWORKS):
        return "it is not the address of one machine"
    if any(parsed in network for network in PRIVATE):
        return "" if allow_private else "it is on this machine or in a private network"
    return "" if parsed.is_global else "it is a reserved address"


def _embedded(address: Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 address leads to, for those that are translated or tunnelled."""
    if not isinstance(address, ipaddress.IPv6Address) or int(address) <= 1:
        return None
    for network, shift in EMBEDDING:
        if address in network:
            return ipaddress.IPv4Address(int(address) >> shift & 0xFFFFFFFF)
    if int(address) >> 32 & 0xFCFFFFFF == ISATAP:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


async def resolve_by_system(host: str, port: int) -> list[str]:
    """The numeric addresses of `host`, in the order in which to try them. Raises socket.gaierror."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Opens connections of a pool, to checked addresses only."""

    def __init__(
        self,
        allow_private: bool,
        resolve: Resolve = resolve_by_system,
        connect: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        self._allow_private = allow_private
        self._resolve = resolve
        self._connect = connect or httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: SocketOptions | None = None,
    ) -> httpcore.AsyncNetworkStream:
        addresses = await self._checked(host, port, timeout)
        for number, address in enumerate(addresses, 1):
            try:
                return await self._connect.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if number == len(addresses):
                    raise
        raise httpcore.ConnectError("the host has no address")

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: SocketOptions | None = None
    ) -> httpcore.AsyncNetworkStream:
        raise _Refused("a local socket is not reached over the network")

    async def sleep(self, seconds: float) -> None:
        await self._connect.sleep(seconds)

    async def _checked(self, host: str, port: int, timeout: float | None) -> list[str]:
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._resolve(host, port)
        except TimeoutError:
            raise httpcore.ConnectTimeout("the host name was not resolved in time") from None
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError("the host name cannot be resolved") from error
        for address in addresses:
            if reason := why_refused(address, allow_private=self._allow_private):
                raise _Refused(f"The address of this host may not be used: {reason}.")
        return addresses


class GuardedTransport(httpx.AsyncHTTPTransport):
    """httpx's transport over guarded connections. Raises AddressRefused, beside what httpx raises."""

    def __init__(self, backend: httpcore.AsyncNetworkBackend, limits: httpx.Limits) -> None:
        super().__init__(trust_env=False)  # a proxy of the environment would resolve names unchecked
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context(trust_env=False),
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=backend,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return await super().handle_async_request(request)
        except httpx.ConnectError as error:
            if isinstance(error.__cause__, _Refused):
                raise AddressRefused(str(error), request=request) from None
            raise


def guarded_client(
    allow_private: bool,
    *,
    timeout: httpx.Timeout | float = 15.0,
    headers: dict[str, str] | None = None,
    resolve: Resolve = resolve_by_system,
) -> httpx.AsyncClient:
    """A client for addresses that users, models or pages name. Requests raise AddressRefused (an httpx.ConnectError)
    where the host may not be reached; `allow_private` is the operator's word that private networks may.

    Redirects are not followed unless a request asks for it with `follow_redirects=True`: then each hop is checked, and
    httpx leaves the Authorization header (no other) away at another host. The size of answers is the caller's to bound.
    """
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=50, keepalive_expiry=30)
    return httpx.AsyncClient(
        transport=GuardedTransport(GuardedBackend(allow_private, resolve), limits),
        timeout=timeout,
        headers={"user-agent": "stich", **(headers or {})},
        follow_redirects=False,
        max_redirects=5,
        trust_env=False,
    )
