"""Who may do what: tokens, cookies, and everything closed by default."""

import base64
import re
import time
from operator import attrgetter
from unittest import mock

import httpx
import pytest
from temporalio.client import Client

from api.app import ENDPOINTS
from api.auth import COOKIE_SECONDS
from api.endpoints import Endpoint
from schemas.http import Problem
from storage.database import Database
from tests.api.conftest import TOKEN, Service, running

pytestmark = pytest.mark.usefixtures("worker")


def own_page(service: Service) -> dict[str, str]:
    """What a browser sends with a request that the page itself makes."""
    return {"Origin": service.url, "Sec-Fetch-Site": "same-origin"}


async def sign_in(service: Service) -> dict[str, str]:
    """Signs in as a browser does. Returns the header that it sends from then on."""
    answer = await service.anonymous.get(f"/?token={TOKEN}")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/"
    service.anonymous.cookies.clear()
    return cookie_of(answer)


def cookie_of(answer: httpx.Response) -> dict[str, str]:
    return {"Cookie": answer.headers["set-cookie"].partition(";")[0]}


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=attrgetter("name"))
async def test_only_open_routes_answer_without_sign_in(service: Service, endpoint: Endpoint) -> None:
    path = re.sub(r"\{\w+(:\w+)?\}", "x", endpoint.path)
    answer = await service.anonymous.request(endpoint.method, path)
    if endpoint.open:
        # Asked without a body, or where there are no accounts, it refuses for that, not for want of a sign-in.
        assert answer.status_code in (200, 409, 415)
    else:
        assert answer.status_code == 401
        asks_for = 'Basic realm="stich"' if path.startswith("/git/") else "Bearer"  # git knows passwords only
        assert answer.headers["www-authenticate"] == asks_for
        assert Problem.model_validate_json(answer.content).code == "not_signed_in"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/"),
        ("GET", "/api/nowhere"),
        ("DELETE", "/api/sessions"),
        ("POST", "/"),
        ("GET", "/metrics/deep"),
        ("GET", "/nonsense"),
        ("POST", "/openapi.json"),
        ("OPTIONS", "/api/sessions"),
    ],
)
async def test_what_no_open_route_takes_needs_a_sign_in(service: Service, method: str, path: str) -> None:
    answer = await service.anonymous.request(method, path)
    assert answer.status_code == 401
    assert "stich up" in Problem.model_validate_json(answer.content).next_action
    assert (await service.signed_in.request(method, path)).status_code in (404, 405)


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", TOKEN, "Bearer \xe4\xf6"],
)
async def test_a_wrong_token_is_refused(service: Service, authorization: str) -> None:
    headers = {"Authorization": authorization.encode("latin-1")}
    answer = await service.anonymous.get("/api/about", headers=headers)  # type: ignore[arg-type]
    assert answer.status_code == 401
    assert TOKEN[:-1] not in answer.text


async def test_the_scheme_of_a_token_may_be_written_in_any_case(service: Service) -> None:
    answer = await service.anonymous.get("/api/about", headers={"Authorization": f"bearer {TOKEN}"})
    assert answer.status_code == 200


async def test_an_address_with_the_token_signs_a_browser_in(service: Service) -> None:
    answer = await service.anonymous.get(f"/s/session-1?a=1&token={TOKEN}&b=%20x")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/s/session-1?a=1&b=+x"
    assert answer.headers["cache-control"] == "no-store"
    cookie = answer.headers["set-cookie"]
    assert f"stich_{service.settings.port}=" in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Path=/" in cookie
    assert "Secure" not in cookie
    assert TOKEN not in cookie
    assert (await service.anonymous.get("/api/about", headers=cookie_of(answer))).status_code == 200


async def test_a_cookie_is_secure_where_people_come_by_https(module_database: Database, temporal: Client) -> None:
    async with running(module_database, temporal, public_url="https://stich.example.org") as service:
        answer = await service.anonymous.get(f"/?token={TOKEN}")
        assert "Secure" in answer.headers["set-cookie"]


@pytest.mark.parametrize("path", ["//evil.example/", "/%2F/evil.example/", "/\\evil.example", "/%5Cevil.example"])
async def test_signing_in_never_leads_elsewhere(service: Service, path: str) -> None:
    answer = await service.anonymous.get(f"{service.url}{path}?token={TOKEN}")
    location = answer.headers.get("location", "/")
    assert re.match(r"/(?![/\\])", location), location


async def test_a_wrong_token_in_the_address_sets_no_cookie(service: Service) -> None:
    answer = await service.anonymous.get("/?token=wrong", headers={"Accept": "text/html,*/*"})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert answer.headers["content-type"].startswith("text/html")
    assert "stich up" in answer.text
    assert (await service.anonymous.get("/?token=")).status_code == 401


async def test_a_cookie_that_was_changed_is_refused(service: Service) -> None:
    name, value = (await sign_in(service))["Cookie"].split("=", 1)
    user, expires, signature = value.split(".")
    other_user = base64.urlsafe_b64encode(b"bob").decode()
    changed = [
        f"{other_user}.{expires}.{signature}",
        f"{user}.{int(expires) + 1}.{signature}",
        f"{user}.{expires}.{signature[:-1]}",
        f"{user}.{expires}.{'0' * 64}",
        f"{user}.{expires}",
        f"{user}.²³.{signature}",
        "..",
        "",
        "\xff",
        "x" * 3000,
    ]
    for value in changed:
        headers = {"Cookie": f"{name}={value}".encode("latin-1", "replace")}
        answer = await service.anonymous.get("/api/about", headers=headers)  # type: ignore[arg-type]
        assert answer.status_code == 401, value


async def test_a_cookie_ends(service: Service) -> None:
    long_ago = time.time() - COOKIE_SECONDS - 1
    with mock.patch("api.token_sign_in.time.time", return_value=long_ago):
        cookie = await sign_in(service)
        assert (await service.anonymous.get("/api/about", headers=cookie)).status_code == 200
    assert (await service.anonymous.get("/api/about", headers=cookie)).status_code == 401


async def test_a_new_token_ends_earlier_sign_ins(service: Service, temporal: Client) -> None:
    value = (await sign_in(service))["Cookie"].split("=", 1)[1]
    async with running(service.database, temporal, token="another-token-0123456789") as later:
        cookie = {"Cookie": f"stich_{later.settings.port}={value}"}
        assert (await later.anonymous.get("/api/about", headers=cookie)).status_code == 401


async def test_a_valid_cookie_does_not_rescue_a_wrong_token(service: Service) -> None:
    cookie = await sign_in(service)
    answer = await service.anonymous.get("/api/about", headers=cookie | {"Authorization": "Bearer wrong"})
    assert answer.status_code == 401


async def test_signing_out_clears_the_cookie(service: Service) -> None:
    cookie = await sign_in(service)
    answer = await service.anonymous.post("/api/sign-out", headers=cookie | own_page(service))
    assert answer.status_code == 204
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert f"stich_{service.settings.port}=" in answer.headers["set-cookie"]


async def test_the_page_may_make_changes_with_its_cookie(service: Service) -> None:
    cookie = await sign_in(service)
    for headers in (own_page(service), {"Origin": service.url}, {"Sec-Fetch-Site": "same-origin"}):
        answer = await service.anonymous.post("/api/sessions", json={"prompt": "An app"}, headers=cookie | headers)
        assert answer.status_code == 201, headers


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://a.preview.localhost:8301", "Sec-Fetch-Site": "cross-site"},
    ],
)
async def test_nobody_elses_page_may_make_changes_with_the_cookie(service: Service, headers: dict[str, str]) -> None:
    cookie = await sign_in(service)
    answer = await service.anonymous.post("/api/sessions", json={"prompt": "An app"}, headers=cookie | headers)
    assert answer.status_code == 403
    assert Problem.model_validate_json(answer.content).code == "foreign_origin"


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_a_form_cannot_make_changes_with_the_cookie(service: Service, media_type: str) -> None:
    cookie = await sign_in(service)
    headers = own_page(service) | {"Content-Type": media_type}
    for path in ("/api/sessions", "/api/sessions/session-1/stop", "/api/sign-out"):
        answer = await service.anonymous.post(path, content=b'{"prompt":"x"}', headers=cookie | headers)
        assert answer.status_code == 415, path
