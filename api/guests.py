"""People without an account, who may look at sessions by links whose owners chose so.

The secrets of such links become a cookie of the browser, and are looked up with every request: a link that is taken
back or has run out opens nothing any more, and open streams end within seconds.
"""

import re
from typing import Final

from starlette.requests import HTTPConnection
from starlette.responses import Response

from api.auth import Cookie, Principal
from api.key_holders import hash_of
from api.settings import ApiSettings
from storage.shares import Shares

MOST: Final = 12
"""Links that one browser holds: the newest ones, so that the cookie stays small."""
BETWEEN: Final = "."
_OF_SESSION: Final = re.compile(r"/api/sessions/([^/]+)")


class Guests:
    """Finds the link behind a guest's cookie."""

    def __init__(self, settings: ApiSettings, shares: Shares) -> None:
        self._cookie = Cookie(settings, "guest")
        self._shares = shares

    async def identify(self, connection: HTTPConnection) -> Principal | None:
        """A guest, who may only read; None without a cookie, or where none of its links is valid any more.

        Who has links of several sessions is the guest of the one that is asked for, by the newest link to it.
        """
        secrets = self._secrets(connection)
        valid = await self._shares.guest_links([hash_of(secret) for secret in secrets]) if secrets else {}
        links = [valid[hash_of(secret)] for secret in secrets if hash_of(secret) in valid]
        asked = _OF_SESSION.match(connection.scope["path"])
        fitting = [link for link in links if asked and link.session_id == asked[1]]
        for link in (*fitting, *links):
            return Principal(f"guest:{link.id}", "cookie", scopes=frozenset({"read"}), name="A guest")
        return None

    def welcome(self, connection: HTTPConnection, response: Response, secret: str) -> None:
        """Give the browser one more link."""
        others = [each for each in self._secrets(connection) if each != secret]
        self._cookie.write(response, BETWEEN.join([secret, *others][:MOST]))

    def _secrets(self, connection: HTTPConnection) -> list[str]:
        return [each for each in self._cookie.read(connection).split(BETWEEN)[:MOST] if each]
