"""Passwords: hashed with argon2id, in threads, a few at a time. Every check takes as long, whoever it is for."""

import asyncio
import os
import unicodedata
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from pydantic import SecretStr

HASHER: Final = PasswordHasher()
"""RFC 9106's second recommended choice: 64 MiB, three passes, four lanes."""

NOBODYS: Final = "$argon2id$v=19$m=65536,t=3,p=4$c3RpY2gtbm8tdXNlci1oZQ$Lj34X/qWJbhMP3CrMA4ne7FfWHnMSUgNS+q5dawbV4E"
"""A hash that no password is known to fit, checked where there is no account, at the same cost."""


class Passwords:
    """Hashes and checks passwords without holding up the event loop or the machine's memory."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(max(2, os.cpu_count() or 2))

    async def hash(self, password: SecretStr) -> str:
        async with self._turns:
            return await asyncio.to_thread(HASHER.hash, _plain(password))

    async def fits(self, password: SecretStr, password_hash: str | None) -> bool:
        """Whether this is the password. Without a hash it is not, which takes as long to find out."""
        async with self._turns:
            fits = await asyncio.to_thread(_verify, password_hash or NOBODYS, _plain(password))
        return fits and password_hash is not None


def _plain(password: SecretStr) -> bytes:
    # Keyboards differ in how they compose letters with accents.
    return unicodedata.normalize("NFKC", password.get_secret_value()).encode("utf-8", "surrogatepass")


def _verify(password_hash: str, password: bytes) -> bool:
    try:
        return HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
