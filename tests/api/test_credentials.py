"""Access tokens, refresh tokens and API keys: what is accepted, for what, and for how long."""

import asyncio
import base64
import time
from collections.abc import Callable
from typing import Any
from unittest import mock

import jwt
import orjson
import pytest
from temporalio.client import Client

from api.access_tokens import LIFE, AccessTokens
from schemas.http import Problem
from storage.database import Database
from tests.api.conftest import Service, running
from tests.api.people import PASSWORD, add_user, bearer, program_tokens, signed_in


@pytest.fixture(autouse=True)
async def no_attempts_yet(accounts: Service) -> None:
    await accounts.database.pool.execute("DELETE FROM sign_in_attempts")


def tokens_of(service: Service) -> AccessTokens:
    tokens = service.app.state.services.access_tokens
    assert isinstance(tokens, AccessTokens)
    return tokens


async def status(service: Service, token: str) -> int:
    return (await service.anonymous.get("/api/me", headers=bearer(token))).status_code


async def signing_key(service: Service) -> tuple[str, bytes]:
    """The newest key, as only the service itself knows it."""
    tokens = tokens_of(service)
    await tokens._load(0)
    assert tokens._newest is not None
    return tokens._newest, tokens._keys[tokens._newest]


Claims = dict[str, Any]
FORGERIES: dict[str, Callable[[Claims], Claims]] = {
    "expired": lambda c: c | {"exp": int(time.time()) - 1},
    "another audience": lambda c: c | {"aud": "https://elsewhere.example/api"},
    "another issuer": lambda c: c | {"iss": "https://elsewhere.example"},
    "another user": lambda c: c | {"sub": "local"},
    "another sign-in": lambda c: c | {"sid": "in-0"},
    "no end": lambda c: {k: v for k, v in c.items() if k != "exp"},
    "no audience": lambda c: {k: v for k, v in c.items() if k != "aud"},
    "not yet": lambda c: c | {"iat": int(time.time()) + 3600},
}


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_a_token_is_refused_even_if_rightly_signed(accounts: Service, forgery: str) -> None:
    email = f"{forgery.replace(' ', '-')}@example.org"
    await add_user(accounts.database, email)
    token = (await program_tokens(accounts, email)).access_token
    key_id, key = await signing_key(accounts)
    claims = jwt.decode(token, options={"verify_signature": False})
    headers = {"kid": key_id, "typ": "at+jwt"}
    assert await status(accounts, jwt.encode(claims, key, "HS256", headers)) == 200
    assert await status(accounts, jwt.encode(FORGERIES[forgery](claims), key, "HS256", headers)) == 401


async def test_a_token_without_or_with_another_signature_is_refused(accounts: Service) -> None:
    await add_user(accounts.database, "forged@example.org")
    token = (await program_tokens(accounts, "forged@example.org")).access_token
    key_id, key = await signing_key(accounts)
    claims = jwt.decode(token, options={"verify_signature": False})
    head, body, signature = token.split(".")
    none = base64.urlsafe_b64encode(orjson.dumps({"alg": "none", "kid": key_id, "typ": "at+jwt"})).decode().rstrip("=")
    forged = {
        "none": f"{none}.{body}.",
        "none with the signature": f"{none}.{body}.{signature}",
        "cut off": f"{head}.{body}.",
        "half": f"{head}.{body}",
        "another key": jwt.encode(claims, b"k" * 32, "HS256", {"kid": key_id, "typ": "at+jwt"}),
        "an unknown key": jwt.encode(claims, key, "HS256", {"kid": "k0", "typ": "at+jwt"}),
        "another algorithm": jwt.encode(claims, key * 2, "HS512", {"kid": key_id, "typ": "at+jwt"}),
        "another type": jwt.encode(claims, key, "HS256", {"kid": key_id, "typ": "JWT"}),
        "a key that is a path": jwt.encode(claims, b"\0" * 32, "HS256", {"kid": "../../dev/null", "typ": "at+jwt"}),
        "a key that is no text": f"{base64.urlsafe_b64encode(b'{}').decode()}.{body}.{signature}",
        "long": "x." * 5000,
    }
    for name, text in forged.items():
        assert await status(accounts, text) == 401, name
    assert await status(accounts, token) == 200


async def test_a_token_ends_by_itself(accounts: Service) -> None:
    await add_user(accounts.database, "ends@example.org")
    tokens = await program_tokens(accounts, "ends@example.org")
    assert tokens.expires_in == LIFE.total_seconds()
    long_ago = time.time() - tokens.expires_in - 1
    with mock.patch("api.access_tokens.time.time", return_value=long_ago):
        old = (await program_tokens(accounts, "ends@example.org")).access_token
    assert await status(accounts, old) == 401


async def test_a_refresh_token_works_once_and_a_second_use_ends_everything(accounts: Service) -> None:
    await add_user(accounts.database, "stolen@example.org")
    first = await program_tokens(accounts, "stolen@example.org")
    answer = await accounts.anonymous.post("/api/auth/refresh", json={"refresh_token": first.refresh_token})
    assert answer.status_code == 200
    second = answer.json()
    assert second["refresh_token"] != first.refresh_token
    assert await status(accounts, second["access_token"]) == 200
    thief = await accounts.anonymous.post("/api/auth/refresh", json={"refresh_token": first.refresh_token})
    assert Problem.model_validate_json(thief.content).code == "refresh_refused"
    again = await accounts.anonymous.post("/api/auth/refresh", json={"refresh_token": second["refresh_token"]})
    assert again.status_code == 401
    for token in (first.access_token, second["access_token"]):
        assert await status(accounts, token) == 401
    acts = await accounts.database.pool.fetch("SELECT act, outcome FROM audit_log ORDER BY id DESC LIMIT 1")
    assert [tuple(act) for act in acts] == [("refresh_token_reused", "refused")]


async def test_of_many_uses_at_once_one_wins_at_most(accounts: Service) -> None:
    await add_user(accounts.database, "race@example.org")
    tokens = await program_tokens(accounts, "race@example.org")
    body = {"refresh_token": tokens.refresh_token}
    answers = await asyncio.gather(*(accounts.anonymous.post("/api/auth/refresh", json=body) for _ in range(20)))
    assert sum(answer.status_code == 200 for answer in answers) == 1
    assert await status(accounts, tokens.access_token) == 401  # the others were reuse


async def test_signing_out_ends_a_programs_tokens(accounts: Service) -> None:
    await add_user(accounts.database, "leaves@example.org")
    tokens = await program_tokens(accounts, "leaves@example.org")
    headers = bearer(tokens.access_token)
    assert (await accounts.anonymous.post("/api/sign-out", headers=headers)).status_code == 204
    assert await status(accounts, tokens.access_token) == 401
    answer = await accounts.anonymous.post("/api/auth/refresh", json={"refresh_token": tokens.refresh_token})
    assert answer.status_code == 401


async def test_a_refresh_token_is_no_access_token(accounts: Service) -> None:
    await add_user(accounts.database, "mixed@example.org")
    tokens = await program_tokens(accounts, "mixed@example.org")
    assert await status(accounts, tokens.refresh_token) == 401
    answer = await accounts.anonymous.post("/api/auth/refresh", json={"refresh_token": tokens.access_token[:150]})
    assert answer.status_code == 401


async def test_rotated_keys_are_believed_for_a_while_unless_told_otherwise(accounts: Service) -> None:
    await add_user(accounts.database, "rotate@example.org")
    before = (await program_tokens(accounts, "rotate@example.org")).access_token
    tokens = tokens_of(accounts)
    new = await tokens.rotate()
    after = (await program_tokens(accounts, "rotate@example.org")).access_token
    assert jwt.get_unverified_header(after)["kid"] == new != jwt.get_unverified_header(before)["kid"]
    assert [await status(accounts, token) for token in (before, after)] == [200, 200]
    await tokens.rotate(at_once=True)
    assert [await status(accounts, token) for token in (before, after)] == [401, 401]
    assert await accounts.database.pool.fetchval("SELECT count(*) FROM signing_keys") == 1


async def test_a_key_made_by_another_process_is_known_soon(accounts: Service, temporal: Client) -> None:
    await add_user(accounts.database, "other@example.org")
    tokens = tokens_of(accounts)
    other = AccessTokens(accounts.database, accounts.settings.derive_key("signing keys"), accounts.settings.origin)
    sign_in_id = (await accounts.database.pool.fetchval("SELECT id FROM sign_ins LIMIT 1")) or "in-1"
    await tokens.issue("user-1", sign_in_id)
    tokens._loaded -= 2  # the keys were read a while ago
    await other.rotate()
    assert await tokens.check(await other.issue("user-1", sign_in_id)) is not None


async def test_signing_keys_are_sealed_by_the_services_secret(module_database: Database, temporal: Client) -> None:
    async with running(module_database, temporal, auth="accounts") as service:
        await tokens_of(service).issue("user-1", "in-1")
        _, key = await signing_key(service)
    async with running(module_database, temporal, auth="accounts", token="another-token-0123456789") as other:
        await tokens_of(other).issue("user-1", "in-1")
        _, others = await signing_key(other)
    assert key != others
    for row in await module_database.pool.fetch("SELECT sealed FROM signing_keys"):
        assert key not in row["sealed"] and others not in row["sealed"]


async def test_an_api_key_is_shown_once_and_kept_as_a_hash(accounts: Service) -> None:
    async with signed_in(accounts, "keys@example.org") as person:
        body = {"name": "nightly", "scopes": ["read"], "expires_in_days": 7}
        made = (await person.browser.post("/api/me/api-keys", json=body)).json()
        key, info = made["key"], made["info"]
        assert key.startswith(info["hint"]) and len(info["hint"]) < 12
        listed = (await person.browser.get("/api/me/api-keys")).text
        assert info["id"] in listed and key not in listed
        rows = await accounts.database.pool.fetch("SELECT * FROM api_keys")
        assert all(key not in str(dict(row)) for row in rows)
        assert await status(accounts, key) == 200
        (shown,) = (await person.browser.get("/api/me/api-keys")).json()["api_keys"]
        assert shown["last_used_at"] is not None
        await accounts.database.pool.execute("UPDATE api_keys SET expires_at = now() WHERE id = $1", info["id"])
        assert await status(accounts, key) == 401


async def test_an_api_key_does_what_its_scopes_say_and_no_more(accounts: Service) -> None:
    async with signed_in(accounts, "scopes@example.org") as person:

        async def key(*scopes: str) -> dict[str, str]:
            made = await person.browser.post("/api/me/api-keys", json={"name": "k", "scopes": list(scopes)})
            assert made.status_code == 201, made.text
            return bearer(made.json()["key"])

        read, write = await key("read"), await key("sessions:write")
        assert (await accounts.anonymous.get("/api/sessions", headers=read)).status_code == 200
        assert (await accounts.anonymous.get("/api/sessions", headers=write)).status_code == 403
        body = {"prompt": "An app"}
        refused = await accounts.anonymous.post("/api/sessions", json=body, headers=read)
        assert Problem.model_validate_json(refused.content).code == "scope_missing"
        for path in ("/api/me/api-keys", "/api/me/sign-ins"):
            assert (await accounts.anonymous.get(path, headers=read)).status_code == 403
        more = {"name": "more", "scopes": ["read", "sessions:write"]}
        assert (await accounts.anonymous.post("/api/me/api-keys", json=more, headers=write)).status_code == 403
        for scopes in (["account"], ["everything"], [], ["read"] * 5):
            bad = await person.browser.post("/api/me/api-keys", json={"name": "k", "scopes": scopes})
            assert bad.status_code == 422
        operator = await person.browser.post("/api/me/api-keys", json={"name": "k", "scopes": ["operator"]})
        assert operator.status_code == 403


async def test_an_operators_key_loses_its_power_with_the_role(accounts: Service) -> None:
    async with signed_in(accounts, "boss@example.org", "operator") as boss:
        made = await boss.browser.post("/api/me/api-keys", json={"name": "k", "scopes": ["operator"]})
        key = bearer(made.json()["key"])
        assert (await accounts.anonymous.get("/api/audit", headers=key)).status_code == 200
        await accounts.database.pool.execute("UPDATE users SET role = 'user' WHERE id = $1", boss.id)
        assert (await accounts.anonymous.get("/api/audit", headers=key)).status_code == 403


async def test_another_persons_keys_and_sign_ins_are_out_of_reach(accounts: Service) -> None:
    async with signed_in(accounts, "mine@example.org") as mine, signed_in(accounts, "theirs@example.org") as theirs:
        made = await mine.browser.post("/api/me/api-keys", json={"name": "k", "scopes": ["read"]})
        key_id = made.json()["info"]["id"]
        (sign_in,) = (await mine.browser.get("/api/me/sign-ins")).json()["sign_ins"]
        assert (await theirs.browser.delete(f"/api/me/api-keys/{key_id}")).status_code == 404
        assert (await theirs.browser.delete(f"/api/me/sign-ins/{sign_in['id']}")).status_code == 404
        assert await status(accounts, made.json()["key"]) == 200


async def test_what_happened_is_in_the_audit_log_without_secrets(accounts: Service) -> None:
    async with signed_in(accounts, "audited@example.org", "operator") as boss:
        await accounts.anonymous.post("/api/auth/sign-in", json={"email": "audited@example.org", "password": "wrong"})
        made = (await boss.browser.post("/api/me/api-keys", json={"name": "k", "scopes": ["read"]})).json()
        log = await boss.browser.get(f"/api/audit?user={boss.id}")
        acts = [(entry["act"], entry["outcome"], entry["actor"]) for entry in log.json()["entries"]]
        assert acts == [
            ("api_key_made", "done", boss.id),
            ("sign_in", "refused", None),
            ("sign_in", "done", boss.id),
        ]
        assert {entry["address"] for entry in log.json()["entries"]} == {"127.0.0.1"}
        for secret in ("audited@example.org", PASSWORD, "wrong", made["key"]):
            assert secret not in log.text
        page = (await boss.browser.get("/api/audit?limit=1")).json()
        assert page["next"] == page["entries"][0]["id"]
    async with signed_in(accounts, "plain@example.org") as plain:
        refused = await plain.browser.get("/api/audit")
        assert Problem.model_validate_json(refused.content).code == "operator_only"


async def test_operators_change_roles_and_disable_but_not_themselves(accounts: Service) -> None:
    async with signed_in(accounts, "chief@example.org", "operator") as chief:
        user = await add_user(accounts.database, "changed@example.org")
        answer = await chief.browser.patch(f"/api/users/{user.id}", json={"role": "operator", "disabled": True})
        assert (answer.json()["role"], answer.json()["disabled"]) == ("operator", True)
        own = await chief.browser.patch(f"/api/users/{chief.id}", json={"role": "user"})
        assert own.status_code == 422
        assert (await chief.browser.patch("/api/users/nobody", json={"role": "user"})).status_code == 404
        listed = (await chief.browser.get("/api/users?limit=2")).json()
        assert len(listed["users"]) == 2 and listed["next"]
