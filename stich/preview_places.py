"""Where previews are when several hosts run sandboxes: told to the other hosts, asked by the gateway."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator
from typing import Final

import structlog

from sandbox import Sandbox
from sandbox.places import Claim
from sandbox.sandbox import ages
from storage.sandbox_hosts import SandboxHosts

log = structlog.get_logger(__name__)

BEAT_SECONDS: Final = 2.0
DELETED_EVERY: Final = 30  # beats
LOST_SECONDS: Final = 10.0  # longer than it takes until a host that is gone counts as gone


def reached_at(host: str, port: int) -> str:
    """Where other hosts reach a service that listens on `host`: by this machine's name where that is every address."""
    if host in ("0.0.0.0", "::", ""):
        host = socket.gethostname()
    return f"{host}:{port}"


class PreviewPlaces:
    """The previews' places as this host sees them. `host` is its name, `address` where others reach its gateway."""

    def __init__(self, hosts: SandboxHosts, host: str, address: str) -> None:
        self._hosts = hosts
        self.host = host
        self._address = address
        self._lost: dict[str, float] = {}

    async def claim(self, session_id: str) -> Claim:
        """Where the session is now. It comes here where no host that lives, and answers, has it."""
        holder = await self._hosts.claim(session_id, self.host)
        if holder is None or holder.host == self.host:
            return Claim(None, anew=holder is not None and holder.anew)
        # An address that is this host's own is one that leads nowhere else, as that of two loopbacks.
        if self._lost.get(holder.address, 0.0) > time.monotonic() or holder.address in ("", self._address):
            return Claim(None, anew=await self._hosts.move(session_id, self.host))
        return Claim(holder.address, anew=False)

    def lost(self, address: str) -> None:
        """Note that a host does not answer."""
        self._lost = {known: until for known, until in self._lost.items() if until > time.monotonic()}
        self._lost[address] = time.monotonic() + LOST_SECONDS

    async def move(self, session_id: str) -> None:
        """The session's work is done here from now on."""
        await self._hosts.move(session_id, self.host)

    @contextlib.asynccontextmanager
    async def kept(self, sandbox: Sandbox, every: float = BEAT_SECONDS) -> AsyncIterator[None]:
        """Tell the other hosts of this one while the block runs, and let go of what they have taken over."""
        await self._hosts.beat(self.host, self._address)
        task = asyncio.create_task(self._keep(sandbox, every), name="previews' places")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            with contextlib.suppress(Exception):  # without a database the others notice by themselves
                await self._hosts.leave(self.host)

    async def _keep(self, sandbox: Sandbox, every: float) -> None:
        beats = 0
        while True:
            try:
                await self._hosts.beat(self.host, self._address)
                running = [server.served.session_id for server in sandbox.previews.running()]
                for session_id in await self._hosts.elsewhere(running, self.host) if running else ():
                    await sandbox.previews.stop(session_id)
                if beats % DELETED_EVERY == 0:
                    await self._forget_deleted(sandbox)
            except Exception as error:  # tried again with the next beat
                log.warning("the places of previews were not kept", error=f"{type(error).__name__}: {error}"[:300])
            beats += 1
            await asyncio.sleep(every)

    async def _forget_deleted(self, sandbox: Sandbox) -> None:
        """Remove workspaces of sessions that were deleted while another host had them."""
        names = await asyncio.to_thread(ages, sandbox.settings)
        gone = await self._hosts.gone({_session_of(name) for name in names}) if names else []
        for name in names:
            if _session_of(name) in gone:
                await sandbox.remove(name)


def _session_of(workspace: str) -> str:
    """Whose workspace it is. Beside a session's own there are those of its candidates ("<session>_<phase>_<number>")
    and of what it publishes ("<session>--publish")."""
    return workspace.partition("_")[0].removesuffix("--publish")
