"""Where a request comes from. A proxy's word counts only when the operator trusts that proxy."""

import ipaddress
from collections.abc import Collection

from starlette.requests import HTTPConnection

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def client_address(connection: HTTPConnection, trusted: Collection[Network]) -> str:
    """The address of who asks: the last one in `X-Forwarded-For` that no trusted proxy has."""
    address = connection.client.host if connection.client else ""
    hops = [hop.strip() for line in connection.headers.getlist("x-forwarded-for") for hop in line.split(",")]
    while hops and _is_in(address, trusted):
        address = hops.pop()
    return address[:64]


def attempt_bucket(address: str) -> str:
    """What counts as one address: an IPv6 network of 64 bits is one customer's."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 6 and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def _is_in(address: str, networks: Collection[Network]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks)
