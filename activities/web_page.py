"""Fetch a page that a model named: only over HTTP, only from public addresses, bounded in size and time."""

import asyncio
import codecs
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from codegen.page_text import page_text
from inference.guarded_transport import AddressRefused

MAX_BYTES = 2 * 1024 * 1024
MAX_REDIRECTS = 5
SECONDS = 20.0
_TEXTS = ("text/", "application/json", "application/xml", "application/xhtml+xml", "application/javascript")


class PageRefused(ValueError):
    """The page is not fetched, or not shown. The sentence says why and names no address of ours."""


@dataclass(frozen=True)
class Page:
    """The page at `address`, the last one of its redirects; `cut` says that there was more of it."""

    address: str
    text: str
    cut: bool


async def fetch_page(address: str, client: httpx.AsyncClient, seconds: float = SECONDS) -> Page:
    """The text of a page. `client` checks every address that it connects to, those of redirects as well (see
    `inference.guarded_transport`). Raises PageRefused."""
    try:
        async with asyncio.timeout(seconds):
            return await _follow(address, client)
    except TimeoutError:
        raise PageRefused(f"The page did not come within {seconds:.0f} s.") from None
    except AddressRefused as error:
        raise PageRefused(str(error)) from None
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        raise PageRefused(f"The page cannot be fetched ({type(error).__name__}).") from None


async def _follow(address: str, client: httpx.AsyncClient) -> Page:
    """Redirects are followed here, one by one: each target is looked at like the first address."""
    for _ in range(MAX_REDIRECTS + 1):
        check_address(address)
        # Not compressed: a small answer could unfold to any size.
        headers = {"accept": "text/html, text/*;q=0.9, application/json;q=0.8", "accept-encoding": "identity"}
        async with client.stream("GET", address, headers=headers) as response:
            if response.has_redirect_location:
                address = str(response.url.join(response.headers["location"]))
                continue
            return await _read(response)
    raise PageRefused(f"The page leads on more than {MAX_REDIRECTS} times.")


async def _read(response: httpx.Response) -> Page:
    if not response.is_success:
        raise PageRefused(f"The page answered with status {response.status_code}.")
    kind = response.headers.get("content-type", "text/plain").partition(";")[0].strip().lower()
    if not kind.startswith(_TEXTS) and not kind.endswith(("+json", "+xml")):
        raise PageRefused(f"This is no page of text but {kind[:60]}.")
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise PageRefused("The page comes compressed although it was asked for plain.")
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > MAX_BYTES:
            break
    cut = len(body) > MAX_BYTES
    text = bytes(body[:MAX_BYTES]).decode(_charset(response), errors="replace").replace("\0", "")
    if kind in ("text/html", "application/xhtml+xml"):
        text = await asyncio.to_thread(page_text, text, str(response.url))
    return Page(str(response.url), text, cut)


def check_address(address: str) -> None:
    """Raises PageRefused for what is no plain address of a page on the web."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        raise PageRefused("This is not an address of a page.") from None
    if parts.scheme.lower() not in ("http", "https"):
        raise PageRefused("Only addresses that begin with http:// or https:// can be fetched.")
    if not parts.hostname:
        raise PageRefused("The address names no host.")
    if parts.username is not None or parts.password is not None:
        raise PageRefused("An address with a user name or a password is not fetched.")
    if port == 0:
        raise PageRefused("This is not an address of a page.")


def _charset(response: httpx.Response) -> str:
    named = response.charset_encoding or "utf-8"
    try:
        return codecs.lookup(named).name
    except LookupError:
        return "utf-8"
