"""`stich audit`."""

import argparse
import asyncio
import os

from schemas.accounts import AuditEntry
from stich.environment import checked_settings
from stich.operator import installation
from stich.settings import Settings


def run(arguments: argparse.Namespace) -> int:
    for entry in asyncio.run(entries(checked_settings(os.environ), arguments.limit, arguments.user)):
        print(entry.model_dump_json() if arguments.json else line(entry))
    return 0


async def entries(settings: Settings, limit: int, user: str | None) -> list[AuditEntry]:
    async with installation(settings) as here:
        return await here.audit(limit, user)


def line(entry: AuditEntry) -> str:
    detail = " ".join(f"{name}={value}" for name, value in entry.detail.items())
    parts = (f"{entry.at:%Y-%m-%d %H:%M:%S}", entry.outcome, entry.act, entry.actor or "-", entry.subject or "-")
    return " ".join(filter(None, (*parts, entry.address, detail)))
