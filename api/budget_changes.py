"""Tells sessions that a budget of theirs was changed, so that one that waits for it goes on.

The changes are in the database since they were made: a process that dies before it has told them leaves that to the
next one. A session may hear of a change twice, which makes it look twice.
"""

import asyncio
from typing import Final

import structlog

from api.session_workflows import SessionWorkflows
from storage.budgets import Budgets

LOOK_SECONDS: Final = 5.0

log: structlog.stdlib.BoundLogger = structlog.get_logger("budgets")


class BudgetTeller:
    """Tells until it is cancelled. Any number of processes may: each takes some of the changes, for a while."""

    def __init__(self, budgets: Budgets, workflows: SessionWorkflows) -> None:
        self._budgets = budgets
        self._workflows = workflows

    async def run(self) -> None:
        """Look for changes every few seconds."""
        while True:
            try:
                await self.tell_all()
            except Exception as error:
                log.warning("sessions could not be told of a budget", error=type(error).__name__)
            await asyncio.sleep(LOOK_SECONDS)

    async def tell_all(self) -> None:
        """Tell every session that has to be told now. What fails is tried again in a while."""
        while changes := await self._budgets.take_changes():
            await asyncio.gather(*(self._tell(*change) for change in changes))

    async def _tell(self, session_id: str, change: str) -> None:
        try:
            await self._workflows.budget_changed(session_id)
        except Exception as error:
            log.warning("a session could not be told of a budget", session_id=session_id, error=type(error).__name__)
        else:
            await self._budgets.told(session_id, change)
