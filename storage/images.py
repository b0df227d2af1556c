"""Pictures that users send with prompts and messages."""

import secrets
from collections.abc import Sequence
from typing import Final

from schemas.session import ImageRef
from storage.blobs import put_blob
from storage.database import Connection, Database

PROMPT: Final = ""
"""In the place of a message's id: the session's first prompt."""

MAX_WAITING: Final = 20
"""Pictures of one user that no message shows yet."""

WAITING_HOURS: Final = 24


class ImageMissing(Exception):
    """There is no such picture for this user or this session."""


class TooManyImages(Exception):
    """A user uploaded many pictures and sent none of them."""


class StoredImage(ImageRef):
    """A picture and where its content is."""

    sha256: str


class Images:
    """Repository of pictures. Each belongs to the user who uploaded it, and to the messages that show it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, user_id: str, content: bytes, *, media_type: str, width: int, height: int) -> ImageRef:
        """Keep a picture that was checked. What a user uploaded a day ago and never sent is forgotten.

        Raises TooManyImages.
        """
        async with self._database.transaction() as connection:
            await connection.execute("SELECT pg_advisory_xact_lock(hashtext('images'), hashtext($1))", user_id)
            await connection.execute(
                """DELETE FROM images i WHERE user_id = $1 AND created_at < now() - make_interval(hours => $2)
                   AND NOT EXISTS (SELECT FROM message_images m WHERE m.image_id = i.id)""",
                user_id,
                WAITING_HOURS,
            )
            waiting = await connection.fetchval(
                """SELECT count(*) FROM images i WHERE user_id = $1
                   AND NOT EXISTS (SELECT FROM message_images m WHERE m.image_id = i.id)""",
                user_id,
            )
            if waiting >= MAX_WAITING:
                raise TooManyImages(user_id)
            sha256 = await put_blob(connection, content)
            row = await connection.fetchrow(
                """INSERT INTO images (id, user_id, sha256, media_type, width, height, size)
                   VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING *""",
                f"img-{secrets.token_hex(16)}",
                user_id,
                sha256,
                media_type,
                width,
                height,
                len(content),
            )
        assert row is not None  # an insert that did not fail returns its row
        return ImageRef.model_validate({name: row[name] for name in ImageRef.model_fields})

    async def of_user(self, user_id: str, image_ids: Sequence[str]) -> list[StoredImage]:
        """A user's own pictures, in the order of their ids. Raises ImageMissing."""
        rows = await self._database.pool.fetch(
            "SELECT * FROM images WHERE user_id = $1 AND id = ANY ($2::text[])", user_id, image_ids
        )
        found = {row["id"]: StoredImage.model_validate(dict(row)) for row in rows}
        try:
            return [found[image_id] for image_id in image_ids]
        except KeyError as error:
            raise ImageMissing(str(error)) from None

    async def of_session(self, session_id: str, image_id: str) -> StoredImage:
        """A picture that a message of the session shows. Raises ImageMissing."""
        row = await self._database.pool.fetchrow(
            """SELECT * FROM images WHERE id = $2
               AND EXISTS (SELECT FROM message_images WHERE session_id = $1 AND image_id = $2)""",
            session_id,
            image_id,
        )
        if row is None:
            raise ImageMissing(image_id)
        return StoredImage.model_validate(dict(row))

    async def of_messages(self, session_id: str, message_ids: Sequence[str]) -> list[StoredImage]:
        """The pictures that messages show, in the order of `message_ids` (`PROMPT` for the first prompt)."""
        rows = await self._database.pool.fetch(
            """SELECT i.* FROM message_images m JOIN images i ON i.id = m.image_id
               WHERE m.session_id = $1 AND m.message_id = ANY ($2::text[])
               ORDER BY array_position($2::text[], m.message_id), m.position""",
            session_id,
            message_ids,
        )
        return [StoredImage.model_validate(dict(row)) for row in rows]

    async def attach(self, session_id: str, message_id: str, images: Sequence[ImageRef]) -> None:
        """Say which pictures a message (or the `PROMPT`) shows, instead of those it showed."""
        async with self._database.transaction() as connection:
            await attach_images(connection, session_id, message_id, images)


async def attach_images(connection: Connection, session_id: str, message_id: str, images: Sequence[ImageRef]) -> None:
    """Say which pictures a message shows, instead of those it showed. Unknown ones are left out."""
    await connection.execute(
        "DELETE FROM message_images WHERE session_id = $1 AND message_id = $2", session_id, message_id
    )
    await connection.execute(
        """INSERT INTO message_images (session_id, message_id, position, image_id)
           SELECT $1, $2, w.position, i.id
           FROM unnest($3::text[]) WITH ORDINALITY AS w (id, position) JOIN images i ON i.id = w.id
           ON CONFLICT DO NOTHING""",
        session_id,
        message_id,
        [image.id for image in images],
    )
