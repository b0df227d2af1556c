"""Contents by their SHA-256: stored once, never changed."""

import hashlib

from storage.database import Connection, Database


class BlobMissing(Exception):
    """No content is stored under this hash."""


class Blobs:
    """Bytes by their hash, shared by files and screenshots of all sessions."""

    def __init__(self, database: Database) -> None:
        self._pool = database.pool

    async def get(self, sha256: str) -> bytes:
        """The content. Raises BlobMissing."""
        content: bytes | None = await self._pool.fetchval("SELECT content FROM blobs WHERE sha256 = $1", sha256)
        if content is None:
            raise BlobMissing(sha256)
        return content

    async def put(self, content: bytes) -> str:
        """Store the content and return its hash."""
        async with self._pool.acquire() as connection:
            return await put_blob(connection, content)


async def put_blob(connection: Connection, content: bytes) -> str:
    """Store the content within the caller's transaction, if any, and return its hash."""
    sha256 = hashlib.sha256(content).hexdigest()
    # Most contents are new. DO NOTHING takes no lock on one that exists, so two sessions never wait for each other.
    await connection.execute(
        "INSERT INTO blobs (sha256, content, size) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        sha256,
        content,
        len(content),
    )
    return sha256
