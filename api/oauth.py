"""Sign-in by accounts elsewhere: authorization code, PKCE, a state that only this browser knows, verified e-mail."""

import base64
import hashlib
import secrets
import time
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import httpx
import jwt
import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import BaseModel, ValidationError

from api.problems import OAUTH_FAILED, Refusal
from api.settings import OAuthProvider
from schemas.accounts import Email

FLOW_SECONDS: Final = 600
CALL_SECONDS: Final = 8.0
LARGEST_ANSWER: Final = 256 * 1024


class Flow(BaseModel):
    """A sign-in that is under way, as the browser's cookie holds it, sealed. `link` names the user to add to."""

    provider: str
    state: str
    verifier: str
    nonce: str
    expires: float
    link: str | None = None


class Elsewhere(NamedTuple):
    """Whom the provider vouches for. The e-mail address is one that it has verified."""

    provider: str
    subject: str
    email: str
    name: str


class _Verified(BaseModel):
    email: Email


class OAuth:
    """The provider's side of a sign-in. `secret` seals flows; `origin` is where the browser comes back to."""

    def __init__(self, providers: tuple[OAuthProvider, ...], secret: bytes, origin: str) -> None:
        self._providers = {provider.name: provider for provider in providers}
        self._seal = AESGCM(secret)
        self._origin = origin

    def knows(self, provider: str) -> bool:
        return provider in self._providers

    def begin(self, name: str, link: str | None) -> tuple[str, str]:
        """The address that the browser goes to, and the sealed flow that it keeps meanwhile."""
        provider = self._providers[name]  # type: ignore[index]  # any text may be asked for
        flow = Flow(
            provider=name,
            state=secrets.token_urlsafe(24),
            verifier=secrets.token_urlsafe(48),
            nonce=secrets.token_urlsafe(24),
            expires=time.time() + FLOW_SECONDS,
            link=link,
        )
        challenge = base64.urlsafe_b64encode(hashlib.sha256(flow.verifier.encode()).digest()).decode().rstrip("=")
        query = {
            "response_type": "code",
            "client_id": provider.client_id,
            "redirect_uri": self._redirect_uri(name),
            "scope": "openid email profile" if provider.jwks_url else "read:user user:email",
            "state": flow.state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        } | ({"nonce": flow.nonce} if provider.jwks_url else {})
        return f"{provider.authorize_url}?{urlencode(query)}", self._sealed(flow)

    def resume(self, name: str, sealed: str, state: str) -> Flow:
        """The flow that this browser began. Raises Refusal OAUTH_FAILED when it began none, or another one."""
        try:
            raw = base64.urlsafe_b64decode(sealed)
            flow = Flow.model_validate_json(self._seal.decrypt(raw[:12], raw[12:], b"oauth flow"))
        except (ValueError, InvalidTag):
            raise Refusal(OAUTH_FAILED, "This browser did not begin the sign-in that comes back here.") from None
        right = secrets.compare_digest(flow.state.encode(), state.encode("utf-8", "surrogatepass"))
        if not right or flow.provider != name or flow.expires < time.time():
            raise Refusal(OAUTH_FAILED, "The sign-in that comes back here is too old, or another one than was begun.")
        return flow

    async def finish(self, flow: Flow, code: str) -> Elsewhere:
        """Whom the provider vouches for. Raises Refusal OAUTH_FAILED."""
        provider = self._providers[flow.provider]  # type: ignore[index]
        form = {
            "grant_type": "authorization_code",
            "client_id": provider.client_id,
            "client_secret": provider.client_secret.get_secret_value(),
            "code": code,
            "redirect_uri": self._redirect_uri(flow.provider),
            "code_verifier": flow.verifier,
        }
        try:
            async with httpx.AsyncClient(
                timeout=CALL_SECONDS, headers={"Accept": "application/json", "User-Agent": "stich"}
            ) as client:
                tokens = await _json(client, "POST", provider.token_url, data=form)
                if provider.jwks_url:
                    return await self._by_id_token(client, provider, flow, tokens)
                return await self._by_user(client, provider, tokens)
        except (httpx.HTTPError, jwt.PyJWTError, ValidationError, KeyError, TypeError, ValueError) as error:
            # The error's text may hold what the provider sent: its kind says enough.
            raise Refusal(
                OAUTH_FAILED, f"{flow.provider.title()} did not confirm the sign-in ({type(error).__name__})."
            ) from None

    async def _by_id_token(
        self, client: httpx.AsyncClient, provider: OAuthProvider, flow: Flow, tokens: dict[str, Any]
    ) -> Elsewhere:
        token = tokens["id_token"]
        keys = jwt.PyJWKSet.from_dict(await _json(client, "GET", provider.jwks_url))
        claims = jwt.decode(
            token,
            keys[jwt.get_unverified_header(token)["kid"]],
            algorithms=["RS256", "ES256"],
            audience=provider.client_id,
            issuer=provider.issuer,
            options={"require": ["iss", "aud", "sub", "exp", "iat"]},
            leeway=30,
        )
        if not secrets.compare_digest(str(claims.get("nonce", "")), flow.nonce):
            raise ValueError("another nonce")
        if claims.get("email_verified") is not True:
            raise Refusal(OAUTH_FAILED, "The provider has not verified the e-mail address of this account.")
        email = _Verified(email=claims["email"]).email
        return Elsewhere(provider.name, str(claims["sub"]), email, str(claims.get("name") or ""))

    async def _by_user(self, client: httpx.AsyncClient, provider: OAuthProvider, tokens: dict[str, Any]) -> Elsewhere:
        client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        user = await _json(client, "GET", provider.user_url)
        emails = await _json(client, "GET", f"{provider.user_url}/emails")
        verified = [
            entry["email"] for entry in emails if entry.get("primary") is True and entry.get("verified") is True
        ]
        if not verified:
            raise Refusal(OAUTH_FAILED, "The provider has not verified the e-mail address of this account.")
        subject = user["id"]
        if not isinstance(subject, int):
            raise ValueError("an id that is no number")
        name = str(user.get("name") or user.get("login") or "")
        return Elsewhere(provider.name, str(subject), _Verified(email=verified[0]).email, name)

    def _redirect_uri(self, name: str) -> str:
        return f"{self._origin}/auth/{name}/callback"

    def _sealed(self, flow: Flow) -> str:
        nonce = secrets.token_bytes(12)
        sealed = self._seal.encrypt(nonce, flow.model_dump_json().encode(), b"oauth flow")
        return base64.urlsafe_b64encode(nonce + sealed).decode()


async def _json(client: httpx.AsyncClient, method: str, url: str, **kwargs: Any) -> Any:
    answer = await client.request(method, url, **kwargs)
    answer.raise_for_status()
    if len(answer.content) > LARGEST_ANSWER:
        raise ValueError("a large answer")
    return orjson.loads(answer.content)
