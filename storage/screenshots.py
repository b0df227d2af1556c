"""Screenshots of a session's application."""

from datetime import datetime

from pydantic import BaseModel

from storage.blobs import put_blob
from storage.database import Database


class Screenshot(BaseModel):
    """An image by its SHA-256; width and height of the viewport in CSS pixels."""

    id: str
    sha256: str
    media_type: str
    width: int
    height: int
    phase_id: str | None = None
    note: str = ""
    created_at: datetime


class Screenshots:
    """Repository of screenshots. The image itself is found by `Blobs.get(sha256)`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(
        self,
        session_id: str,
        screenshot_id: str,
        image: bytes,
        *,
        media_type: str,
        width: int,
        height: int,
        phase_id: str | None = None,
        note: str = "",
    ) -> Screenshot:
        """Store an image unless its id is known. Returns what is stored."""
        async with self._database.transaction() as connection:
            sha256 = await put_blob(connection, image)
            await connection.execute(
                """INSERT INTO screenshots (session_id, id, sha256, media_type, width, height, phase_id, note)
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING""",
                session_id,
                screenshot_id,
                sha256,
                media_type,
                width,
                height,
                phase_id,
                note,
            )
            row = await connection.fetchrow(
                "SELECT * FROM screenshots WHERE session_id = $1 AND id = $2", session_id, screenshot_id
            )
        assert row is not None  # stored just now, and never deleted
        return Screenshot.model_validate(dict(row))

    async def list(self, session_id: str) -> list[Screenshot]:
        """Oldest first."""
        rows = await self._database.pool.fetch(
            "SELECT * FROM screenshots WHERE session_id = $1 ORDER BY created_at, id", session_id
        )
        return [Screenshot.model_validate(dict(row)) for row in rows]
