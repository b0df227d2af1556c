"""Permission to see one session's preview: signed, running out, and void once the session's revision has moved on."""

import base64
import binascii
import hashlib
import hmac
import time
from dataclasses import dataclass
from urllib.parse import urlencode

ENTRANCE = "/__stich/enter"
_SIGNATURE_BYTES = 16


@dataclass(frozen=True)
class Grant:
    """Who holds it may see the session's preview until `until` (seconds since 1970) at that revision.

    `viewer` is the sign-in that it was given to, "" for none.
    """

    session_id: str
    until: int
    revision: int
    viewer: str = ""

    def holds(self, session_id: str, revision: int) -> bool:
        """Whether it is good for a session now."""
        return self.session_id == session_id and self.revision == revision and time.time() < self.until


def write(secret: bytes, grant: Grant) -> str:
    """The grant as text for a link or a cookie."""
    body = f"{grant.session_id}\n{grant.until}\n{grant.revision}\n{grant.viewer}".encode()
    return base64.urlsafe_b64encode(_signature(secret, body) + body).decode().rstrip("=")


def read(secret: bytes, text: str) -> Grant | None:
    """The grant in a text, None for anything this secret did not sign."""
    try:
        content = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return None
    signature, body = content[:_SIGNATURE_BYTES], content[_SIGNATURE_BYTES:]
    if not hmac.compare_digest(signature, _signature(secret, body)):
        return None
    session_id, until, revision, viewer = body.decode().split("\n")
    return Grant(session_id, int(until), int(revision), viewer)


def entrance(secret: bytes, grant: Grant, to: str = "/") -> str:
    """Path and query of the link that lets a browser see the preview."""
    return f"{ENTRANCE}?{urlencode({'grant': write(secret, grant), 'to': to})}"


def _signature(secret: bytes, body: bytes) -> bytes:
    return hmac.digest(secret, b"grant:" + body, hashlib.sha256)[:_SIGNATURE_BYTES]
