"""People without an account: they look at what its owner opened to everybody with the link, and do nothing else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from api.app import ENDPOINTS
from api.guests import BETWEEN, MOST
from storage.files import Files
from storage.sessions import SessionRecord, Sessions
from tests.api.addresses import example_of, path_of
from tests.api.conftest import Service
from tests.api.people import Person, browser_of, signed_in

pytestmark = pytest.mark.usefixtures("worker")
S, OTHER = "open-to-all", "not-open"


@pytest.fixture(scope="module")
async def owner(accounts: Service) -> AsyncIterator[Person]:
    async with signed_in(accounts, "host@guests.example") as person:
        for name in (S, OTHER):
            await Sessions(accounts.database).create(
                SessionRecord(id=name, user_id=person.id, title="T", prompt="An app", mode="smart", state="completed")
            )
        await Files(accounts.database).put(S, "a.ts", "const a = 1;", author="model", reason="", operation_id="o")
        yield person


async def link(owner: Person, **body: object) -> tuple[str, str]:
    """A link's secret and id."""
    made = await owner.browser.post(f"/api/sessions/{S}/share-links", json={"anonymous": True, **body})
    assert made.status_code == 201, made.text
    return made.json()["url"].partition("#")[2], made.json()["link"]["id"]


@asynccontextmanager
async def guest_of(accounts: Service, owner: Person) -> AsyncIterator[tuple[httpx.AsyncClient, str]]:
    """A browser that came by a link, and the link."""
    secret, link_id = await link(owner)
    async with browser_of(accounts) as browser:
        answer = await browser.post("/api/guest", json={"token": secret})
        assert (answer.status_code, answer.json()) == (200, {"session_id": S, "access": "view"})
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie and "samesite=strict" in cookie
        yield browser, link_id


async def test_a_guest_looks(accounts: Service, owner: Person) -> None:
    async with guest_of(accounts, owner) as (browser, _):
        assert (await browser.get(f"/api/sessions/{S}/files/a.ts")).text == "const a = 1;"
        assert (await browser.get(f"/api/sessions/{S}/access")).json()["access"] == "view"
        for path in ("files", "versions", "export.zip", "conflicts", "watchers"):
            assert (await browser.get(f"/api/sessions/{S}/{path}")).status_code == 200, path
        answer = await browser.get(f"/api/sessions/{OTHER}/files")
        assert (answer.status_code, answer.json()["code"]) == (404, "session_not_found")


async def test_a_guest_does_nothing_else(accounts: Service, owner: Person) -> None:
    others = [endpoint for endpoint in ENDPOINTS if not endpoint.open and not endpoint.guests]
    assert [endpoint.name for endpoint in others if endpoint.proves] == ["watch_session"]
    async with guest_of(accounts, owner) as (browser, link_id):
        for endpoint in others:
            if not endpoint.proves:
                path = path_of(endpoint, session_id=S, link_id=link_id, user_id=owner.id)
                answer = await browser.request(endpoint.method, path, json=example_of(endpoint))
                assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in"), endpoint.name


def test_what_guests_may_call_only_reads() -> None:
    assert {e.method for e in ENDPOINTS if e.guests} == {"GET"}
    assert all("{session_id}" in e.path for e in ENDPOINTS if e.guests)


async def test_a_guest_watches_until_the_link_is_taken_back(accounts: Service, owner: Person) -> None:
    async with guest_of(accounts, owner) as (browser, link_id), browser.stream("GET", f"/api/sessions/{S}/events") as s:
        assert s.status_code == 200
        seen = ""
        async with asyncio.timeout(30):
            async for piece in s.aiter_text():  # it ends
                if "A guest" in piece and not seen:
                    await owner.browser.delete(f"/api/sessions/{S}/share-links/{link_id}")
                    seen = piece
            assert seen
        assert (await browser.get(f"/api/sessions/{S}/files")).status_code == 401


async def test_a_link_ends_by_itself_and_cannot_be_guessed(accounts: Service, owner: Person) -> None:
    async with guest_of(accounts, owner) as (browser, link_id):
        await accounts.database.pool.execute("UPDATE share_links SET expires_at = now() WHERE id = $1", link_id)
        assert (await browser.get(f"/api/sessions/{S}/files")).status_code == 401
    async with browser_of(accounts) as browser:
        statuses = [
            (await browser.post("/api/guest", json={"token": f"{number:043}"})).status_code for number in range(30)
        ]
        assert statuses[0] == 410 and statuses[-1] == 429
    await accounts.database.pool.execute("DELETE FROM sign_in_attempts")


async def test_only_looking_needs_no_account_and_only_where_chosen(accounts: Service, owner: Person) -> None:
    for access in ("comment", "edit"):
        body = {"anonymous": True, "access": access}
        assert (await owner.browser.post(f"/api/sessions/{S}/share-links", json=body)).status_code == 422
    secret, _ = await link(owner, anonymous=False)
    async with browser_of(accounts) as browser:
        answer = await browser.post("/api/guest", json={"token": secret})
        assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")
        assert "set-cookie" not in answer.headers


async def test_a_browser_has_links_of_several_sessions(accounts: Service, owner: Person) -> None:
    async with guest_of(accounts, owner) as (browser, first):
        made = await owner.browser.post(f"/api/sessions/{OTHER}/share-links", json={"anonymous": True})
        second = made.json()["url"].partition("#")[2]
        for _ in range(2):
            assert (await browser.post("/api/guest", json={"token": second})).json()["session_id"] == OTHER
        newer, _ = await link(owner)
        for name in (S, OTHER):
            assert (await browser.get(f"/api/sessions/{name}/access")).json()["access"] == "view", name
        await owner.browser.delete(f"/api/sessions/{OTHER}/share-links/{made.json()['link']['id']}")
        assert (await browser.get(f"/api/sessions/{OTHER}/files")).status_code == 404
        assert (await browser.get(f"/api/sessions/{S}/files")).status_code == 200
        await browser.post("/api/guest", json={"token": newer})
        await owner.browser.delete(f"/api/sessions/{S}/share-links/{first}")
        assert (await browser.get(f"/api/sessions/{S}/files")).status_code == 200, "by the other link to it"
        for _ in range(MOST):
            secret = (await link(owner))[0]
            await browser.post("/api/guest", json={"token": secret})
        (cookie,) = [each.value or "" for each in browser.cookies.jar]
        assert len(cookie.split(BETWEEN)) == MOST and newer not in cookie, "the newest stay"
        browser.cookies.set(next(iter(browser.cookies.jar)).name, f"{BETWEEN}{'x' * 43}{BETWEEN}")
        assert (await browser.get(f"/api/sessions/{S}/files")).status_code == 401


async def test_who_signs_in_is_no_guest_any_more(accounts: Service, owner: Person) -> None:
    secret, _ = await link(owner)
    async with signed_in(accounts, "visitor@guests.example") as visitor:
        await visitor.browser.post("/api/guest", json={"token": secret})
        assert (await visitor.browser.get("/api/me")).json()["id"] == visitor.id
        assert (await visitor.browser.get(f"/api/sessions/{S}/files")).status_code == 404
