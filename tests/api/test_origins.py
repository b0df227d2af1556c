"""Requests that another site caused, and names the service does not answer to."""

import asyncio

import pytest
from temporalio.client import Client

from schemas.http import Problem
from storage.database import Database
from tests.api.conftest import Service, running

FRIEND = "https://friend.example"


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "", "169.254.169.254", "a.preview.localhost"],
)
async def test_an_unknown_host_is_refused(service: Service, host: str) -> None:
    answer = await service.signed_in.get("/api/about", headers={"Host": host})
    assert answer.status_code == 421
    assert Problem.model_validate_json(answer.content).code == "unknown_host"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:{port}", "LOCALHOST:{port}", "[::1]:{port}", "[::1]"])
async def test_the_names_of_this_machine_are_known(service: Service, host: str) -> None:
    headers = {"Host": host.format(port=service.settings.port)}
    assert (await service.signed_in.get("/api/about", headers=headers)).status_code == 200


async def test_a_request_with_two_hosts_is_refused(service: Service) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", service.settings.port)
    writer.write(b"GET /api/about HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
    status = await reader.readline()
    writer.close()
    assert status.split()[1] in (b"400", b"421")


async def test_configured_hosts_are_known(module_database: Database, temporal: Client) -> None:
    names = {"public_url": "https://stich.example.org:8443", "allowed_hosts": frozenset({"Stich.Lan"})}
    async with running(module_database, temporal, **names) as service:
        for host in ("stich.example.org", "stich.example.org:8443", "stich.lan"):
            assert (await service.signed_in.get("/api/about", headers={"Host": host})).status_code == 200


async def test_probes_may_address_a_machine_by_any_name(service: Service) -> None:
    assert (await service.anonymous.get("/healthz", headers={"Host": "10.1.2.3:80"})).status_code == 200


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1:{port}", "http://a.localhost:{port}"],
)
async def test_a_foreign_origin_is_refused(service: Service, method: str, origin: str) -> None:
    headers = {"Origin": origin.format(port=service.settings.port), "Access-Control-Request-Method": "POST"}
    answer = await service.signed_in.request(method, "/api/sessions", headers=headers)
    assert answer.status_code == 403
    assert Problem.model_validate_json(answer.content).code == "foreign_origin"
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_what_another_site_embeds_or_links_to_is_refused(service: Service, site: str) -> None:
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"}
    answer = await service.signed_in.get("/api/sessions", headers=headers)
    assert answer.status_code == 403


async def test_another_site_may_link_to_the_page(service: Service) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert (await service.anonymous.get("/", headers=headers)).status_code == 200


async def test_the_own_origin_may_read(service: Service) -> None:
    headers = {"Origin": service.url, "Sec-Fetch-Site": "same-origin"}
    assert (await service.signed_in.get("/api/sessions", headers=headers)).status_code == 200


async def test_an_allowed_origin_may_call_with_a_token(module_database: Database, temporal: Client) -> None:
    async with running(module_database, temporal, allowed_origins=frozenset({FRIEND})) as service:
        preflight = {
            "Origin": FRIEND,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type,idempotency-key",
        }
        answer = await service.anonymous.options("/api/sessions", headers=preflight)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == FRIEND
        headers = {"Origin": FRIEND, "Sec-Fetch-Site": "cross-site"}
        answer = await service.signed_in.get("/api/about", headers=headers)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == FRIEND
        assert (await service.anonymous.get("/api/about", headers=headers)).headers[
            "access-control-allow-origin"
        ] == FRIEND
        foreign = await service.signed_in.get("/api/about", headers={"Origin": "https://evil.example"})
        assert foreign.status_code == 403
