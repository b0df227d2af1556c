"""`stich publish`: bring a session's application to an address of its own, or take it back."""

import argparse
import asyncio
import os
import sys
import time
from typing import Final

from schemas.deployments import TARGET_TITLES, UNDER_WAY, Deployment
from schemas.http import CreateDeployment
from stich.client import StichClient, StichHttpError, StichUnreachable
from stich.environment import checked_settings
from stich.errors import StichError
from stich.service import find
from stich.settings import Settings

PAUSE: Final = 0.3
PATIENCE: Final = 900.0


def run(arguments: argparse.Namespace) -> int:
    settings = checked_settings(os.environ)
    if arguments.version is not None and arguments.version < 1:
        raise StichError("--version takes a number from 1; the history of the files shows them.")
    deployment = asyncio.run(publish(settings, arguments))
    if arguments.json:
        print(deployment.model_dump_json())
    elif deployment.status == "live" and not arguments.withdraw:
        print(deployment.url)
    elif deployment.status == "withdrawn":
        print(f"withdrawn from {TARGET_TITLES[deployment.target]}")
    else:
        print(f"stich: {deployment.detail}", file=sys.stderr)
    return 0 if deployment.status == ("withdrawn" if arguments.withdraw else "live") else 1


async def publish(settings: Settings, arguments: argparse.Namespace) -> Deployment:
    """Ask for it and wait until it is done. Raises StichError."""
    try:
        async with find(settings).client() as client:
            if arguments.withdraw:
                asked = await client.withdraw(arguments.session, arguments.target)
            else:
                wanted = CreateDeployment(target=arguments.target, version=arguments.version)
                asked = await client.publish(arguments.session, wanted)
            return await until_done(client, arguments.session, asked)
    except (StichHttpError, StichUnreachable) as error:
        raise StichError(str(error)) from None


async def until_done(client: StichClient, session_id: str, asked: Deployment) -> Deployment:
    """The deployment at its end."""
    deadline = time.monotonic() + PATIENCE
    while True:
        shown = {known.id: known for known in await client.deployments(session_id)}
        now = shown.get(asked.id, asked)
        if now.status not in UNDER_WAY:
            return now
        if time.monotonic() > deadline:
            raise StichError("It is still under way; the page shows how it ends.")
        await asyncio.sleep(PAUSE)
