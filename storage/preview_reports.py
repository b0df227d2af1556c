"""What previews were seen doing: the hosts that run them write it down, any API process reads it."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from pydantic import TypeAdapter

from schemas.checks import Issue
from schemas.previews import ServerReport
from storage.database import Database

_ISSUES = TypeAdapter(list[Issue])


class PreviewReport(NamedTuple):
    """The newest of a session. `seen_at` is when its server was seen last."""

    server: ServerReport
    pages: list[Issue]
    seen_at: datetime | None


class PreviewReports:
    """Repository of preview reports, one per session."""

    def __init__(self, database: Database) -> None:
        self._pool = database.pool

    async def put_server(self, session_id: str, report: ServerReport) -> None:
        """Note what a development server does."""
        await self._pool.execute(
            """INSERT INTO preview_reports (session_id, server, server_at) VALUES ($1, $2, now())
               ON CONFLICT (session_id) DO UPDATE SET server = $2, server_at = now()""",
            session_id,
            report.model_dump_json(),
        )

    async def put_pages(self, session_id: str, issues: Sequence[Issue]) -> None:
        """Note what was found by looking at the pages; it replaces what was found before."""
        await self._pool.execute(
            """INSERT INTO preview_reports (session_id, pages, pages_at) VALUES ($1, $2, now())
               ON CONFLICT (session_id) DO UPDATE SET pages = $2, pages_at = now()""",
            session_id,
            _ISSUES.dump_json(list(issues)).decode(),
        )

    async def get(self, session_id: str) -> PreviewReport:
        """The newest reports; empty ones where nothing was seen yet."""
        row = await self._pool.fetchrow(
            "SELECT server, pages, server_at FROM preview_reports WHERE session_id = $1", session_id
        )
        if row is None:
            return PreviewReport(ServerReport(), [], None)
        server = ServerReport.model_validate_json(row["server"]) if row["server"] else ServerReport()
        return PreviewReport(server, _ISSUES.validate_json(row["pages"] or "[]"), row["server_at"])
