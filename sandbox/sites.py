"""Production builds under an address of their own, served as plain files.

Unlike a preview, a site needs no running process, stays as it was published while the session goes on, and is public to
whoever knows its unguessable address.
"""

import asyncio
import hashlib
import mimetypes
import re
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from sandbox.errors import NothingToPublish, QuotaExceeded
from sandbox.files import Folder
from sandbox.settings import MEBIBYTE

MOST_FILES = 5_000
MOST_BYTES = 100 * MEBIBYTE
_LARGEST = 25 * MEBIBYTE  # what every target takes
_PRESENT_SECONDS = 1.0
_MOST_MANIFESTS = 1_000
_KEPT_BYTES = 64 * MEBIBYTE
_HASHED = re.compile(r"^assets/.+-[\w-]{8,}\.\w+$")


@dataclass(frozen=True)
class Site:
    """A build as it goes to a target: its files by path, and a digest that tells contents apart."""

    digest: str
    files: Mapping[str, bytes]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(map(len, self.files.values()))

    @property
    def single_page(self) -> bool:
        """Whether addresses that the application makes up lead to its start page."""
        return "404.html" not in self.files and not any(
            path.endswith(".html") and path != "index.html" for path in self.files
        )


async def collect(dist: Path) -> Site:
    """Read a build's folder. Links in it are left out. Raises NothingToPublish, QuotaExceeded."""
    return await asyncio.to_thread(_collect, dist)


def _collect(dist: Path) -> Site:
    folder = Folder(dist, owner=0)
    paths = folder.list(most=MOST_FILES + 1)
    if "index.html" not in paths:
        raise NothingToPublish("The build has no index.html, so there is nothing to publish.")
    if len(paths) > MOST_FILES:
        raise QuotaExceeded(f"The build has more than {MOST_FILES:,} files and cannot be published.")
    files: dict[str, bytes] = {}
    size = 0
    digest = hashlib.sha256()
    for path in paths:
        content = files[path] = folder.read(path, limit=_LARGEST)
        size += len(content)
        if size > MOST_BYTES:
            raise QuotaExceeded(f"The build has more than {MOST_BYTES // MEBIBYTE} MiB and cannot be published.")
        digest.update(f"{path}\0{len(content)}\0".encode() + content)
    return Site(digest.hexdigest()[:16], files)


@dataclass(frozen=True)
class Asset:
    """A file of a site, as sent to a browser."""

    content: bytes
    media_type: str
    lasting: bool


class Published(Protocol):
    """Where published sites are kept, for every host."""

    async def manifest(self, session_id: str) -> Mapping[str, str] | None:
        """Names of the contents by path, None where nothing is published."""

    async def content(self, name: str) -> bytes:
        """A content that a manifest names."""


class _Manifest(NamedTuple):
    since: float
    files: Mapping[str, str] | None


class Sites:
    """Finds what a request for a published site is answered with; keeps what is asked for often."""

    def __init__(self, published: Published) -> None:
        self._published = published
        self._manifests: dict[str, _Manifest] = {}
        self._contents: OrderedDict[str, bytes] = OrderedDict()
        self._kept = 0

    async def find(self, session_id: str, path: str, navigation: bool) -> Asset | None:
        """The file for a request's path; the start page for the addresses an application makes up; None otherwise."""
        files = await self._manifest(session_id)
        if files is None:
            return None
        wanted = path.strip("/")
        candidates = [wanted, f"{wanted}/index.html".lstrip("/"), f"{wanted}.html"]
        if navigation:
            candidates.append("index.html")
        for candidate in candidates:
            if (name := files.get(candidate)) is not None:
                return _asset(candidate, await self._content(name))
        return None

    async def _manifest(self, session_id: str) -> Mapping[str, str] | None:
        known = self._manifests.get(session_id)
        if known is None or time.monotonic() - known.since > _PRESENT_SECONDS:
            if len(self._manifests) > _MOST_MANIFESTS:
                self._manifests.clear()
            known = _Manifest(time.monotonic(), await self._published.manifest(session_id))
            self._manifests[session_id] = known
        return known.files

    async def _content(self, name: str) -> bytes:
        if name in self._contents:
            self._contents.move_to_end(name)
            return self._contents[name]
        content = await self._published.content(name)
        if name not in self._contents:  # nobody else brought it meanwhile
            self._contents[name] = content
            self._kept += len(content)
        while self._kept > _KEPT_BYTES:
            self._kept -= len(self._contents.popitem(last=False)[1])
        return content


def media_type(path: str) -> str:
    """What a file of a site is sent as."""
    kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
    if kind.startswith("text/") or kind in ("application/javascript", "image/svg+xml"):
        kind += "; charset=utf-8"
    return kind


def _asset(path: str, content: bytes) -> Asset:
    # The names that the build gives below assets/ carry a hash of the content.
    return Asset(content, media_type(path), lasting=_HASHED.match(path) is not None)
