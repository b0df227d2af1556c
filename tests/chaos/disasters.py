"""What befalls a site. Each part that is killed is started again by the supervisor, as in real life."""

import os
import signal
from collections.abc import Awaitable, Callable
from typing import Final

from tests.chaos.site import Run, Site

Disaster = Callable[[Site, Run, str | None], Awaitable[None]]
"""Befalls a site while a run is in some activity (its name) or in none."""


def kill(part: str) -> Disaster:
    """kill -9 of one part."""

    async def happen(site: Site, run: Run, activity: str | None) -> None:
        site.kill(part)

    return happen


async def kill_service(site: Site, run: Run, activity: str | None) -> None:
    """kill -9 of the service process that those who watch are connected to."""
    site.kill_busiest_service()


async def kill_one_of_two(site: Site, run: Run, activity: str | None) -> None:
    """kill -9 of the worker that runs the activity, while another one is there; of any when none runs."""
    worker = await run.worker_of(activity) if activity else None
    os.kill(worker or site.pid("worker"), signal.SIGKILL)


async def kill_everything(site: Site, run: Run, activity: str | None) -> None:
    """kill -9 of all parts at once; only what starts them again stays."""
    for part in ("worker", "api", "temporal", "postgres"):
        site.kill(part)


DISASTERS: Final[dict[str, Disaster]] = {
    "worker": kill("worker"),
    "api": kill_service,
    "temporal": kill("temporal"),
    "postgres": kill("postgres"),
    "one_of_two_workers": kill_one_of_two,
    "everything": kill_everything,
}
