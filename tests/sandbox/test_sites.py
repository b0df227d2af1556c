"""Published builds."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import httpx
import pytest

from sandbox import QuotaExceeded, Sandbox, Workspace
from sandbox.errors import NothingToPublish
from sandbox.sites import Site, collect
from tests.sandbox.conftest import Gateway, Shelf

PAGE = {"accept": "text/html"}


@pytest.fixture
async def http(gateway: Gateway, session_id: str) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"host": f"{gateway.app.site_host(session_id)}:{gateway.port}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{gateway.port}", headers=headers) as client:
        yield client


async def test_a_build_stays_as_it_was_published(
    http: httpx.AsyncClient, gateway: Gateway, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.sites._PRESENT_SECONDS", 0.0)
    assert (await http.get("/", headers=PAGE)).status_code == 404
    built = await workspace.build()
    assert built.dist is not None
    site = await collect(built.dist)
    assert len(site.files) >= 3
    assert site.single_page
    gateway.shelf.put(workspace.session_id, site.files)

    start = await http.get("/", headers=PAGE)
    assert start.status_code == 200
    assert start.headers["content-type"] == "text/html; charset=utf-8"
    script = start.text.split('src="/')[1].split('"')[0]
    asset = await http.get(f"/{script}")
    assert "Your app starts here" in asset.text
    assert "immutable" in asset.headers["cache-control"]
    assert (await http.get("/a/route", headers=PAGE)).text == start.text
    assert (await http.get("/gone.js")).status_code == 404
    assert (await http.post("/")).status_code == 404

    # The project goes on; the site does not change until it is published again.
    await workspace.write("src/App.tsx", "export default function App() { return <p>newer</p> }\n")
    built = await workspace.build()
    assert (await http.get("/", headers=PAGE)).text == start.text
    assert built.dist is not None
    again = await collect(built.dist)
    assert again.digest != site.digest
    assert (await collect(built.dist)).digest == again.digest
    gateway.shelf.put(workspace.session_id, again.files)
    assert (await http.get("/", headers=PAGE)).text != start.text

    gateway.shelf.sites.clear()
    assert (await http.get("/", headers=PAGE)).status_code == 404


async def test_links_in_a_build_are_left_out(http: httpx.AsyncClient, gateway: Gateway, workspace: Workspace) -> None:
    found = await workspace.run(
        ["sh", "-c", "echo hi > dist/index.html; ln -s /etc/hosts dist/hosts; ln -s / dist/root"]
    )
    assert found.ok
    site = await collect(workspace.dist)
    assert set(site.files) == {"index.html"}
    gateway.shelf.put(workspace.session_id, site.files)
    assert (await http.get("/")).status_code == 200
    for path in ("/hosts", "/root/etc/hosts", "/../../etc/hosts", "/%2e%2e/current", "/current"):
        assert (await http.get(path)).status_code == 404


async def test_a_store_in_trouble_has_a_plain_page(
    http: httpx.AsyncClient, gateway: Gateway, session_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def manifest(_self: Shelf, _: str) -> Mapping[str, str] | None:
        raise ConnectionError("secret address of the database")

    monkeypatch.setattr(Shelf, "manifest", manifest)
    answer = await http.get("/", headers=PAGE)
    assert answer.status_code == 503
    assert "secret" not in answer.text


async def test_bad_builds_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NothingToPublish):
        await collect(tmp_path)
    (tmp_path / "index.html").write_text("x" * 2000)
    monkeypatch.setattr("sandbox.sites.MOST_BYTES", 1000)
    with pytest.raises(QuotaExceeded):
        await collect(tmp_path)


def test_a_site_of_several_pages_is_no_single_page() -> None:
    assert Site("", {"index.html": b""}).single_page
    assert not Site("", {"index.html": b"", "about.html": b""}).single_page


async def test_the_preview_address_does_not_give_away_the_site(gateway: Gateway, sandbox: Sandbox) -> None:
    preview, site = gateway.app.host("session-1"), gateway.app.site_host("session-1")
    assert preview.partition(".")[0] != site.partition(".")[0]
