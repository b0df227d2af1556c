"""Two hosts that share nothing but Temporal and Postgres: a session moves between them."""

import asyncio
import os
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from sandbox.settings import default_cache
from schemas.http import CreateSession
from schemas.session import Progress
from stich.client import StichClient
from stich.demo.faults import FaultPlan
from tests.chaos.evidence import Undisturbed, verify
from tests.chaos.moments import PROMPT, FileStreaming
from tests.chaos.site import Run, Site, until
from tests.chaos.watching import Watcher

GIVEN_UP = 4.0  # seconds after which Temporal has given a frozen worker up
DOWNLOADS = ("cache", "staging")


class Host(NamedTuple):
    """The process id of its worker, the address of its service."""

    worker: int
    url: str


@asynccontextmanager
async def host(site: Site, folder: Path) -> AsyncIterator[Host]:
    """A worker and a service with a home, a working folder, ports and a cache of their own."""
    cache = await asyncio.to_thread(prepare, folder)
    try:
        own = {"STICH_SANDBOX_CACHE": str(cache)}
        home = {"STICH_HOME": str(folder / "service-home")}
        async with (
            site.second_worker(folder, **own) as worker,
            site.second_api(folder, **own, **home) as url,
        ):
            yield Host(worker, url)
    finally:
        await asyncio.to_thread(subprocess.run, ["rm", "-rf", cache], check=True)


def prepare(folder: Path) -> Path:
    """The folders of a host; the cache, with what `make setup` would have put there, is returned."""
    folder.mkdir()
    # Not below the tests' folder: commands in the sandbox run as users who cannot enter it.
    cache = Path(tempfile.mkdtemp(prefix="stich-host-"))
    cache.chmod(0o755)
    for name in ("tools", "templates", "machine.json"):
        subprocess.run(["cp", "-a", default_cache() / name, cache / name], check=True)
    (cache / "store").mkdir()
    for installed in (default_cache() / "store").iterdir():
        if installed.name not in DOWNLOADS:
            # Links of what never changes: tens of thousands of files are copied slowly.
            linked = ["cp", "-al", installed, cache / "store" / installed.name]
            if subprocess.run(linked, stderr=subprocess.DEVNULL).returncode != 0:  # another disk
                subprocess.run(["cp", "-a", installed, cache / "store"], check=True)
    return cache


@pytest.mark.timeout(300)
async def test_a_session_goes_on_at_the_other_host(
    whole: Site, undisturbed: Undisturbed, tmp_path: Path, measured: list[str]
) -> None:
    at_home = whole.pid("worker")
    async with host(whole, tmp_path / "a") as a, host(whole, tmp_path / "b") as b:
        os.kill(at_home, signal.SIGSTOP)
        try:
            await asyncio.sleep(GIVEN_UP)
            moment = FileStreaming()
            whole.model.demo.faults.replace(FaultPlan.model_validate({"faults": moment.faults}))
            async with StichClient(a.url, whole.stich.at.token) as client:
                session = await client.start(CreateSession(prompt=PROMPT, mode="deterministic"), "two-hosts")
            run = Run(whole, session.id, whole.temporal.get_workflow_handle(session.id, result_type=Progress))
            async with Watcher(run, urls=[b.url]) as watcher:
                await moment.come(run, watcher)
                worker = await until(lambda: run.worker_of("implement_phase"), "a worker writes the files")
                assert worker in (a.worker, b.worker)
                os.kill(worker, signal.SIGKILL)
                await verify(run, [watcher], undisturbed)
                pause = watcher.longest_pause(watcher.times[0], moment.operation)
        finally:
            os.kill(at_home, signal.SIGCONT)
    measured.append(f"one of two hosts loses its worker: {pause:.1f} s")
