"""`stich keys`."""

import argparse
import asyncio
import os

from stich.environment import checked_settings
from stich.operator import installation
from stich.settings import Settings


def run(arguments: argparse.Namespace) -> int:
    return asyncio.run(rotate(checked_settings(os.environ), arguments.now))


async def rotate(settings: Settings, at_once: bool) -> int:
    async with installation(settings) as here:
        key_id = await here.rotate_signing_keys(at_once)
    older = "refused within a minute" if at_once else "good until they end"
    print(f"access tokens are signed by the key {key_id} from now on; older ones are {older}")
    return 0
