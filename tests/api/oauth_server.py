"""Two providers in one local server: one with id tokens, as Google, and one with a user address, as GitHub.

It checks what a provider checks: client, redirect address, code, PKCE.
"""

import base64
import hashlib
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api.settings import OAuthProvider

CLIENT_ID = "stich-tests"
CLIENT_SECRET = "a-client-secret-0123456789"


class Provider:
    """What people at the provider look like, and what was asked of it. `lie` changes the claims of id tokens."""

    def __init__(self) -> None:
        self.url = ""
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.person: dict[str, Any] = {"id": 1, "email": "ada@elsewhere.example", "verified": True, "name": "Ada"}
        self.lie: dict[str, Any] = {}
        self.codes: dict[str, dict[str, str]] = {}

    def authorize(self, url: str, **changes: str) -> str:
        """What a person does who agrees: the address that the browser is sent back to."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()} | changes
        assert asked["response_type"] == "code" and asked["client_id"] == CLIENT_ID
        assert asked["code_challenge_method"] == "S256" and len(asked["state"]) >= 20
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        back = urlsplit(asked["redirect_uri"])
        return f"{back.path}?code={code}&state={asked['state']}"

    async def token(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        asked = self.codes.pop(form.get("code", ""), None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if (
            asked is None
            or form["client_secret"] != CLIENT_SECRET
            or form["redirect_uri"] != asked["redirect_uri"]
            or challenge.decode().rstrip("=") != asked["code_challenge"]
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(time.time())
        claims = {
            "iss": "https://accounts.example",
            "aud": CLIENT_ID,
            "sub": str(self.person["id"]),
            "email": self.person["email"],
            "email_verified": self.person["verified"],
            "name": self.person["name"],
            "nonce": asked.get("nonce", ""),
            "iat": now,
            "exp": now + 300,
        } | self.lie
        id_token = jwt.encode(claims, self.key, "RS256", {"kid": "k1"})
        return JSONResponse({"access_token": "elsewhere-token", "id_token": id_token})

    async def jwks(self, request: Request) -> Response:
        return JSONResponse({"keys": [RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True) | {"kid": "k1"}]})

    async def user(self, request: Request) -> Response:
        if request.headers["authorization"] != "Bearer elsewhere-token":
            return JSONResponse({}, 401)
        return JSONResponse({"id": self.person["id"], "login": "ada", "name": self.person["name"], "email": "x@y.z"})

    async def emails(self, request: Request) -> Response:
        return JSONResponse(
            [
                {"email": "other@elsewhere.example", "primary": False, "verified": True},
                {"email": self.person["email"], "primary": True, "verified": self.person["verified"]},
            ]
        )

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/token", self.token, methods=["POST"]),
                Route("/jwks", self.jwks),
                Route("/user", self.user),
                Route("/user/emails", self.emails),
            ]
        )

    def settings(self) -> tuple[OAuthProvider, ...]:
        """The two providers as the service is told of them."""
        secret = SecretStr(CLIENT_SECRET)
        return (
            OAuthProvider(
                name="google",
                client_id=CLIENT_ID,
                client_secret=secret,
                authorize_url=f"{self.url}/authorize",
                token_url=f"{self.url}/token",
                jwks_url=f"{self.url}/jwks",
                issuer="https://accounts.example",
            ),
            OAuthProvider(
                name="github",
                client_id=CLIENT_ID,
                client_secret=secret,
                authorize_url=f"{self.url}/authorize",
                token_url=f"{self.url}/token",
                user_url=f"{self.url}/user",
            ),
        )
