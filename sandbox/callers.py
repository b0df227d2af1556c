"""Who asks: what the headers of a request say to the gateway."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from sandbox import grants
from sandbox.access import Access, Permission
from sandbox.addresses import preview_name, session_of
from sandbox.http1 import HOP, Fields
from sandbox.routes import Route

_MOST_REMEMBERED: Final = 256
_RELAYED: Final = b"stich-relayed"
_NOT_UP: Final = HOP | {b"cookie", b"authorization", b"expect", _RELAYED}
_NOT_UP_ELSEWHERE: Final = HOP | {b"expect", _RELAYED}


@dataclass(slots=True)
class Caller:
    """A request's headers, read. `up` are those that its session's server gets, `route` is the one taken last."""

    host: str
    session_id: str | None
    permission: Permission | None
    up: bytes
    navigation: bool
    framed: bool
    relayed: bool
    worker: bool
    route: Route | None = None


class Callers:
    """Reads callers: `suffixes` are the domains of previews, `cookie` is the name under which browsers keep grants."""

    def __init__(self, secret: bytes, suffixes: Sequence[str], access: Access | None, cookie: str) -> None:
        self._secret = secret
        self._suffixes = suffixes
        self._access = access
        self._cookie = cookie
        # The same headers mean the same again and again.
        self.read = lru_cache(_MOST_REMEMBERED)(self._read)

    def _read(self, fields: Fields) -> Caller:
        host = fields.get(b"host").decode("latin-1").partition(":")[0].lower()
        name, dot, rest = host.partition(".")
        session_id = session_of(self._secret, name) if dot + rest in self._suffixes else None
        permission = None
        if session_id is not None and self._access is not None:
            grant = grants.read(self._secret, _cookie(fields, self._cookie))
            permission = Permission(self._access, session_id, grant) if grant is not None else None
        mark = fields.get(_RELAYED).decode("latin-1")
        return Caller(
            host,
            session_id,
            permission,
            fields.kept(_NOT_UP),
            navigation=b"text/html" in fields.get(b"accept"),
            framed=fields.get(b"sec-fetch-dest") == b"iframe",
            # Signed: a browser that says so would have a preview run at two hosts.
            relayed=session_id is not None and session_of(self._secret, mark, "relayed") == session_id,
            worker=b"service-worker" in fields,
        )

    def relayed(self, fields: Fields, session_id: str) -> bytes:
        """The headers that a request takes along to another host."""
        mark = preview_name(self._secret, session_id, "relayed").encode()
        return fields.kept(_NOT_UP_ELSEWHERE) + b"%b: %b\r\n" % (_RELAYED, mark)


def _cookie(fields: Fields, name: str) -> str:
    for value in fields.all(b"cookie"):
        for part in value.decode("latin-1").split(";"):
            key, _, text = part.strip().partition("=")
            if key == name:
                return text
    return ""
