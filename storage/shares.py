"""Who may do what with somebody else's session."""

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from pydantic import BaseModel

from schemas.accounts import Access, allows
from schemas.sharing import SharedAccess, ShareInfo, ShareLinkInfo
from storage.database import Database


class SharedRecord(BaseModel):
    """A session that is shared with a user."""

    session_id: str
    owner: str
    access: SharedAccess


class GuestLink(NamedTuple):
    """A link by which people may look at a session without an account."""

    id: str
    session_id: str


class Shares:
    """Repository of shares. Secrets of links come here as SHA-256 only."""

    def __init__(self, database: Database) -> None:
        self._pool = database.pool

    async def access_of(self, session_id: str, user_id: str) -> Access | None:
        """The most that was given to a user, None when nothing was."""
        rows = await self._pool.fetch(
            "SELECT access FROM valid_session_shares WHERE session_id = $1 AND user_id = $2", session_id, user_id
        )
        best: Access | None = None
        for row in rows:
            if best is None or not allows(best, row["access"]):
                best = row["access"]
        return best

    async def share(self, session_id: str, user_id: str, access: SharedAccess) -> None:
        """Give a user access, or change what was given directly."""
        await self._pool.execute(
            """INSERT INTO session_shares (session_id, user_id, access) VALUES ($1, $2, $3)
               ON CONFLICT (session_id, user_id, link_id) DO UPDATE SET access = excluded.access""",
            session_id,
            user_id,
            access,
        )

    async def unshare(self, session_id: str, user_id: str) -> bool:
        """Take everything back that a user was given; False when there is nothing. A valid link works again."""
        status = await self._pool.execute(
            "DELETE FROM session_shares WHERE session_id = $1 AND user_id = $2", session_id, user_id
        )
        return status != "DELETE 0"

    async def add_link(
        self,
        link_id: str,
        session_id: str,
        link_hash: bytes,
        access: SharedAccess,
        life: timedelta,
        *,
        anonymous: bool = False,
    ) -> ShareLinkInfo:
        row = await self._pool.fetchrow(
            """INSERT INTO share_links (id, session_id, hash, access, expires_at, anonymous)
               VALUES ($1, $2, $3, $4, now() + $5::interval, $6)
               RETURNING id, access, anonymous, created_at, expires_at""",
            link_id,
            session_id,
            link_hash,
            access,
            life,
            anonymous,
        )
        assert row is not None  # inserted just now
        return ShareLinkInfo.model_validate(dict(row))

    async def revoke_link(self, session_id: str, link_id: str) -> bool:
        """End a link and every share that came by it; False when there is none."""
        status = await self._pool.execute(
            "UPDATE share_links SET revoked_at = now() WHERE id = $2 AND session_id = $1 AND revoked_at IS NULL",
            session_id,
            link_id,
        )
        return status == "UPDATE 1"

    async def accept(self, link_hash: bytes, user_id: str) -> str | None:
        """Give a user what a valid link gives. Returns the session's id, None when the link is not valid.

        The owner needs no share of the own session and gets none.
        """
        session_id: str | None = await self._pool.fetchval(
            """WITH link AS (
                 SELECT id, session_id, access FROM share_links
                 WHERE hash = $1 AND revoked_at IS NULL AND expires_at > now()),
               taken AS (
                 INSERT INTO session_shares (session_id, user_id, link_id, access)
                 SELECT l.session_id, $2, l.id, l.access FROM link l
                 WHERE NOT EXISTS (SELECT 1 FROM sessions s WHERE s.id = l.session_id AND s.user_id = $2)
                 ON CONFLICT DO NOTHING)
               SELECT session_id FROM link""",
            link_hash,
            user_id,
        )
        return session_id

    async def guest_links(self, hashes: Sequence[bytes]) -> dict[bytes, GuestLink]:
        """Those of the links that are valid and by which people may look without an account."""
        rows = await self._pool.fetch(
            """SELECT hash, id, session_id FROM share_links
               WHERE hash = ANY ($1) AND anonymous AND revoked_at IS NULL AND expires_at > now()""",
            hashes,
        )
        return {row["hash"]: GuestLink(row["id"], row["session_id"]) for row in rows}

    async def known_link(self, link_hash: bytes) -> bool:
        """Whether there is a valid link of any kind."""
        found = await self._pool.fetchval(
            "SELECT true FROM share_links WHERE hash = $1 AND revoked_at IS NULL AND expires_at > now()", link_hash
        )
        return bool(found)

    async def of_user(self, user_id: str, limit: int = 100) -> list[SharedRecord]:
        """What is shared with a user, the newest session first."""
        rows = await self._pool.fetch(
            """SELECT s.id AS session_id, coalesce(o.name, '') AS owner,
                 CASE WHEN bool_or(v.access = 'edit') THEN 'edit'
                      WHEN bool_or(v.access = 'comment') THEN 'comment' ELSE 'view' END AS access
               FROM valid_session_shares v JOIN sessions s ON s.id = v.session_id
               LEFT JOIN users o ON o.id = s.user_id
               WHERE v.user_id = $1 AND s.user_id <> $1
               GROUP BY s.id, s.created_at, o.name ORDER BY s.created_at DESC, s.id DESC LIMIT $2""",
            user_id,
            limit,
        )
        return [SharedRecord.model_validate(dict(row)) for row in rows]

    async def list(self, session_id: str) -> tuple[list[ShareInfo], list[ShareLinkInfo]]:
        """Who may use a session, and by which links."""
        shares = await self._pool.fetch(
            """SELECT s.user_id, u.name, s.access, nullif(s.link_id, '') AS link_id, s.created_at
               FROM valid_session_shares s JOIN users u ON u.id = s.user_id
               WHERE s.session_id = $1 ORDER BY s.created_at, s.user_id LIMIT 500""",
            session_id,
        )
        links = await self._pool.fetch(
            """SELECT id, access, anonymous, created_at, expires_at FROM share_links
               WHERE session_id = $1 AND revoked_at IS NULL AND expires_at > now() ORDER BY created_at, id LIMIT 500""",
            session_id,
        )
        return (
            [ShareInfo.model_validate(dict(row)) for row in shares],
            [ShareLinkInfo.model_validate(dict(row)) for row in links],
        )
