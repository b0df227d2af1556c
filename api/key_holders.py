"""API keys as credentials of requests."""

import hashlib
import re
import secrets
from typing import Final, NamedTuple

from api.auth import Principal
from storage.api_keys import ApiKeys

PREFIX: Final = "stk_"
KEY: Final = re.compile(r"stk_[0-9a-f]{48}")


class NewKey(NamedTuple):
    """A key, shown once, and what is kept of it."""

    key: str
    hash: bytes
    hint: str


def new_key() -> NewKey:
    key = PREFIX + secrets.token_hex(24)
    return NewKey(key, hash_of(key), key[: len(PREFIX) + 4])


def hash_of(secret: str) -> bytes:
    """How secrets that nobody can guess are kept."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


class KeyHolders:
    """Finds the principal behind an API key."""

    def __init__(self, keys: ApiKeys) -> None:
        self._keys = keys

    async def identify(self, token: str) -> Principal | None:
        """None for what is no valid key."""
        if not KEY.fullmatch(token):
            return None
        holder = await self._keys.holder(hash_of(token))
        if holder is None:
            return None
        scopes = holder.scopes if holder.role == "operator" else holder.scopes - {"operator"}
        return Principal(holder.user_id, "bearer", holder.role, scopes, holder.name, api_key_id=holder.key_id)
