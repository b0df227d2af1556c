"""The hosts that run sandboxes, and which of them has which session."""

from collections.abc import Collection
from typing import Final, NamedTuple

from storage.database import Database

LIVE_SECONDS: Final = 8.0
"""A host that was not heard of for so long is gone, and what it had goes to whoever is asked for it."""
_FORGOTTEN_HOURS: Final = 24

_LIVES: Final = "seen_at > clock_timestamp() - make_interval(secs => $3)"


class Holder(NamedTuple):
    """The host that has a session; `anew` where it has it from now."""

    host: str
    address: str
    anew: bool


class SandboxHosts:
    """Repository of hosts."""

    def __init__(self, database: Database) -> None:
        self._pool = database.pool

    async def beat(self, host: str, address: str) -> None:
        """The host lives, and other hosts reach its previews at the address (host:port)."""
        await self._pool.execute(
            """INSERT INTO sandbox_hosts (name, address) VALUES ($1, $2)
               ON CONFLICT (name) DO UPDATE SET address = $2, seen_at = clock_timestamp()""",
            host,
            address,
        )

    async def leave(self, host: str) -> None:
        """The host goes. Those that went without a word are forgotten after a day."""
        await self._pool.execute(
            """DELETE FROM sandbox_hosts WHERE name = $1
                 OR seen_at < clock_timestamp() - make_interval(hours => $2)""",
            host,
            _FORGOTTEN_HOURS,
        )

    async def claim(self, session_id: str, host: str) -> Holder | None:
        """Who has the session: `host` where no host that lives has it. None where there is no such session."""
        taken = await self._pool.fetchval(
            f"""INSERT INTO session_hosts (session_id, host) SELECT id, $2 FROM sessions WHERE id = $1
                ON CONFLICT (session_id) DO UPDATE SET host = $2, since = clock_timestamp()
                  WHERE session_hosts.host <> $2 AND NOT EXISTS (
                    SELECT FROM sandbox_hosts AS other WHERE other.name = session_hosts.host AND other.{_LIVES})
                RETURNING host""",
            session_id,
            host,
            LIVE_SECONDS,
        )
        if taken is not None:
            return Holder(host, "", anew=True)
        row = await self._pool.fetchrow(
            """SELECT s.host, coalesce(h.address, '') AS address FROM session_hosts AS s
               LEFT JOIN sandbox_hosts AS h ON h.name = s.host WHERE s.session_id = $1""",
            session_id,
        )
        return None if row is None else Holder(row["host"], row["address"], anew=False)

    async def move(self, session_id: str, host: str) -> bool:
        """The session is at this host from now on. False where it was already."""
        status: str = await self._pool.execute(
            """INSERT INTO session_hosts (session_id, host) SELECT id, $2 FROM sessions WHERE id = $1
               ON CONFLICT (session_id) DO UPDATE SET host = $2, since = clock_timestamp()
                 WHERE session_hosts.host <> $2""",
            session_id,
            host,
        )
        return status.endswith(" 1")

    async def elsewhere(self, session_ids: Collection[str], host: str) -> list[str]:
        """Those of the sessions that another host has."""
        rows = await self._pool.fetch(
            "SELECT session_id FROM session_hosts WHERE session_id = ANY ($1) AND host <> $2", list(session_ids), host
        )
        return [row["session_id"] for row in rows]

    async def gone(self, session_ids: Collection[str]) -> list[str]:
        """Those of the sessions that are deleted."""
        rows = await self._pool.fetch(
            "SELECT name FROM unnest($1::text[]) AS name WHERE NOT EXISTS (SELECT FROM sessions WHERE id = name)",
            list(session_ids),
        )
        return [row["name"] for row in rows]
