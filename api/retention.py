"""Drops what is kept for a time only, once it is older than that."""

import asyncio
from typing import Final

import structlog

from api.services import Services
from storage.traffic import Traffic

EVERY_SECONDS: Final = 3_600.0

log: structlog.stdlib.BoundLogger = structlog.get_logger("retention")


async def forget_old(services: Services) -> None:
    """Look once an hour, until it is cancelled. Any number of processes may."""
    traffic = Traffic(services.database, services.vault)
    while True:
        try:
            await services.webhooks.forget_old()
            await traffic.forget_old()
        except Exception as error:
            log.warning("what is old could not be dropped", error=type(error).__name__)
        await asyncio.sleep(EVERY_SECONDS)
