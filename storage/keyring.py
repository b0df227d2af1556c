"""Keys that encrypt what is stored: a list, the first of which seals, while all of them open what they once sealed."""

import base64
import binascii
import hashlib
import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12


class UnusableKey(ValueError):
    """A key is malformed, or none of those at hand opens what was sealed. The message holds no key."""


def seal(key: bytes, plain: bytes, bound: bytes) -> bytes:
    """`plain` encrypted (AES-256-GCM, a nonce of its own in front); opens only with the same key and `bound`."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, bound)


def unseal(key: bytes, sealed: bytes, bound: bytes) -> bytes:
    """What `seal` was given. Raises UnusableKey where key or `bound` differ, or the text was changed."""
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], bound)
    except (InvalidTag, ValueError):
        raise UnusableKey("what is stored does not open: it was sealed with another key, or changed") from None


def new_key() -> bytes:
    return secrets.token_bytes(KEY_BYTES)


class KeyRing:
    """Keys by id. An id is made from its key, and tells nothing about it."""

    def __init__(self, keys: list[bytes]) -> None:
        self._keys = {key_id(key): key for key in keys}
        self.current = key_id(keys[0])

    @classmethod
    def parse(cls, text: str) -> Self:
        """Keys of 32 bytes in base64, the current one first, between them commas, spaces or lines. Raises UnusableKey
        for one that is malformed, and where there is none."""
        keys = []
        for word in re.split(r"[\s,]+", text.strip()):
            try:
                key = base64.urlsafe_b64decode(word.replace("+", "-").replace("/", "_"))
            except (binascii.Error, ValueError):
                key = b""
            if len(key) != KEY_BYTES:
                raise UnusableKey("a key must be 32 random bytes in base64, as `openssl rand -base64 32` prints them")
            keys.append(key)
        return cls(keys)

    def text(self) -> str:
        """The keys as `parse` reads them, one a line. It is secret."""
        return "".join(f"{base64.urlsafe_b64encode(key).decode()}\n" for key in self._keys.values())

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self.ids)})"

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of all keys, the current one first."""
        return tuple(self._keys)

    def key(self, key_id: str) -> bytes | None:
        return self._keys.get(key_id)

    def renewed(self) -> "KeyRing":
        """With a new key in front."""
        return KeyRing([new_key(), *self._keys.values()])

    def only_current(self) -> "KeyRing":
        return KeyRing([self._keys[self.current]])


def key_id(key: bytes) -> str:
    return hashlib.sha256(b"stich key id\0" + key).hexdigest()[:12]


class KeySource:
    """Where a ring of keys comes from: given once, or a file that may change while processes run."""

    def __init__(self, read: Callable[[], KeyRing], path: Path | None = None) -> None:
        self._read = read
        self.path = path
        self._seen: tuple[int, int] | None = None
        self._ring: KeyRing | None = None

    @classmethod
    def given(cls, text: str) -> Self:
        """Keys as `KeyRing.parse` reads them. Raises UnusableKey."""
        ring = KeyRing.parse(text)
        return cls(lambda: ring)

    @classmethod
    def file(cls, path: Path) -> Self:
        """The keys of a file that only its owner can read, made with a new key where there is none.

        Raises UnusableKey for what cannot be read as keys, and OSError."""
        try:
            replace_file(path, KeyRing([new_key()]).text(), only_new=True)
        except FileExistsError:
            path.chmod(0o600)
        source = cls(lambda: KeyRing.parse(path.read_text()), path)
        source.ring()
        return source

    def ring(self) -> KeyRing:
        """The keys as they are now."""
        seen = None if self.path is None else _stamp(self.path)
        if self._ring is None or seen != self._seen:
            self._ring, self._seen = self._read(), seen
        return self._ring


def replace_file(path: Path, text: str, *, only_new: bool = False) -> None:
    """Write a private file as a whole. Raises FileExistsError where it is there and may not be."""
    new = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if only_new:
            os.link(new, path)
        else:
            new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def _stamp(path: Path) -> tuple[int, int]:
    facts = path.stat()
    return facts.st_mtime_ns, facts.st_ino
