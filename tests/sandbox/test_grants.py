"""Who may see a preview, for how long, and how that is taken back."""

import base64
import hashlib
import re
import time
from collections.abc import AsyncIterator

import httpx
import pytest
from hypothesis import given
from hypothesis import settings as bounded
from hypothesis import strategies as st

from sandbox import Sandbox, SandboxSettings, grants
from sandbox.browser import DESKTOP, Browser
from sandbox.gateway import PreviewGateway, Stored
from tests.sandbox.conftest import Gateway, Shelf, listening

SECRET = b"secret"


@bounded(deadline=None)
@given(
    st.from_regex(r"[a-z0-9-]{1,44}", fullmatch=True),
    st.integers(0, 2**40),
    st.integers(0, 10**6),
    st.from_regex(r"[a-z0-9:-]{0,60}", fullmatch=True),
)
def test_a_grant_is_read_as_written(session_id: str, until: int, revision: int, viewer: str) -> None:
    grant = grants.Grant(session_id, until, revision, viewer)
    text = grants.write(SECRET, grant)
    assert grants.read(SECRET, text) == grant
    assert grants.read(b"another", text) is None
    assert grants.read(SECRET, text[:-2] + ("AA" if not text.endswith("AA") else "BB")) is None


@bounded(deadline=None)
@given(st.text(max_size=80))
def test_any_other_text_is_none(text: str) -> None:
    assert grants.read(SECRET, text) is None


def test_a_grant_holds_for_its_session_its_time_and_its_revision() -> None:
    grant = grants.Grant("a", int(time.time()) + 10, 3)
    assert grant.holds("a", 3)
    assert not grant.holds("b", 3)
    assert not grant.holds("a", 4)
    assert not grants.Grant("a", int(time.time()) - 1, 3).holds("a", 3)


@pytest.fixture(scope="module")
async def guarded(sandbox: Sandbox) -> AsyncIterator[tuple[Gateway, dict[str, int]]]:
    """A gateway that asks for grants, and the sessions' present revisions."""
    revisions: dict[str, int] = {}

    async def restore(_: str) -> Stored | None:
        return Stored("static-html", {})

    async def revision(session_id: str, viewer: str) -> int | None:
        return None if viewer == "signed-out" else revisions.get(session_id)

    app = PreviewGateway(
        sandbox, SECRET, restore, revision=revision, session_page=lambda name: f"http://stich.example/s/{name}"
    )
    with listening() as listener:
        async with app.serving(listener):
            yield Gateway(app, listener.getsockname()[1], {}, Shelf()), revisions


async def test_only_a_valid_link_opens_a_preview(
    guarded: tuple[Gateway, dict[str, int]], session_id: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.access.REVISION_SECONDS", 0.0)
    gateway, revisions = guarded
    revisions[session_id] = 1
    headers = {"host": f"{gateway.app.host(session_id)}:{gateway.port}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{gateway.port}", headers=headers) as http:
        refused = await http.get("/")
        assert refused.status_code == 403
        assert f'href="http://stich.example/s/{session_id}"' in refused.text
        said = re.search(r"<script>(.*?)</script>", refused.text)
        assert said is not None  # the page around the frame hears of it: the one script that the page's policy lets run
        digest = base64.b64encode(hashlib.sha256(said[1].encode()).digest()).decode()
        assert f"script-src 'sha256-{digest}'" in refused.headers["content-security-policy"]
        assert sandbox.previews.find(session_id) is None  # a stranger starts nothing

        entrance = gateway.app.entrance(session_id, 1, 60, "/about?x=1")
        entered = await http.get(entrance)
        assert (entered.status_code, entered.headers["location"]) == (303, "/about?x=1")
        cookie = entered.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "Secure" in cookie
        held = {"cookie": cookie.partition(";")[0]}
        assert (await http.get("/", headers=held)).status_code == 200
        assert (await http.get("/", headers={**held, "service-worker": "script"})).status_code == 403

        for bad in (
            gateway.app.entrance(session_id, 1, -1),
            gateway.app.entrance(session_id, 2, 60),
            gateway.app.entrance("session-other", 1, 60),
            gateway.app.entrance(session_id, 1, 60, "//evil.example"),
            gateway.app.entrance(session_id, 1, 60, "https://evil.example"),
            gateway.app.entrance(session_id, 1, 60, "/\\evil.example"),
            "/__stich/enter",
        ):
            assert (await http.get(bad)).status_code == 403

        signed_out = grants.Grant(session_id, int(time.time()) + 60, 1, "signed-out")
        assert (await http.get(grants.entrance(SECRET, signed_out))).status_code == 403
        revisions[session_id] = 2
        assert (await http.get("/", headers=held)).status_code == 403
    await sandbox.remove(session_id)


async def test_a_real_browser_keeps_the_cookie(
    guarded: tuple[Gateway, dict[str, int]], session_id: str, sandbox: Sandbox, settings: SandboxSettings
) -> None:
    gateway, revisions = guarded
    revisions[session_id] = 1
    async with Browser(settings, gateway.port) as browser:
        shut = await browser.capture(gateway.url(session_id), (DESKTOP,))
        assert "http-403" in {issue.code for issue in shut.report.errors}
        entrance = gateway.app.entrance(session_id, 1, 60)
        opened = await browser.capture(gateway.url(session_id, entrance), (DESKTOP,))
        assert opened.report.ok
        assert not opened.screenshots[0].blank
    await sandbox.remove(session_id)


async def test_a_configured_domain_and_the_browser_of_the_checks(sandbox: Sandbox, session_id: str) -> None:
    async def restore(_: str) -> Stored | None:
        return Stored("static-html", {})

    async def revision(_session: str, _viewer: str) -> int | None:
        return 1

    app = PreviewGateway(sandbox, SECRET, restore, revision=revision, suffix="preview.example.org", secure=False)
    with listening() as listener:
        port = listener.getsockname()[1]
        async with app.serving(listener):
            entrance = app.entrance(session_id, 1, 60)
            assert app.host(session_id).endswith(".preview.example.org")
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
                entered = await http.get(entrance, headers={"host": app.host(session_id)})
                cookie = entered.headers["set-cookie"]
                assert "Secure" not in cookie  # browsers keep no Secure cookie of a plain http address
                held = {"cookie": cookie.partition(";")[0]}
                http.cookies.clear()
                assert (await http.get("/", headers={"host": app.host(session_id), **held})).status_code == 200
                assert (await http.get("/", headers={"host": app.host(session_id)})).status_code == 403
                other = app.host(session_id).replace("example.org", "example.net")
                assert (await http.get("/", headers={"host": other, **held})).status_code == 404
            async with Browser(sandbox.settings, port) as browser:
                seen = await browser.capture(f"http://{app.local_host(session_id)}:{port}{entrance}", (DESKTOP,))
                assert seen.report.ok
                assert not seen.screenshots[0].blank
    await sandbox.remove(session_id)
