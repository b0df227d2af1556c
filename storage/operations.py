"""What a step has done, so that a retried attempt takes it up instead of doing it again."""

from pydantic import BaseModel

from storage.database import Database


class OperationMissing(Exception):
    """This step was never begun."""


class OperationRecord(BaseModel):
    """A step. `result` is the JSON it ended with, if it did; `is_new` says that no attempt was here before."""

    id: str
    result: str | None
    is_new: bool


class Operations:
    """Repository of the steps of all sessions. The files of a step are found by `Files.of_operation`."""

    def __init__(self, database: Database) -> None:
        self._pool = database.pool

    async def begin(self, session_id: str, operation_id: str) -> OperationRecord:
        """Note that the step begins, or find what an earlier attempt left."""
        inserted = await self._pool.fetchval(
            "INSERT INTO operations (session_id, id) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING true",
            session_id,
            operation_id,
        )
        result = None if inserted else await self.result(session_id, operation_id)
        return OperationRecord(id=operation_id, result=result, is_new=bool(inserted))

    async def finish(self, session_id: str, operation_id: str, result: str) -> str:
        """Store the step's result (JSON) unless it has one. Returns the stored one. Raises OperationMissing."""
        stored: str | None = await self._pool.fetchval(
            """UPDATE operations SET result = coalesce(result, $3::json), finished_at = coalesce(finished_at, now())
               WHERE session_id = $1 AND id = $2 RETURNING result""",
            session_id,
            operation_id,
            result,
        )
        if stored is None:
            raise OperationMissing(operation_id)
        return stored

    async def result(self, session_id: str, operation_id: str) -> str | None:
        """The result (JSON) of a step, None while it has none. Raises OperationMissing."""
        row = await self._pool.fetchrow(
            "SELECT result FROM operations WHERE session_id = $1 AND id = $2", session_id, operation_id
        )
        if row is None:
            raise OperationMissing(operation_id)
        result: str | None = row["result"]
        return result
