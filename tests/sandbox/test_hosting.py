"""Publishing elsewhere, against servers that speak the services' interfaces."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import uvicorn
from pydantic import SecretStr
from starlette.responses import JSONResponse, Response

from sandbox.errors import HostingFailed
from sandbox.hosting import Account, EnvironmentTokens, Places
from sandbox.sites import Site
from schemas.deployments import Target
from stich.home import free_port
from tests.sandbox.hosting_services import TOKEN, Fault, HostingServices

NAME = "stich-session-1"
PAGE = b"<!doctype html><p>one</p>"
SITE = Site("d1", {"index.html": PAGE, "assets/app-12345678.js": b"1", "assets/copy with space.js": b"1"})
NEXT = Site("d2", {"index.html": b"<p>two</p>", "assets/app-12345678.js": b"1"})
TARGETS: tuple[Target, ...] = ("cloudflare", "netlify", "vercel")
ADDRESSES = {
    "cloudflare": f"https://{NAME}.pages.dev",
    "netlify": f"https://{NAME}.netlify.app",
    "vercel": f"https://{NAME}.vercel.app",
}
# What a single-page application needs beside its files, so that its addresses can be opened.
ADDED = {"cloudflare": set(), "netlify": {"_redirects"}, "vercel": {"vercel.json"}}


@pytest.fixture
def services() -> HostingServices:
    return HostingServices()


@pytest.fixture
async def places(services: HostingServices) -> AsyncIterator[Places]:
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(services.app(), port=port, log_level="warning"))
    serving = asyncio.create_task(server.serve())
    for _ in range(1000):
        if server.started:
            break
        await asyncio.sleep(0.01)
    url = f"http://127.0.0.1:{port}"
    yield Places(cloudflare=f"{url}/cloudflare", netlify=f"{url}/netlify", vercel=f"{url}/vercel")
    server.should_exit = True
    await serving


def account(target: Target, token: str = TOKEN) -> Account:
    return Account(SecretStr(token), {"cloudflare": "account-1", "vercel": "team-1"}.get(target))


@pytest.mark.parametrize("target", TARGETS)
async def test_a_site_is_published_replaced_and_withdrawn(
    places: Places, services: HostingServices, target: Target
) -> None:
    hosting = places.hosting(target)
    assert await hosting.publish(account(target), NAME, SITE) == ADDRESSES[target]
    assert set(services.projects[NAME]) == set(SITE.files) | ADDED[target]
    assert services.projects[NAME]["index.html"] == PAGE

    services.requests.clear()
    services.polls = 0
    assert await hosting.publish(account(target), NAME, NEXT) == ADDRESSES[target]
    assert services.projects[NAME]["index.html"] == b"<p>two</p>"
    assert "assets/copy with space.js" not in services.projects[NAME]
    assert not any(request.endswith(("/sites", "/projects")) for request in services.requests)  # not made again

    await hosting.withdraw(account(target), NAME)
    assert NAME not in services.projects
    await hosting.withdraw(account(target), NAME)  # again, as after a break


@pytest.mark.parametrize("target", TARGETS)
async def test_pages_of_several_files_are_left_as_they_are(
    places: Places, services: HostingServices, target: Target
) -> None:
    site = Site("d", {"index.html": PAGE, "about.html": b"<p>about</p>"})
    await places.hosting(target).publish(account(target), NAME, site)
    assert set(services.projects[NAME]) == set(site.files)


@pytest.mark.parametrize("target", TARGETS)
async def test_a_wrong_token_is_refused_and_not_repeated(places: Places, target: Target) -> None:
    with pytest.raises(HostingFailed, match="does not accept the token") as caught:
        await places.hosting(target).publish(account(target, "wrong-token-9876543210"), NAME, SITE)
    assert caught.value.code == "deployment_refused"
    assert not caught.value.retry
    assert "wrong-token" not in str(caught.value)  # the service said it back


FAULTS = [
    (Response("<html>Bad gateway</html>", 502), True, "has a problem", None),
    (JSONResponse({"message": "slow down"}, 429, headers={"Retry-After": "7"}), True, "slow down", 7.0),
    (JSONResponse({"errors": [{"message": "name is taken"}]}, 409), False, "name is taken", None),
    (JSONResponse({"error": {"code": "x", "message": "bad request"}}, 400), False, "bad request", None),
    (Response("not json", 200), True, "not JSON", None),
    (JSONResponse({}, 200), True, "without", None),
]


@pytest.mark.parametrize("answer,retry,said,after", FAULTS)
@pytest.mark.parametrize("target", TARGETS)
async def test_faults_are_told_in_plain_words(
    places: Places,
    services: HostingServices,
    target: Target,
    answer: Response,
    retry: bool,
    said: str,
    after: float | None,
) -> None:
    part = {"cloudflare": "upload-token", "netlify": "deploys", "vercel": "v13/deployments"}[target]
    services.faults.append(Fault(part, answer))
    with pytest.raises(HostingFailed, match=said) as caught:
        await places.hosting(target).publish(account(target), NAME, SITE)
    assert caught.value.retry is retry
    assert caught.value.retry_after == after
    if retry:  # and then it works, from where it is
        await places.hosting(target).publish(account(target), NAME, SITE)
        assert services.projects[NAME]["index.html"] == PAGE


@pytest.mark.parametrize("target", ["netlify", "vercel"])
async def test_a_deployment_that_fails_over_there(places: Places, services: HostingServices, target: Target) -> None:
    services.end_state = "error"
    with pytest.raises(HostingFailed, match="could not publish: Too many files") as caught:
        await places.hosting(target).publish(account(target), NAME, SITE)
    assert not caught.value.retry


@pytest.mark.parametrize("target", TARGETS)
async def test_a_service_that_is_away(target: Target) -> None:
    gone = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(HostingFailed, match="cannot be reached") as caught:
        await Places(gone, gone, gone).hosting(target).publish(account(target), NAME, SITE)
    assert caught.value.retry


async def test_cloudflare_needs_an_account(places: Places) -> None:
    with pytest.raises(HostingFailed, match="account's id"):
        await places.hosting("cloudflare").publish(Account(SecretStr(TOKEN)), NAME, SITE)


async def test_tokens_of_the_environment_are_the_operators() -> None:
    tokens = EnvironmentTokens({"NETLIFY_AUTH_TOKEN": TOKEN, "CLOUDFLARE_API_TOKEN": " ", "VERCEL_TOKEN": TOKEN})
    found = await tokens.find("local", "netlify")
    assert found is not None
    assert TOKEN not in repr(found)
    assert await tokens.find("local", "cloudflare") is None
    assert await tokens.find("somebody-else", "netlify") is None
