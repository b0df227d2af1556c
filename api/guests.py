"""People without an account, who may look at one session by a link whose owner chose so.

Such a link's secret becomes a cookie of the browser, and is looked up with every request: a link that is taken back or
has run out opens nothing any more, and open streams end within seconds.
"""

from starlette.requests import HTTPConnection

from api.auth import Cookie, Principal
from api.key_holders import hash_of
from api.settings import ApiSettings
from storage.shares import Shares


def guest_cookie(settings: ApiSettings) -> Cookie:
    """The cookie of browsers that look at a session without an account."""
    return Cookie(settings, "guest")


class Guests:
    """Finds the link behind a guest's cookie."""

    def __init__(self, settings: ApiSettings, shares: Shares) -> None:
        self._cookie = guest_cookie(settings)
        self._shares = shares

    async def identify(self, connection: HTTPConnection) -> Principal | None:
        """A guest, who may only read; None without a cookie, or where its link is no longer valid."""
        secret = self._cookie.read(connection)
        link = await self._shares.guest_link(hash_of(secret)) if secret else None
        if link is None:
            return None
        return Principal(f"guest:{link.id}", "cookie", scopes=frozenset({"read"}), name="A guest")
