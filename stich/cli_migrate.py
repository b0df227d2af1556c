"""`stich migrate`."""

import argparse
import asyncio
import os

from stich.database import migrate, required_url
from stich.environment import checked_settings


def run(arguments: argparse.Namespace) -> int:
    applied = asyncio.run(migrate(required_url(checked_settings(os.environ))))
    print(f"applied {', '.join(applied)}" if applied else "the tables are up to date")
    return 0
