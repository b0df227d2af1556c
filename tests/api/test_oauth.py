"""Signing in by accounts elsewhere, against a local provider that checks what providers check."""

import itertools
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from temporalio.client import Client

from schemas.http import Problem
from storage.database import Database
from storage.users import Users
from tests.api.conftest import Service, bound_socket, running, serve
from tests.api.oauth_server import Provider
from tests.api.people import add_user, browser_of, signed_in

people = itertools.count(1)


@pytest.fixture(scope="module")
async def elsewhere() -> AsyncIterator[Provider]:
    provider = Provider()
    async with serve(provider.app(), bound_socket()) as url:
        provider.url = url
        yield provider


@pytest.fixture(scope="module")
async def site(module_database: Database, temporal: Client, elsewhere: Provider) -> AsyncIterator[Service]:
    async with running(module_database, temporal, auth="accounts", oauth=elsewhere.settings()) as service:
        yield service


@pytest.fixture(autouse=True)
async def somebody_new(elsewhere: Provider, module_database: Database) -> None:
    """Each test meets a person of its own, who tells the truth."""
    number = next(people)
    elsewhere.person = {"id": number, "email": f"p{number}@elsewhere.example", "verified": True, "name": f"P {number}"}
    elsewhere.lie = {}
    await module_database.pool.execute("DELETE FROM sign_in_attempts")


async def begin(browser: httpx.AsyncClient, provider: str, link: bool = False) -> str:
    answer = await browser.post(f"/api/auth/oauth/{provider}", json={"link": link})
    assert answer.status_code == 200, answer.text
    url: str = answer.json()["url"]
    return url


async def come_back(browser: httpx.AsyncClient, address: str) -> httpx.Response:
    """Follows the provider's redirect, which is a navigation that another site caused."""
    headers = {"Sec-Fetch-Site": "cross-site", "Accept": "text/html"}
    request = browser.build_request("GET", address, headers=headers)
    del request.headers["origin"]
    return await browser.send(request)


@pytest.mark.parametrize("provider", ["google", "github"])
async def test_somebody_new_gets_an_account_and_comes_back_to_it(
    site: Service, elsewhere: Provider, provider: str
) -> None:
    seen, email = [], elsewhere.person["email"]
    for _ in range(2):
        async with browser_of(site) as browser:
            answer = await come_back(browser, elsewhere.authorize(await begin(browser, provider)))
            assert (answer.status_code, answer.headers["location"]) == (303, "/"), answer.text
            me = (await browser.get("/api/me")).json()
            assert (me["email"], me["name"], me["has_password"]) == (email, elsewhere.person["name"], False)
            seen.append(me["id"])
            (sign_in, *_) = (await browser.get("/api/me/sign-ins")).json()["sign_ins"]
            assert sign_in["means"] == provider
        elsewhere.person["email"] = f"moved-{elsewhere.person['email']}"  # the id counts, not the address
    assert seen[0] == seen[1]


async def test_an_address_that_is_known_here_links_nothing(site: Service, elsewhere: Provider) -> None:
    await add_user(site.database, elsewhere.person["email"])
    async with browser_of(site) as browser:
        answer = await come_back(browser, elsewhere.authorize(await begin(browser, "google")))
        assert answer.status_code == 409
        assert "link the other account" in answer.text
        assert (await browser.get("/api/me")).status_code == 401


async def test_who_is_signed_in_links_and_unlinks(site: Service, elsewhere: Provider) -> None:
    async with signed_in(site, "links@home.example") as person:
        for provider in ("google", "github"):
            answer = await come_back(
                person.browser, elsewhere.authorize(await begin(person.browser, provider, link=True))
            )
            assert (answer.status_code, answer.headers["location"]) == (303, "/account"), answer.text
        linked = (await person.browser.get("/api/me/identities")).json()["identities"]
        assert [identity["provider"] for identity in linked] == ["github", "google"]
        async with browser_of(site) as browser:
            await come_back(browser, elsewhere.authorize(await begin(browser, "github")))
            assert (await browser.get("/api/me")).json()["id"] == person.id
        assert (await person.browser.delete("/api/me/identities/github")).status_code == 204
        assert (await person.browser.delete("/api/me/identities/github")).status_code == 404
    async with signed_in(site, "thief@home.example") as thief:
        answer = await come_back(thief.browser, elsewhere.authorize(await begin(thief.browser, "google", link=True)))
        assert answer.status_code == 409


async def test_the_only_way_in_is_kept(site: Service, elsewhere: Provider) -> None:
    async with browser_of(site) as browser:
        await come_back(browser, elsewhere.authorize(await begin(browser, "google")))
        assert (await browser.delete("/api/me/identities/google")).status_code == 404
        assert len((await browser.get("/api/me/identities")).json()["identities"]) == 1


async def test_linking_needs_a_sign_in(site: Service) -> None:
    async with browser_of(site) as browser:
        answer = await browser.post("/api/auth/oauth/google", json={"link": True})
        assert answer.status_code == 401
        assert (await browser.post("/api/auth/oauth/elsewhere", json={})).status_code == 404


async def test_another_browsers_sign_in_cannot_be_finished_here(site: Service, elsewhere: Provider) -> None:
    async with browser_of(site) as attacker, browser_of(site) as victim:
        address = elsewhere.authorize(await begin(attacker, "google"))
        without = await come_back(victim, address)
        assert without.status_code == 400
        await begin(victim, "google")
        with_another = await come_back(victim, address)
        assert with_another.status_code == 400
        assert (await victim.get("/api/me")).status_code == 401


async def test_a_sign_in_is_finished_once_and_soon_and_at_its_own_provider(site: Service, elsewhere: Provider) -> None:
    async with browser_of(site) as browser:
        address = elsewhere.authorize(await begin(browser, "google"))
        assert (await come_back(browser, address.replace("google", "github"))).status_code == 400
        assert (await come_back(browser, address)).status_code == 303
        assert (await come_back(browser, address)).status_code == 400
        address = elsewhere.authorize(await begin(browser, "google"))
        with pytest.MonkeyPatch.context() as patch:
            late = time.time() + 601
            patch.setattr("api.oauth.time.time", lambda: late)
            assert (await come_back(browser, address)).status_code == 400


async def test_a_stolen_code_is_worth_nothing_without_its_verifier(site: Service, elsewhere: Provider) -> None:
    async with browser_of(site) as victim, browser_of(site) as attacker:
        stolen = elsewhere.authorize(await begin(victim, "google")).partition("code=")[2].partition("&")[0]
        own = elsewhere.authorize(await begin(attacker, "google"))
        code = own.partition("code=")[2].partition("&")[0]
        answer = await come_back(attacker, own.replace(f"code={code}&", f"code={stolen}&"))
        assert answer.status_code == 400
        assert (await attacker.get("/api/me")).status_code == 401


LIES: list[dict[str, Any]] = [
    {"nonce": "another"},
    {"nonce": ""},
    {"aud": "another-client"},
    {"iss": "https://evil.example"},
    {"exp": 1},
    {"email_verified": False},
    {"email_verified": "true"},
    {"email": "not an address"},
]


@pytest.mark.parametrize("lie", LIES, ids=str)
async def test_an_id_token_that_does_not_fit_signs_nobody_in(
    site: Service, elsewhere: Provider, lie: dict[str, Any]
) -> None:
    elsewhere.lie = lie
    async with browser_of(site) as browser:
        answer = await come_back(browser, elsewhere.authorize(await begin(browser, "google")))
        assert answer.status_code == 400, answer.text
        assert answer.headers["content-type"].startswith("text/html")
        assert (await browser.get("/api/me")).status_code == 401


async def test_an_id_token_of_another_key_signs_nobody_in(
    site: Service, elsewhere: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    forger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    real = jwt.encode
    monkeypatch.setattr(jwt, "encode", lambda claims, key, *rest: real(claims, forger, *rest))
    async with browser_of(site) as browser:
        answer = await come_back(browser, elsewhere.authorize(await begin(browser, "google")))
        assert answer.status_code == 400


async def test_an_unverified_address_signs_nobody_in(site: Service, elsewhere: Provider) -> None:
    elsewhere.person["verified"] = False
    async with browser_of(site) as browser:
        for provider in ("google", "github"):
            answer = await come_back(browser, elsewhere.authorize(await begin(browser, provider)))
            assert answer.status_code == 400
        assert (await browser.get("/api/me")).status_code == 401


async def test_a_refusal_at_the_provider_is_a_plain_page(site: Service, elsewhere: Provider) -> None:
    async with browser_of(site) as browser:
        address = elsewhere.authorize(await begin(browser, "github"))
        state = address.partition("state=")[2]
        answer = await come_back(browser, f"/auth/github/callback?error=access_denied&state={state}")
        assert answer.status_code == 400
        assert "did not confirm" in answer.text


async def test_a_disabled_user_stays_out_by_this_way_too(site: Service, elsewhere: Provider) -> None:
    async with browser_of(site) as browser:
        await come_back(browser, elsewhere.authorize(await begin(browser, "github")))
        await Users(site.database).set_disabled((await browser.get("/api/me")).json()["id"], True)
        answer = await come_back(browser, elsewhere.authorize(await begin(browser, "github")))
        assert answer.status_code == 400
        assert (await browser.get("/api/me")).status_code == 401


async def test_a_provider_that_is_away_is_a_sentence(module_database: Database, temporal: Client) -> None:
    nobody = Provider()
    nobody.url = "http://127.0.0.1:9"
    async with (
        running(module_database, temporal, auth="accounts", oauth=nobody.settings()) as service,
        browser_of(service) as browser,
    ):
        url = await begin(browser, "google")
        answer = await browser.get(nobody.authorize(url))
        problem = Problem.model_validate_json(answer.content)
        assert (problem.status, problem.code) == (400, "oauth_failed")
