"""Which of several hosts has a session: what the gateway needs to know of it."""

from typing import NamedTuple, Protocol


class Claim(NamedTuple):
    """Where a preview is: at the gateway of another host (`address`, host:port), else here.

    `anew` says that it was elsewhere before, so what this host kept of the session is old.
    """

    address: str | None
    anew: bool


class Places(Protocol):
    """The hosts and what they have."""

    async def claim(self, session_id: str) -> Claim:
        """Where the session is now. It comes here where no host that lives has it."""

    def lost(self, address: str) -> None:
        """Note that a host does not answer."""
