"""Signing up, in and out; what the links in mails do; what is the same for accounts that do not exist."""

import asyncio
import statistics
import time
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from temporalio.client import Client

from api.sign_in_routes import ACCOUNT_FREE
from schemas.http import Problem
from storage.database import Database
from storage.users import Users
from tests.api.conftest import TOKEN, Service, running
from tests.api.people import (
    PASSWORD,
    add_user,
    bearer,
    browser_of,
    mail_folder,
    mails,
    program_tokens,
    signed_in,
    token_in,
)

NEW = "another long password"


def code(answer: httpx.Response) -> str:
    return Problem.model_validate_json(answer.content).code


@pytest.fixture(autouse=True)
async def no_attempts_yet(accounts: Service) -> None:
    """All tests come from one address: none shall pay for another's attempts."""
    await accounts.database.pool.execute("DELETE FROM sign_in_attempts")


async def sign_in(service: Service, email: str, password: str) -> httpx.Response:
    """Signs in and forgets it: the client stays anonymous."""
    answer = await service.anonymous.post("/api/auth/sign-in", json={"email": email, "password": password})
    service.anonymous.cookies.clear()
    return answer


async def test_signing_up_takes_the_link_in_the_mail(accounts: Service) -> None:
    body = {"email": "Ada@Example.org", "password": PASSWORD, "name": "Ada"}
    assert (await accounts.anonymous.post("/api/auth/sign-up", json=body)).status_code == 202
    assert (await sign_in(accounts, "ada@example.org", PASSWORD)).status_code == 401
    mail = (await mails(accounts))[-1]
    assert mail.startswith("To: ada@example.org\n")
    token = token_in(mail, "verify")
    both = await asyncio.gather(*(accounts.anonymous.post("/api/auth/verify", json={"token": token}) for _ in range(2)))
    assert sorted(answer.status_code for answer in both) == [204, 410]
    async with browser_of(accounts) as browser:
        answer = await browser.post("/api/auth/sign-in", json={"email": " ADA@example.org ", "password": PASSWORD})
        assert answer.status_code == 200
        assert answer.json()["user"]["email"] == "ada@example.org"
        assert answer.json()["tokens"] is None
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie and "SameSite=strict" in cookie
        me = (await browser.get("/api/me")).json()
        assert (me["name"], me["role"], me["has_password"]) == ("Ada", "user", True)
        assert (await browser.post("/api/sign-out")).status_code == 204
        assert (await browser.get("/api/me")).status_code == 401
    kept = await accounts.database.pool.fetch("SELECT password_hash FROM one_time_tokens WHERE used_at IS NOT NULL")
    assert all(row["password_hash"] is None for row in kept)


async def test_the_cookie_of_a_signed_out_browser_is_dead(accounts: Service) -> None:
    async with signed_in(accounts, "cookie@example.org") as person:
        kept = {"Cookie": "; ".join(f"{name}={value}" for name, value in person.browser.cookies.items())}
        assert (await accounts.anonymous.get("/api/me", headers=kept)).status_code == 200
        await person.browser.post("/api/sign-out")
        assert (await accounts.anonymous.get("/api/me", headers=kept)).status_code == 401


async def test_the_token_of_a_local_installation_signs_nobody_in(accounts: Service) -> None:
    assert (await accounts.signed_in.get("/api/me")).status_code == 401
    answer = await accounts.anonymous.get(f"/?token={TOKEN}", headers={"Accept": "text/html"})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert "account" in answer.text


async def test_an_account_that_exists_is_not_given_away(accounts: Service) -> None:
    await add_user(accounts.database, "known@example.org")
    for path, body in (
        ("/api/auth/sign-up", {"password": NEW, "name": "X"}),
        ("/api/auth/forgot", {}),
        ("/api/auth/sign-in", {"password": NEW}),
    ):
        known, unknown = [
            await accounts.anonymous.post(path, json={**body, "email": f"{name}@example.org"})
            for name in ("known", "unknown")
        ]
        assert known.status_code == unknown.status_code
        assert list(known.headers) == list(unknown.headers)
        for answer in (known, unknown):
            answer.headers.pop("x-request-id")
        texts = [a.text.replace(str(a.json().get("request_id")), "") if a.text else "" for a in (known, unknown)]
        assert texts[0] == texts[1]
    sent = await mails(accounts)
    assert any("has one already" in mail for mail in sent if "known@example.org" in mail)


async def test_an_unknown_account_takes_as_long_as_a_wrong_password(accounts: Service) -> None:
    await add_user(accounts.database, "slow@example.org")
    real = await accounts.app.state.services.passwords.hash(SecretStr(PASSWORD))
    await accounts.database.pool.execute("UPDATE users SET password_hash = $1 WHERE email = 'slow@example.org'", real)
    took: dict[str, list[float]] = {"slow": [], "nobody": []}
    for _ in range(4):
        for name, times in took.items():
            await accounts.database.pool.execute("DELETE FROM sign_in_attempts")
            started = time.perf_counter()
            assert (await sign_in(accounts, f"{name}@example.org", "wrong")).status_code == 401
            times.append(time.perf_counter() - started)
    slow, nobody = (statistics.median(times) for times in took.values())
    assert 0.3 < slow / nobody < 3


async def test_a_hundred_attempts_at_once_are_no_way_around_the_lock(accounts: Service) -> None:
    await add_user(accounts.database, "victim@example.org")
    answers = await asyncio.gather(*(sign_in(accounts, "victim@example.org", f"guess {n}") for n in range(100)))
    counted = [answer.status_code for answer in answers]
    assert counted.count(401) <= ACCOUNT_FREE + 2  # a pause of a second or two may end meanwhile
    assert counted.count(429) >= 100 - ACCOUNT_FREE - 2
    locked = next(answer for answer in answers if answer.status_code == 429)
    assert int(locked.headers["retry-after"]) >= 1
    assert code(locked) == "too_many_attempts"


async def test_the_pause_doubles_and_the_right_password_ends_it(accounts: Service) -> None:
    await add_user(accounts.database, "pause@example.org")
    pool = accounts.database.pool
    pauses = []
    for _ in range(ACCOUNT_FREE + 3):
        await pool.execute("UPDATE sign_in_attempts SET locked_until = NULL")
        assert (await sign_in(accounts, "pause@example.org", "wrong")).status_code == 401
        pauses.append(
            await pool.fetchval(
                """SELECT extract(epoch FROM locked_until - last_at)::int FROM sign_in_attempts
                   WHERE bucket LIKE 'account:%'"""
            )
        )
    assert pauses == [None] * (ACCOUNT_FREE - 1) + [1, 2, 4, 8]
    assert (await sign_in(accounts, "pause@example.org", PASSWORD)).status_code == 429
    await pool.execute("UPDATE sign_in_attempts SET locked_until = NULL")
    assert (await sign_in(accounts, "pause@example.org", PASSWORD)).status_code == 200
    assert await pool.fetchval("SELECT count(*) FROM sign_in_attempts WHERE bucket LIKE 'account:%'") == 0


async def test_one_address_cannot_try_many_accounts(accounts: Service) -> None:
    answers = [(await sign_in(accounts, f"many{n}@example.org", "guess")).status_code for n in range(24)]
    assert answers[:20] == [401] * 20
    assert 429 in answers[20:]


async def test_a_link_sets_a_new_password_once_and_ends_every_sign_in(accounts: Service) -> None:
    async with signed_in(accounts, "reset@example.org") as person:
        for _ in range(2):
            assert (await accounts.anonymous.post("/api/auth/forgot", json={"email": "reset@example.org"})).text == ""
        first, second = [token_in(mail, "reset") for mail in await mails(accounts) if "reset@example.org" in mail]
        answer = await accounts.anonymous.post("/api/auth/reset", json={"token": first, "password": NEW})
        assert answer.status_code == 204
        assert (await person.browser.get("/api/me")).status_code == 401
        for used in (first, second):
            answer = await accounts.anonymous.post("/api/auth/reset", json={"token": used, "password": PASSWORD})
            assert (answer.status_code, code(answer)) == (410, "link_not_valid")
    assert (await sign_in(accounts, "reset@example.org", PASSWORD)).status_code == 401
    assert (await sign_in(accounts, "reset@example.org", NEW)).status_code == 200


async def test_a_link_that_is_too_old_does_nothing(accounts: Service) -> None:
    await add_user(accounts.database, "late@example.org")
    await accounts.anonymous.post("/api/auth/forgot", json={"email": "late@example.org"})
    token = token_in((await mails(accounts))[-1], "reset")
    await accounts.database.pool.execute("UPDATE one_time_tokens SET expires_at = now() - interval '1 s'")
    answer = await accounts.anonymous.post("/api/auth/reset", json={"token": token, "password": NEW})
    assert answer.status_code == 410


async def test_mails_to_one_address_are_few(accounts: Service) -> None:
    await add_user(accounts.database, "bombed@example.org")
    for _ in range(8):
        await accounts.anonymous.post("/api/auth/forgot", json={"email": "bombed@example.org"})
        await accounts.app.state.services.background.settle()
    assert sum("bombed@example.org" in mail for mail in await mails(accounts)) == 3


async def test_mails_are_for_the_operators_eyes_only(accounts: Service) -> None:
    await add_user(accounts.database, "eyes@example.org")
    await accounts.anonymous.post("/api/auth/forgot", json={"email": "eyes@example.org"})
    await mails(accounts)
    folder = mail_folder(accounts.settings)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


async def test_changing_the_password_needs_the_old_one_and_ends_other_sign_ins(accounts: Service) -> None:
    async with signed_in(accounts, "change@example.org") as person, browser_of(accounts) as other:
        await other.post("/api/auth/sign-in", json={"email": "change@example.org", "password": PASSWORD})
        wrong = await person.browser.post("/api/me/password", json={"old": "wrong", "new": NEW})
        assert (wrong.status_code, code(wrong)) == (401, "wrong_password")
        assert (await person.browser.post("/api/me/password", json={"new": NEW})).status_code == 401
        done = await person.browser.post("/api/me/password", json={"old": PASSWORD, "new": NEW})
        assert done.status_code == 204
        assert (await person.browser.get("/api/me")).status_code == 200
        assert (await other.get("/api/me")).status_code == 401


@pytest.mark.parametrize("password", ["short", "aaaaaaaaaaaaaaa", "x" * 201])
async def test_weak_passwords_are_refused_and_never_repeated(accounts: Service, password: str) -> None:
    body = {"email": "weak@example.org", "password": password, "name": "W"}
    answer = await accounts.anonymous.post("/api/auth/sign-up", json=body)
    assert answer.status_code == 422
    assert password not in answer.text
    assert "password" in Problem.model_validate_json(answer.content).detail


NO_ADDRESSES = [
    "",
    "nobody",
    "a@b",
    "a b@c.de",
    "a@b.c\r\nBcc: x@y.z",
    "@b.de",
    "a@@b.de",
    f"{'x' * 250}@b.de",
    "<a@b.de>",
]


@pytest.mark.parametrize("email", NO_ADDRESSES)
async def test_what_is_no_address_is_refused(accounts: Service, email: str) -> None:
    assert (await accounts.anonymous.post("/api/auth/forgot", json={"email": email})).status_code == 422


async def test_a_disabled_user_is_out_at_once(accounts: Service) -> None:
    async with signed_in(accounts, "out@example.org") as person:
        tokens = await program_tokens(accounts, "out@example.org")
        key = (await person.browser.post("/api/me/api-keys", json={"name": "k", "scopes": ["read"]})).json()["key"]
        for token in (tokens.access_token, key):
            assert (await accounts.anonymous.get("/api/me", headers=bearer(token))).status_code == 200
        await Users(accounts.database).set_disabled(person.id, True)
        assert (await person.browser.get("/api/me")).status_code == 401
        for token in (tokens.access_token, key):
            assert (await accounts.anonymous.get("/api/me", headers=bearer(token))).status_code == 401
        body = {"refresh_token": tokens.refresh_token}
        assert (await accounts.anonymous.post("/api/auth/refresh", json=body)).status_code == 401
        assert (await sign_in(accounts, "out@example.org", PASSWORD)).status_code == 401


async def test_sign_ins_are_listed_and_ended_one_by_one(accounts: Service) -> None:
    async with signed_in(accounts, "list@example.org") as person:
        tokens = await program_tokens(accounts, "list@example.org")
        listed = (await person.browser.get("/api/me/sign-ins")).json()["sign_ins"]
        assert [(s["client"], s["current"]) for s in listed] == [("program", False), ("browser", True)]
        program = listed[0]["id"]
        assert (await person.browser.delete(f"/api/me/sign-ins/{program}")).status_code == 204
        assert (await person.browser.delete(f"/api/me/sign-ins/{program}")).status_code == 404
        assert (await accounts.anonymous.get("/api/me", headers=bearer(tokens.access_token))).status_code == 401
        tokens = await program_tokens(accounts, "list@example.org")
        assert (await person.browser.delete("/api/me/sign-ins")).status_code == 204
        assert (await accounts.anonymous.get("/api/me", headers=bearer(tokens.access_token))).status_code == 401
        assert (await person.browser.get("/api/me")).status_code == 200


async def test_signing_up_can_be_closed(module_database: Database, temporal: Client, tmp_path: Path) -> None:
    async with running(module_database, temporal, auth="accounts", sign_up=False, mail_folder=tmp_path) as service:
        body = {"email": "new@example.org", "password": PASSWORD, "name": "N"}
        answer = await service.anonymous.post("/api/auth/sign-up", json=body)
        assert (answer.status_code, code(answer)) == (403, "sign_up_closed")
        assert (await service.anonymous.get("/api/auth")).json() == {
            "mode": "accounts",
            "sign_up": False,
            "providers": [],
        }


async def test_a_local_installation_has_no_accounts_but_api_keys(service: Service) -> None:
    assert (await service.anonymous.get("/api/auth")).json()["mode"] == "local"
    answer = await service.anonymous.post("/api/auth/sign-in", json={"email": "a@b.de", "password": "x"})
    assert (answer.status_code, code(answer)) == (409, "no_accounts")
    assert (await service.signed_in.get("/api/me")).json()["role"] == "operator"
    made = await service.signed_in.post("/api/me/api-keys", json={"name": "k", "scopes": ["read", "operator"]})
    key = bearer(made.json()["key"])
    assert (await service.anonymous.get("/api/users", headers=key)).status_code == 200
    assert (await service.anonymous.post("/api/sessions", json={"prompt": "x"}, headers=key)).status_code == 403
