"""Production builds published under an address of their own, served as plain files.

Published files lie in the stich home, one folder per version; a small file names the current one. Unlike a preview, a
site needs no running process and stays as it was published.
"""

import asyncio
import contextlib
import hashlib
import json
import mimetypes
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from sandbox.errors import PathRefused, QuotaExceeded
from sandbox.files import Folder, checked
from sandbox.settings import SandboxSettings

_SESSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_LARGEST = 32 * 1024 * 1024
_VERSIONS_KEPT = 3


@dataclass(frozen=True)
class Published:
    """A published version: its number of files and their size in bytes."""

    version: str
    files: int
    size: int


@dataclass(frozen=True)
class Asset:
    """A file of a site, as sent to a browser."""

    content: bytes
    media_type: str
    lasting: bool


class Sites:
    """The published sites of one home."""

    def __init__(self, settings: SandboxSettings) -> None:
        self._settings = settings
        self._root = settings.home / "published"

    async def publish(self, session_id: str, dist: Path) -> Published:
        """Make a build the current version of the session's site. Links in it are left out.

        Raises PathRefused for odd session ids and builds without a page, QuotaExceeded.
        """
        return await asyncio.to_thread(self._publish, session_id, dist)

    def _publish(self, session_id: str, dist: Path) -> Published:
        site = self._site(session_id)
        source = Folder(dist, owner=0)
        paths = source.list(most=self._settings.quota_files)
        if "index.html" not in paths:
            raise PathRefused("The build has no index.html, so there is nothing to publish.")
        contents = {path: source.read(path, limit=_LARGEST) for path in paths}
        size = sum(map(len, contents.values()))
        if size > self._settings.quota_bytes:
            raise QuotaExceeded("The build is too large to be published.")
        digest = hashlib.sha256()
        for path, content in contents.items():
            digest.update(f"{path}\0{len(content)}\0".encode() + content)
        version = digest.hexdigest()[:16]
        folder = site / version
        if not folder.is_dir():
            staging = site / f".{version}"
            shutil.rmtree(staging, ignore_errors=True)
            staging.mkdir(parents=True)
            for path, content in contents.items():
                target = staging.joinpath(*checked(path))
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
            staging.rename(folder)
        (site / "current.new").write_text(json.dumps({"version": version}))
        (site / "current.new").rename(site / "current")
        self._forget_old(site, version)
        return Published(version, len(contents), size)

    async def withdraw(self, session_id: str) -> None:
        """Take the session's site from the net and delete its files."""
        await asyncio.to_thread(shutil.rmtree, self._site(session_id), ignore_errors=True)

    async def find(self, session_id: str, path: str, navigation: bool) -> Asset | None:
        """The file for a request's path; the start page for the addresses an application makes up; None otherwise."""
        return await asyncio.to_thread(self._find, session_id, path, navigation)

    def _find(self, session_id: str, path: str, navigation: bool) -> Asset | None:
        try:
            site = self._site(session_id)
            version = json.loads((site / "current").read_text())["version"]
        except (OSError, ValueError, KeyError, PathRefused):
            return None
        folder = Folder(site / str(version), owner=0)
        wanted = path.strip("/")
        for candidate in (wanted, f"{wanted}/index.html".lstrip("/"), f"{wanted}.html"):
            with contextlib.suppress(OSError, PathRefused):
                return _asset(candidate, folder.read(candidate, limit=_LARGEST))
        if navigation:
            with contextlib.suppress(OSError, PathRefused):
                return _asset("index.html", folder.read("index.html", limit=_LARGEST))
        return None

    def _site(self, session_id: str) -> Path:
        if not _SESSION.fullmatch(session_id):
            raise PathRefused(f"{session_id[:80]!r} is not a usable session id.")
        return self._root / session_id

    def _forget_old(self, site: Path, current: str) -> None:
        versions = sorted(
            (folder for folder in site.iterdir() if folder.is_dir() and folder.name != current),
            key=lambda folder: folder.stat().st_mtime,
            reverse=True,
        )
        for folder in versions[_VERSIONS_KEPT - 1 :]:
            shutil.rmtree(folder, ignore_errors=True)


def _asset(path: str, content: bytes) -> Asset:
    kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
    if kind.startswith("text/") or kind == "application/javascript":
        kind += "; charset=utf-8"
    # Names below assets/ carry a hash of their content.
    return Asset(content, kind, lasting=path.startswith("assets/"))
