"""Open streams: which of them may go on, and who watches what, over all processes."""

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from schemas.sharing import Watcher
from storage.database import Database

SEEN_SECONDS: Final = 10
"""A stream whose process did not speak of it for so long is gone."""


class OpenStream(NamedTuple):
    """A stream and the credential that it was opened with."""

    connection: str
    session_id: str
    user_id: str
    sign_in_id: str | None
    api_key_id: str | None


class WatcherRows:
    """Repository of open streams."""

    def __init__(self, database: Database) -> None:
        self._pool = database.pool

    async def still_allowed(self, streams: Sequence[OpenStream]) -> set[str]:
        """The connections whose credential is still valid and whose user may still see the session.

        A session that is not stored yet is its starter's: nobody else could have opened its stream.
        """
        rows = await self._pool.fetch(
            """SELECT w.connection
               FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
                 AS w (connection, session_id, user_id, sign_in_id, api_key_id)
               LEFT JOIN users u ON u.id = w.user_id
               LEFT JOIN sessions x ON x.id = w.session_id
               WHERE (u.id IS NOT NULL AND u.disabled_at IS NULL OR x.id IS NOT NULL AND w.user_id LIKE 'guest:%')
                 AND (w.sign_in_id IS NULL OR EXISTS (SELECT FROM sign_ins s
                   WHERE s.id = w.sign_in_id AND s.revoked_at IS NULL AND s.expires_at > now()))
                 AND (w.api_key_id IS NULL OR EXISTS (SELECT FROM api_keys k
                   WHERE k.id = w.api_key_id AND k.revoked_at IS NULL AND k.expires_at > now()))
                 AND (x.id IS NULL OR x.user_id = w.user_id OR EXISTS (SELECT FROM valid_session_shares v
                   WHERE v.session_id = w.session_id AND v.user_id = w.user_id))""",
            *_columns(streams),
        )
        return {row["connection"] for row in rows}

    async def seen(self, streams: Sequence[OpenStream], closed: Collection[str]) -> None:
        """These streams are open, and those no longer."""
        await self._pool.execute(
            """WITH gone AS (
                 DELETE FROM watchers WHERE connection = ANY ($4::text[]) OR seen_at < now() - interval '1 minute')
               INSERT INTO watchers (connection, session_id, user_id)
               SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
               ON CONFLICT (connection) DO UPDATE SET seen_at = now()""",
            *_columns(streams)[:3],
            list(closed),
        )

    async def present(self, session_ids: Collection[str]) -> dict[str, list[Watcher]]:
        """Who watches each of these sessions, once each, the first who came first."""
        rows = await self._pool.fetch(
            """SELECT w.session_id, w.user_id, coalesce(u.name, 'A guest') AS name, min(w.since) AS since
               FROM watchers w LEFT JOIN users u ON u.id = w.user_id
               WHERE w.session_id = ANY ($1) AND w.seen_at > now() - make_interval(secs => $2)
               GROUP BY w.session_id, w.user_id, u.name ORDER BY since, w.user_id""",
            list(session_ids),
            SEEN_SECONDS,
        )
        found: dict[str, list[Watcher]] = {}
        for row in rows:
            watcher = Watcher(user_id=row["user_id"], name=row["name"], since=row["since"])
            found.setdefault(row["session_id"], []).append(watcher)
        return found


def _columns(streams: Sequence[OpenStream]) -> tuple[list[str | None], ...]:
    return tuple([stream[field] for stream in streams] for field in range(len(OpenStream._fields)))
