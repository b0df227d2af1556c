"""Access tokens of programs: short JWTs that name a sign-in, signed by keys that can be exchanged at any time."""

import secrets
import time
from datetime import timedelta
from typing import Final, NamedTuple

import jwt
import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from storage.database import Database
from storage.signing_keys import SigningKeys

ALGORITHM: Final = "HS256"
TYPE: Final = "at+jwt"
LIFE: Final = timedelta(minutes=10)
RELOAD_SECONDS: Final = 60.0
"""How long a key that was deleted elsewhere may still be believed here."""
UNKNOWN_SECONDS: Final = 1.0
"""How often a token with an unknown key makes the keys be read again."""
CLAIMS: Final = ["iss", "aud", "sub", "sid", "iat", "exp", "jti"]

log: structlog.stdlib.BoundLogger = structlog.get_logger("api")


class TokenClaims(NamedTuple):
    """What a valid access token says."""

    user_id: str
    sign_in_id: str


class AccessTokens:
    """Issues and checks access tokens. `secret` seals the signing keys in the database; `issuer` is the origin."""

    def __init__(self, database: Database, secret: bytes, issuer: str) -> None:
        self._store = SigningKeys(database)
        self._seal = AESGCM(secret)
        self._issuer = issuer
        self._audience = f"{issuer}/api"
        self._keys: dict[str, bytes] = {}
        self._newest: str | None = None
        self._loaded = float("-inf")

    async def issue(self, user_id: str, sign_in_id: str) -> str:
        """A token for the next ten minutes."""
        await self._load(RELOAD_SECONDS)
        key_id = self._newest or await self._first_key()
        now = int(time.time())
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": user_id,
            "sid": sign_in_id,
            "iat": now,
            "exp": now + int(LIFE.total_seconds()),
            "jti": secrets.token_hex(12),
        }
        return jwt.encode(claims, self._keys[key_id], ALGORITHM, {"kid": key_id, "typ": TYPE})

    async def check(self, token: str) -> TokenClaims | None:
        """What a token says, None when it is not ours, not meant for us, changed or too old."""
        try:
            header = jwt.get_unverified_header(token)
            key_id = header.get("kid")
            if header.get("typ") != TYPE or not isinstance(key_id, str):
                return None
            await self._load(RELOAD_SECONDS if key_id in self._keys else UNKNOWN_SECONDS)
            if (key := self._keys.get(key_id)) is None:
                return None
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=self._audience,
                issuer=self._issuer,
                options={"require": CLAIMS},
            )
        except jwt.InvalidTokenError:
            return None
        return TokenClaims(str(claims["sub"]), str(claims["sid"]))

    async def rotate(self, *, at_once: bool = False) -> str:
        """Sign with a new key from now on; the ones before are believed until their last token has ended, or not.

        Returns the id of the new key.
        """
        key_id, key = f"k{secrets.token_hex(8)}", secrets.token_bytes(32)
        nonce = secrets.token_bytes(12)
        await self._store.add(key_id, nonce + self._seal.encrypt(nonce, key, key_id.encode()))
        # Other processes sign with the key before for as long as they do not read the keys again.
        await self._store.forget_older(
            key_id, timedelta(0) if at_once else LIFE + timedelta(seconds=2 * RELOAD_SECONDS)
        )
        self._loaded = float("-inf")
        return key_id

    async def _first_key(self) -> str:
        await self.rotate()
        await self._load(0)
        assert self._newest is not None  # made just now
        return self._newest

    async def _load(self, older_than: float) -> None:
        """Read the keys, unless they were read so many seconds ago."""
        now = time.monotonic()
        if now - self._loaded < older_than:
            return
        keys: dict[str, bytes] = {}
        for stored in await self._store.list():
            try:
                keys[stored.id] = self._seal.decrypt(stored.sealed[:12], stored.sealed[12:], stored.id.encode())
            except InvalidTag:
                log.warning("a signing key was sealed under another secret of this service", key=stored.id)
        self._keys, self._newest, self._loaded = keys, next(iter(keys), None), now
