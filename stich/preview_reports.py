"""Writes down what this host's development servers do, for people who ask any API process."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import structlog

from sandbox.preview import DevServer
from sandbox.previews import Previews
from schemas.previews import ServerReport
from storage.preview_reports import PreviewReports

log = structlog.get_logger(__name__)

EVERY_SECONDS = 1.0


@contextlib.asynccontextmanager
async def reporting(previews: Previews, reports: PreviewReports, every: float = EVERY_SECONDS) -> AsyncIterator[None]:
    """Report changes while the block runs."""
    task = asyncio.create_task(_report(previews, reports, every), name="preview reports")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _report(previews: Previews, reports: PreviewReports, every: float) -> None:
    known: dict[str, ServerReport] = {}
    while True:
        await asyncio.sleep(every)
        running = {server.served.session_id: server for server in previews.running()}
        now = {session_id: report_of(server) for session_id, server in running.items()}
        for session_id in known.keys() - now.keys():
            now[session_id] = known[session_id].model_copy(update={"status": "stopped", "detail": ""})
        for session_id, report in now.items():
            if known.get(session_id) == report:
                continue
            try:
                await reports.put_server(session_id, report)
            except Exception as error:  # tried again with the next round
                log.warning("a preview's report was not stored", error=f"{type(error).__name__}: {error}"[:300])
                continue
            known[session_id] = report
        for session_id in [name for name in known if name not in running and known[name].status == "stopped"]:
            del known[session_id]


def report_of(server: DevServer) -> ServerReport:
    """What a server does now."""
    return ServerReport(
        status=server.state.value,
        detail=server.failure,
        restarts=server.restarts,
        lines=server.log.lines(),
        issues=server.log.issues(),
    )
