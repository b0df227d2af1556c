"""The names under which a session's preview and its published site are found.

They are unguessable, the same after every restart, and different for the two: who knows one does not know the other.
"""

import base64
import hashlib
import hmac
import re

LOCAL_SUFFIX = "preview.localhost"
"""The domain of previews on this machine: browsers lead it to the loopback."""
_SIGNATURE = 18  # letters of base32: 90 bits
_LONGEST = 63 - 1 - _SIGNATURE
_SESSION = re.compile(rf"[a-z0-9](?:[a-z0-9-]{{0,{_LONGEST - 2}}}[a-z0-9])?")


def preview_name(secret: bytes, session_id: str, purpose: str = "preview") -> str:
    """The host name's first label for a session: its id and a signature. `purpose` is "preview" or "site".

    Raises ValueError for ids that do not fit into a host name (lower case letters, digits, inner hyphens; at most 44).
    """
    if not _SESSION.fullmatch(session_id):
        raise ValueError(f"{session_id[:60]!r} cannot be part of a host name")
    digest = hmac.digest(secret, f"{purpose}:{session_id}".encode(), hashlib.sha256)
    return f"{session_id}-{base64.b32encode(digest).decode().lower()[:_SIGNATURE]}"


def session_of(secret: bytes, name: str, purpose: str = "preview") -> str | None:
    """The session a name belongs to, None for a name this secret did not make."""
    session_id = name[: -_SIGNATURE - 1]
    if not _SESSION.fullmatch(session_id):
        return None
    expected = preview_name(secret, session_id, purpose)
    return session_id if hmac.compare_digest(expected.encode(), name.encode()) else None
