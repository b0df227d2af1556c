"""Published builds."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from sandbox import PathRefused, QuotaExceeded, Sandbox, SandboxSettings, Workspace
from sandbox.sites import Sites
from tests.sandbox.conftest import Gateway


@pytest.fixture
async def sites(settings: SandboxSettings) -> Sites:
    return Sites(settings)


@pytest.fixture
async def http(gateway: Gateway, session_id: str) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"host": f"{gateway.app.site_host(session_id)}:{gateway.port}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{gateway.port}", headers=headers) as client:
        yield client


async def test_a_build_stays_as_it_was_published(http: httpx.AsyncClient, sites: Sites, workspace: Workspace) -> None:
    page = {"accept": "text/html"}
    assert (await http.get("/", headers=page)).status_code == 404
    built = await workspace.build()
    assert built.dist is not None
    published = await sites.publish(workspace.session_id, built.dist)
    assert published.files >= 3

    start = await http.get("/", headers=page)
    assert start.status_code == 200
    assert start.headers["content-type"] == "text/html; charset=utf-8"
    script = start.text.split('src="/')[1].split('"')[0]
    asset = await http.get(f"/{script}")
    assert "Your app starts here" in asset.text
    assert "immutable" in asset.headers["cache-control"]
    assert (await http.get("/a/route", headers=page)).text == start.text
    assert (await http.get("/gone.js")).status_code == 404
    assert (await http.post("/")).status_code == 404

    # The project goes on; the site does not change until it is published again.
    await workspace.write("src/App.tsx", "export default function App() { return <p>newer</p> }\n")
    built = await workspace.build()
    assert (await http.get("/", headers=page)).text == start.text
    assert built.dist is not None
    again = await sites.publish(workspace.session_id, built.dist)
    assert again.version != published.version
    assert (await http.get("/", headers=page)).text != start.text
    assert (await sites.publish(workspace.session_id, built.dist)) == again

    await sites.withdraw(workspace.session_id)
    assert (await http.get("/", headers=page)).status_code == 404


async def test_links_in_a_build_are_left_out(http: httpx.AsyncClient, sites: Sites, workspace: Workspace) -> None:
    found = await workspace.run(
        ["sh", "-c", "echo hi > dist/index.html; ln -s /etc/hosts dist/hosts; ln -s / dist/root"]
    )
    assert found.ok
    assert (await sites.publish(workspace.session_id, workspace.dist)).files == 1
    for path in ("/hosts", "/root/etc/hosts", "/../../etc/hosts", "/%2e%2e/current", "/current"):
        assert (await http.get(path)).status_code == 404
    await sites.withdraw(workspace.session_id)


async def test_bad_builds_are_refused(settings: SandboxSettings, sites: Sites, tmp_path: Path) -> None:
    with pytest.raises(PathRefused, match="nothing to publish"):
        await sites.publish("session-x", tmp_path)
    (tmp_path / "index.html").write_text("x" * 2000)
    with pytest.raises(QuotaExceeded):
        await Sites(replace(settings, quota_bytes=1000)).publish("session-x", tmp_path)
    with pytest.raises(PathRefused):
        await sites.publish("../x", tmp_path)


async def test_the_preview_address_does_not_give_away_the_site(gateway: Gateway, sandbox: Sandbox) -> None:
    preview, site = gateway.app.host("session-1"), gateway.app.site_host("session-1")
    assert preview.partition(".")[0] != site.partition(".")[0]
