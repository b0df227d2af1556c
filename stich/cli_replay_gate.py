"""`stich replay-gate`: may this build take over the sessions that run?"""

import argparse
import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

from temporalio.client import WorkflowHistory

from stich.builds import build_id
from stich.environment import checked_settings
from stich.errors import StichError
from stich.home import Home
from stich.replay_gate import Replayed, of_namespace, replayed, save, saved
from stich.settings import Settings
from stich.temporal import connect_temporal, data_converter, require_namespace


def run(arguments: argparse.Namespace) -> int:
    if arguments.limit < 1:
        raise StichError("--limit takes a number from 1 up.")
    settings = _where(checked_settings(os.environ))
    found = asyncio.run(_replay(settings, arguments))
    failed = [each for each in found if each.problem is not None]
    build, replays = build_id(settings), f"{len(found)} histories"
    if not found:
        print(f"There are no sessions to replay; build {build} may take over.")
    elif failed:
        print(f"Build {build} cannot go on with {len(failed)} of {replays}: do not let it have them.")
    else:
        print(f"Build {build} replays all of {replays}, {sum(each.events for each in found)} events; it may take over.")
    return 1 if failed else 0


def _where(settings: Settings) -> Settings:
    """Temporal as the settings name it, else that of the `stich up` on this home."""
    running = Home(settings.home).running()
    if settings.temporal_address is None and running is not None:
        return settings.model_copy(update={"temporal_address": running.temporal_address})
    return settings


async def _replay(settings: Settings, arguments: argparse.Namespace) -> list[Replayed]:
    histories = saved(arguments.saved) if arguments.saved else _downloaded(settings, arguments.limit, arguments.save)
    found = []
    async for each in replayed(histories, data_converter(settings), settings.jurisdiction):
        found.append(each)
        verdict = "ok" if each.problem is None else f"FAILED: {each.problem}"
        print(f"{each.name} ({each.events} events): {verdict}", flush=True)
    return found


async def _downloaded(settings: Settings, limit: int, folder: Path | None) -> AsyncIterator[WorkflowHistory]:
    client = await connect_temporal(settings, os.environ)
    await require_namespace(client)
    async for history in of_namespace(client, limit):
        if folder is not None:
            save(folder, history)
        yield history
