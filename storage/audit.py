"""The log of security-relevant acts. It only grows."""

from typing import Final, Literal

import asyncpg
import orjson

from schemas.accounts import AuditEntry
from storage.database import Database

_COLUMNS: Final = "id, at, act, outcome, actor, subject, address, request_id, detail"


class Audit:
    """Repository of the audit log."""

    def __init__(self, database: Database) -> None:
        self._pool = database.pool

    async def record(
        self,
        act: str,
        outcome: Literal["done", "refused"],
        *,
        actor: str | None,
        subject: str | None = None,
        address: str = "",
        request_id: str = "",
        detail: dict[str, str | int | list[str]] | None = None,
    ) -> None:
        """Write an act down. `actor` and `subject` are ids; nothing here may be a secret or an e-mail address."""
        await self._pool.execute(
            """INSERT INTO audit_log (act, outcome, actor, subject, address, request_id, detail)
               VALUES ($1, $2, $3, $4, $5, $6, $7)""",
            act,
            outcome,
            actor,
            subject,
            address,
            request_id,
            orjson.dumps(detail or {}).decode(),
        )

    async def list(self, limit: int, before: int | None = None, user_id: str | None = None) -> list[AuditEntry]:
        """Acts, newest first, those by or about one user where one is named."""
        rows = await self._pool.fetch(
            f"""SELECT {_COLUMNS} FROM audit_log
               WHERE ($2::bigint IS NULL OR id < $2) AND ($3::text IS NULL OR actor = $3 OR subject = $3)
               ORDER BY id DESC LIMIT $1""",
            limit,
            before,
            user_id,
        )
        return [_entry(row) for row in rows]


def _entry(row: asyncpg.Record) -> AuditEntry:
    return AuditEntry.model_validate({**row, "detail": orjson.loads(row["detail"])})
