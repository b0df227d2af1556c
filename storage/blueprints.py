"""The blueprints of sessions, each change a new one."""

from schemas.blueprint import Blueprint
from storage.database import Database


class Blueprints:
    """Repository of blueprints."""

    def __init__(self, database: Database) -> None:
        self._pool = database.pool

    async def put(self, session_id: str, operation_id: str, blueprint: Blueprint) -> None:
        """Keep what an operation wrote as the newest. An operation that is repeated keeps what it wrote first."""
        await self._pool.execute(
            """INSERT INTO blueprints (session_id, operation_id, blueprint) VALUES ($1, $2, $3::json)
               ON CONFLICT DO NOTHING""",
            session_id,
            operation_id,
            blueprint.model_dump_json(),
        )

    async def latest(self, session_id: str) -> Blueprint | None:
        """The blueprint as it stands, None before there is one."""
        text = await self._pool.fetchval(
            "SELECT blueprint::text FROM blueprints WHERE session_id = $1 ORDER BY position DESC LIMIT 1", session_id
        )
        return None if text is None else Blueprint.model_validate_json(text)
