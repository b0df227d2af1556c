"""The web app's files: caching, the app for its own addresses, and headers on every response."""

from pathlib import Path

import pytest
from temporalio.client import Client

from schemas.http import Problem
from storage.database import Database
from tests.api.conftest import Service, running


@pytest.mark.parametrize("path", ["/", "/s/session-1", "/s/anything-at-all", "/?a=1"])
async def test_the_app_answers_for_its_own_addresses(service: Service, path: str) -> None:
    answer = await service.anonymous.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    known = {"If-None-Match": answer.headers["etag"]}
    assert (await service.anonymous.get(path, headers=known)).status_code == 304


async def test_assets_are_kept_for_ever(service: Service) -> None:
    answer = await service.anonymous.get("/assets/index-3f2a.js")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert "javascript" in answer.headers["content-type"]


async def test_files_beside_the_page_are_asked_for_again(service: Service) -> None:
    answer = await service.anonymous.get("/favicon.svg")
    assert answer.headers["content-type"] == "image/svg+xml"
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path", ["/assets/", "/assets/nowhere.js", "/assets/../index.html", "/nowhere.png", "/%2e%2e", "/assets/%00", "/s/"]
)
async def test_what_is_not_there(service: Service, path: str) -> None:
    answer = await service.signed_in.get(f"{service.url}{path}")
    assert answer.status_code == 404 or path == "/assets/../index.html"
    assert "immutable" not in answer.headers.get("cache-control", "")


async def test_nothing_outside_of_the_folder_is_served(service: Service, web_dist: Path) -> None:
    (web_dist.parent / "secret.txt").write_text("secret")
    for path in ("/assets/%2e%2e/%2e%2e/secret.txt", "/assets/..%2f..%2fsecret.txt", "/..%2fsecret.txt"):
        answer = await service.anonymous.get(f"{service.url}{path}")
        assert "secret" not in answer.text


async def test_a_symbolic_link_does_not_lead_out(service: Service, web_dist: Path) -> None:
    (web_dist.parent / "other.txt").write_text("secret")
    (web_dist / "assets" / "link.txt").symlink_to(web_dist.parent / "other.txt")
    assert "secret" not in (await service.anonymous.get("/assets/link.txt")).text


async def test_a_page_that_is_not_built_says_so(module_database: Database, temporal: Client, tmp_path: Path) -> None:
    for web_dist in (None, tmp_path / "nowhere"):
        async with running(module_database, temporal, web_dist=web_dist) as service:
            answer = await service.anonymous.get("/", headers={"Accept": "text/html"})
            assert answer.status_code == 503
            assert "make setup" in answer.text
            assert (await service.anonymous.get("/assets/x.js")).status_code == 404
            assert Problem.model_validate_json((await service.anonymous.get("/")).content).code == "page_not_built"


async def test_a_browser_gets_errors_as_a_page_and_programs_as_json(service: Service) -> None:
    page = await service.signed_in.get("/nowhere", headers={"Accept": "text/html,*/*;q=0.8"})
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["x-request-id"] in page.text
    program = await service.signed_in.get("/api/nowhere", headers={"Accept": "text/html"})
    assert program.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "path", ["/", "/assets/index-3f2a.js", "/api/about", "/api/nowhere", "/healthz", "/openapi.json", "/?token=wrong"]
)
async def test_security_headers_are_on_every_response(service: Service, path: str) -> None:
    for client in (service.anonymous, service.signed_in):
        headers = (await client.get(path)).headers
        policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == "'self'"
        assert policy["frame-src"] == f"http://*.preview.localhost:{service.settings.port}"
        assert policy["frame-ancestors"] == "'none'"
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert "camera=()" in headers["permissions-policy"]
        assert headers["cache-control"]
        assert headers["x-request-id"]
        if path.startswith("/api"):
            assert headers["cache-control"] == "no-store"


async def test_browsers_are_held_to_https_where_people_come_by_it(module_database: Database, temporal: Client) -> None:
    for address, told in (("https://stich.example", True), (None, False)):
        async with running(module_database, temporal, public_url=address) as service:
            headers = (await service.anonymous.get("/healthz")).headers
            assert ("max-age=" in headers.get("strict-transport-security", "")) is told


async def test_a_refused_host_gets_the_headers_too(service: Service) -> None:
    answer = await service.anonymous.get("/", headers={"Host": "evil.example"})
    assert answer.status_code == 421
    assert "content-security-policy" in answer.headers
