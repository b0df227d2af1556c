"""Sites that were published at the service itself: stored like everything else, so that any host can serve them."""

import json
from collections.abc import Mapping

from storage.blobs import Blobs, put_blob
from storage.database import Database


class PublishedSites:
    """Repository of published sites."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._blobs = Blobs(database)

    async def publish(self, session_id: str, digest: str, files: Mapping[str, bytes]) -> None:
        """Make these files the session's site, in one step."""
        async with self._database.transaction() as connection:
            names = {path: await put_blob(connection, content) for path, content in sorted(files.items())}
            await connection.execute(
                """INSERT INTO published_sites (session_id, digest, files) VALUES ($1, $2, $3)
                   ON CONFLICT (session_id) DO UPDATE SET digest = $2, files = $3, published_at = now()""",
                session_id,
                digest,
                json.dumps(names),
            )

    async def withdraw(self, session_id: str) -> None:
        """Take the session's site away; fine where there is none."""
        await self._database.pool.execute("DELETE FROM published_sites WHERE session_id = $1", session_id)

    async def manifest(self, session_id: str) -> Mapping[str, str] | None:
        """Names of the contents by path, None where nothing is published."""
        found = await self._database.pool.fetchval(
            "SELECT files FROM published_sites WHERE session_id = $1", session_id
        )
        return None if found is None else json.loads(found)

    async def content(self, name: str) -> bytes:
        """A content that a manifest names. Raises BlobMissing."""
        return await self._blobs.get(name)
