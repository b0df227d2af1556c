"""Whether a grant to see a session's preview still holds."""

from storage.database import Database


def viewer_of(user_id: str) -> str:
    """The viewer that a user is whose sign-in has no name of its own."""
    return f"user:{user_id}"


class PreviewAccess:
    """The revisions of grants. A viewer is the id of the sign-in that a grant was given to, or of the user.

    The service's own browser is the viewer "".
    """

    def __init__(self, database: Database) -> None:
        self._pool = database.pool

    async def revision(self, session_id: str, viewer: str = "") -> int | None:
        """The revision for which grants hold; None where nobody may come in.

        That is where the session is gone, the viewer has signed out, or the session is not shared with them any more.
        """
        found: int | None = await self._pool.fetchval(
            """SELECT s.preview_revision FROM sessions AS s WHERE s.id = $1 AND ($2 = '' OR EXISTS (
                 SELECT 1 FROM (
                   SELECT user_id FROM sign_ins WHERE id = $2 AND revoked_at IS NULL
                   UNION ALL SELECT substr($2, 6) WHERE $2 LIKE 'user:%'
                 ) AS viewer WHERE viewer.user_id = s.user_id OR EXISTS (
                   SELECT 1 FROM valid_session_shares AS h
                   WHERE h.session_id = s.id AND h.user_id = viewer.user_id)))""",
            session_id,
            viewer,
        )
        return found

    async def revoke(self, session_id: str) -> None:
        """Take back all grants of a session, whoever holds them."""
        await self._pool.execute(
            "UPDATE sessions SET preview_revision = preview_revision + 1 WHERE id = $1", session_id
        )

    async def revoke_of_user(self, user_id: str) -> None:
        """Take back all grants of a user's sessions."""
        await self._pool.execute(
            "UPDATE sessions SET preview_revision = preview_revision + 1 WHERE user_id = $1", user_id
        )
