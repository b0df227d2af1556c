"""Archives that are made while they are sent, one entry, or a piece of it, in memory at a time."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

Entry = tuple[str, bytes | AsyncIterator[bytes]]
"""A path in the archive, and its content, or the pieces of it."""
PIECE: Final = 64 * 1024
"""Bytes of pieces that are written together."""
OLDEST: Final = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip can hold


class _Outlet:
    """What ZipFile writes to: it holds bytes until they are taken."""

    def __init__(self) -> None:
        self._held = bytearray()

    def write(self, data: bytes) -> int:
        self._held += data
        return len(data)

    def flush(self) -> None:
        """ZipFile calls it; there is nothing beyond this object to flush to."""

    def take(self) -> bytes:
        data = bytes(self._held)
        self._held.clear()
        return data


async def zipped(entries: AsyncIterator[Entry], at: datetime | None) -> AsyncIterator[bytes]:
    """The archive of the entries, all of which carry the time `at`."""
    outlet, time = _Outlet(), (at.year, at.month, at.day, at.hour, at.minute, at.second) if at else OLDEST
    with ZipFile(outlet, "w", ZIP_DEFLATED) as archive:  # type: ignore[call-overload]  # needs no more than write
        async for path, content in entries:
            info = ZipInfo(path, time)
            info.compress_type = ZIP_DEFLATED
            info.external_attr = 0o100644 << 16
            if isinstance(content, bytes):
                await asyncio.to_thread(archive.writestr, info, content)
                yield outlet.take()
                continue
            with archive.open(info, "w") as entry:
                async for piece in gathered(content):
                    await asyncio.to_thread(entry.write, piece)
                    yield outlet.take()
    yield outlet.take()


async def gathered(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same bytes in fewer pieces."""
    held = bytearray()
    async for piece in pieces:
        held += piece
        if len(held) >= PIECE:
            yield bytes(held)
            held.clear()
    yield bytes(held)
