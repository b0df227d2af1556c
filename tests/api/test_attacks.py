"""Attacks on every route, generated from the table of endpoints, so that a new route is attacked from its first day.

What is attacked elsewhere: forged, expired, misdirected and `none` tokens, stolen refresh tokens and rights of keys in
`test_credentials`; sign-in races, guesses and account enumeration in `test_sign_in`; sessions of strangers and viewers
in `test_sharing`; sign-in by other sites in `test_oauth`; host names and origins in `test_origins`.
"""

import re
from collections.abc import AsyncIterator
from operator import attrgetter
from typing import NamedTuple

import httpx
import orjson
import pytest
from temporalio.client import Client

from api.app import ENDPOINTS
from api.bodies import MAX_DEPTH
from api.endpoints import Endpoint
from schemas.http import Problem
from storage.database import Database
from storage.sessions import SessionRecord, Sessions
from tests.api.addresses import example_of, path_of
from tests.api.conftest import Service, running
from tests.api.people import Person, signed_in

pytestmark = pytest.mark.usefixtures("worker")

OPEN = {
    "auth_options",
    "decode_payloads_with_ticket",
    "encode_payloads_with_ticket",
    "healthz",
    "oauth_callback",
    "open_as_guest",
    "openapi",
    "readyz",
    "refresh_tokens",
    "reset_password",
    "forgot_password",
    "sign_in",
    "sign_up",
    "start_oauth",
    "verify_email",
}
CHANGES = [endpoint for endpoint in ENDPOINTS if endpoint.method != "GET"]
WITH_BODY = [endpoint for endpoint in ENDPOINTS if endpoint.body is not None]
ENDLESS = {"watch_session"}
CANARY = "canary-4f1c"


def test_open_routes_are_the_ones_that_have_to_be() -> None:
    assert {endpoint.name for endpoint in ENDPOINTS if endpoint.open} == OPEN


class Victim(NamedTuple):
    """Somebody with one of everything, all named CANARY, and the ids of it."""

    person: Person
    ids: dict[str, str]


@pytest.fixture(scope="module")
async def victim(accounts: Service) -> AsyncIterator[Victim]:
    async with signed_in(accounts, f"{CANARY}@attack.example") as person:
        browser = person.browser
        key = (await browser.post("/api/me/api-keys", json={"name": CANARY, "scopes": ["read"]})).json()
        session_id = f"session-{CANARY}"
        await Sessions(accounts.database).create(
            SessionRecord(id=session_id, user_id=person.id, title=CANARY, prompt=CANARY, mode="deterministic")
        )
        link = (await browser.post(f"/api/sessions/{session_id}/share-links", json={})).json()["link"]
        (sign_in,) = (await browser.get("/api/me/sign-ins")).json()["sign_ins"]
        yield Victim(
            person,
            {
                "session_id": session_id,
                "key_id": key["info"]["id"],
                "sign_in_id": sign_in["id"],
                "user_id": person.id,
                "link_id": link["id"],
            },
        )


@pytest.fixture(scope="module")
async def stranger(accounts: Service) -> AsyncIterator[Person]:
    async with signed_in(accounts, "stranger@attack.example") as person:
        yield person


@pytest.fixture(scope="module")
async def operator(accounts: Service) -> AsyncIterator[Person]:
    async with signed_in(accounts, "operator@attack.example", "operator") as person:
        yield person


async def everything_of(database: Database, victim: Victim) -> list[str]:
    """All rows about the victim, as text."""
    rows = []
    for table, column in (
        ("users", "id"),
        ("sign_ins", "user_id"),
        ("api_keys", "user_id"),
        ("user_identities", "user_id"),
        ("sessions", "user_id"),
        ("session_shares", "user_id"),
    ):
        found = await database.pool.fetch(f"SELECT * FROM {table} WHERE {column} = $1", victim.person.id)
        rows += [str({**row, "last_seen_at": None, "expires_at": None}) for row in found]
    links = await database.pool.fetch("SELECT * FROM share_links WHERE session_id = $1", victim.ids["session_id"])
    return sorted([*rows, *map(str, links)])


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=attrgetter("name"))
async def test_a_stranger_learns_and_changes_nothing_of_others_on_any_route(
    accounts: Service, victim: Victim, stranger: Person, endpoint: Endpoint
) -> None:
    if endpoint.name == "sign_out":
        return  # it would end the stranger's own sign-in
    await accounts.database.pool.execute("DELETE FROM sign_in_attempts")
    before = await everything_of(accounts.database, victim)
    body = example_of(endpoint)
    path = path_of(endpoint, **victim.ids)
    answer = await stranger.browser.request(endpoint.method, path, json=body)
    assert CANARY not in answer.text.replace(victim.ids["session_id"], "")
    assert await everything_of(accounts.database, victim) == before
    if endpoint.needed_scope == "operator":
        assert answer.status_code == 403
    if "{session_id}" in endpoint.path:
        assert Problem.model_validate_json(answer.content).code == "session_not_found"
    assert answer.status_code < 500


async def test_a_key_without_scopes_that_fit_opens_no_route(accounts: Service, victim: Victim) -> None:
    asking = [endpoint for endpoint in ENDPOINTS if not endpoint.open]
    for needed in {endpoint.needed_scope for endpoint in asking}:
        others = [scope for scope in ("read", "sessions:write", "keys") if scope != needed]
        made = await victim.person.browser.post("/api/me/api-keys", json={"name": "other", "scopes": others})
        key = {"Authorization": f"Bearer {made.json()['key']}"}
        for endpoint in asking:
            if endpoint.needed_scope == needed:
                path = path_of(endpoint, **victim.ids)
                answer = await accounts.anonymous.request(endpoint.method, path, json=example_of(endpoint), headers=key)
                assert answer.status_code == 403, (endpoint.name, answer.text)
                assert Problem.model_validate_json(answer.content).code in ("scope_missing", "operator_only")
        await victim.person.browser.delete(f"/api/me/api-keys/{made.json()['info']['id']}")


FOREIGN: list[dict[str, str]] = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {},
]


@pytest.mark.parametrize("endpoint", CHANGES, ids=attrgetter("name"))
async def test_another_sites_page_changes_nothing_with_the_cookie(
    accounts: Service, victim: Victim, endpoint: Endpoint
) -> None:
    cookie = "; ".join(f"{name}={value}" for name, value in victim.person.browser.cookies.items())
    for headers in FOREIGN:
        answer = await accounts.anonymous.request(
            endpoint.method,
            path_of(endpoint, **victim.ids),
            json=example_of(endpoint),
            headers={"Cookie": cookie, **headers},
        )
        assert answer.status_code == 403, (headers, answer.text)
        assert Problem.model_validate_json(answer.content).code == "foreign_origin"


def nested(depth: int) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth


@pytest.mark.parametrize("endpoint", WITH_BODY, ids=attrgetter("name"))
async def test_bodies_that_are_huge_deep_or_odd_are_refused(operator: Person, endpoint: Endpoint) -> None:
    browser, path = operator.browser, path_of(endpoint)
    json = {"Content-Type": "application/json"}
    bodies = {
        413: [b'{"a":"' + b"x" * (endpoint.body_limit + 1) + b'"}'],
        400: [
            nested(MAX_DEPTH + 1),
            nested(5_000),
            b"[" * 20_000,
            b"[]",
            b"null",
            b"",
            b"\xff",
            b'{"a":1',
            b'{"a":NaN}',
        ],
        422: [b'{"no such field":1}', b'{"a":"\\u0000"}'],
    }
    for status, texts in bodies.items():
        for text in texts:
            answer = await browser.request(endpoint.method, path, content=text, headers=json)
            assert answer.status_code == status, (text[:40], answer.text)
    for media_type in ("text/plain", "application/x-www-form-urlencoded", "application/xml"):
        answer = await browser.request(endpoint.method, path, content=b"{}", headers={"Content-Type": media_type})
        assert answer.status_code == 415


SECURITY_HEADERS = {
    "content-security-policy",
    "x-content-type-options",
    "referrer-policy",
    "permissions-policy",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "cache-control",
    "x-request-id",
}


@pytest.mark.parametrize("endpoint", [e for e in ENDPOINTS if e.name not in ENDLESS], ids=attrgetter("name"))
async def test_every_answer_carries_security_headers(accounts: Service, stranger: Person, endpoint: Endpoint) -> None:
    path = path_of(endpoint)
    for client in (accounts.anonymous, stranger.browser):
        if client is stranger.browser and endpoint.name == "sign_out":
            continue
        answer = await client.request(endpoint.method, path)
        assert set(answer.headers) >= SECURITY_HEADERS, answer.headers
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/", "/nonsense", "/api/nonsense", "/s/x", "/assets/x", "/auth/x/callback"])
async def test_other_addresses_carry_them_too(service: Service, path: str) -> None:
    answer = await service.anonymous.get(path)
    assert set(answer.headers) >= SECURITY_HEADERS


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../../../etc/passwd",
        "/assets/..%2f..%2f..%2fetc/passwd",
        "/assets/%2e%2e/%2e%2e/etc/passwd",
        "/assets//etc/passwd",
        "/..%5c..%5cetc%5cpasswd",
        "/assets/index-3f2a.js%00.png",
        "/.env",
        "/%2e%2e%2findex.html",
    ],
)
async def test_no_address_leads_out_of_the_web_folder(service: Service, path: str) -> None:
    request = httpx.Request("GET", service.url)
    request.url = request.url.copy_with(raw_path=path.encode())
    for client in (service.anonymous, service.signed_in):
        raw = client.build_request("GET", service.url)
        raw.url = request.url
        answer = await client.send(raw)
        assert answer.status_code in (400, 401, 404), answer.status_code
        assert "root:" not in answer.text


@pytest.mark.parametrize("path", ["../../etc/passwd", "%2e%2e/%2e%2e/etc/passwd", "/etc/passwd", "a\\..\\b", "a%00b"])
async def test_no_file_outside_of_the_project_is_read(accounts: Service, victim: Victim, path: str) -> None:
    answer = await victim.person.browser.get(f"/api/sessions/{victim.ids['session_id']}/files/{path}")
    assert answer.status_code in (400, 404)
    assert "root:" not in answer.text


async def test_only_listed_origins_are_let_in(module_database: Database, temporal: Client) -> None:
    friend, foe = "https://app.example", "https://evil.example"
    async with running(module_database, temporal, allowed_origins={friend}) as service:
        for origin, allowed in ((friend, True), (foe, False)):
            headers = {"Origin": origin, "Access-Control-Request-Method": "DELETE"}
            preflight = await service.anonymous.options("/api/me/sign-ins", headers=headers)
            answer = await service.signed_in.get("/api/me", headers={"Origin": origin})
            assert preflight.is_success == answer.is_success == allowed
            assert (answer.headers.get("access-control-allow-origin") == origin) == allowed
            assert "access-control-allow-credentials" not in answer.headers


async def test_what_is_in_a_problem_is_text_not_markup(service: Service) -> None:
    answer = await service.anonymous.get("/<script>alert(1)</script>?token=<b>", headers={"Accept": "text/html"})
    assert "<script>" not in answer.text and "<b>" not in answer.text


async def test_a_request_id_cannot_forge_a_log_line(service: Service) -> None:
    answer = await service.anonymous.get("/healthz", headers={"X-Request-ID": 'x" level="error'})
    assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["x-request-id"])


async def test_an_address_behind_a_proxy_counts_only_when_the_proxy_is_trusted(
    module_database: Database, temporal: Client
) -> None:
    spoofed = {"X-Forwarded-For": "6.6.6.6, 203.0.113.9"}
    for trusted, expected in (((), "127.0.0.1"), (("127.0.0.0/8",), "203.0.113.9")):
        async with running(module_database, temporal, trusted_proxies=trusted) as service:
            body = {"name": "k", "scopes": ["read"]}
            await service.signed_in.post("/api/me/api-keys", json=body, headers=spoofed)
            newest = (await service.signed_in.get("/api/audit?limit=1")).json()["entries"][0]
            assert newest["address"] == expected


async def test_problem_documents_never_repeat_a_secret_body(accounts: Service) -> None:
    secret = "a secret that was sent in the wrong place"
    for endpoint in WITH_BODY:
        body = dict.fromkeys(orjson.loads(orjson.dumps(example_of(endpoint))), secret) | {"extra": secret}
        answer = await accounts.anonymous.request(endpoint.method, path_of(endpoint), json=body)
        assert secret not in answer.text
