"""What the browser sees and hears, in real pages."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator

import pytest

from sandbox import Sandbox, Workspace
from sandbox.browser import DESKTOP, PHONE, Browser, Capture
from sandbox.settings import SandboxSettings
from schemas.checks import IssueSource, Severity
from tests.sandbox.conftest import Gateway
from tests.sandbox.seeds import CHOOSER, CONSOLE, LOOPS, REQUESTS, RUNTIME, component, effect

SEEDS = {
    f"{kind}{number}": seed
    for kind, seeds in (("runtime", RUNTIME), ("console", CONSOLE), ("requests", REQUESTS), ("loops", LOOPS))
    for number, seed in enumerate(seeds)
}
WHOLE = [
    ("blank-page", None, component("  return null")),
    ("dev-overlay", 2, component("  return <p>open")),
    ("dev-overlay", 1, component("  return <Gone />", "import { Gone } from './gone'\n")),
]


@pytest.fixture(scope="module")
async def project(sandbox: Sandbox, gateway: Gateway) -> AsyncIterator[Workspace]:
    workspace = await sandbox.workspace("looked-at", "react-vite", {})
    await workspace.preview()
    yield workspace
    await sandbox.remove("looked-at")


async def look(browser: Browser, gateway: Gateway, workspace: Workspace, **options: float) -> Capture:
    return await browser.capture(gateway.url(workspace.session_id), (DESKTOP,), **options)


async def test_a_good_page_has_pictures_and_no_issues(browser: Browser, gateway: Gateway, project: Workspace) -> None:
    capture = await browser.capture(gateway.url(project.session_id), (DESKTOP, PHONE))
    assert capture.report.issues == []
    assert [shot.size.name for shot in capture.screenshots] == ["desktop", "phone"]
    for shot in capture.screenshots:
        assert shot.png.startswith(b"\x89PNG")
        assert len(shot.png) > 8_000
        assert not shot.blank
        assert int.from_bytes(shot.png[16:20], "big") == shot.size.width


@pytest.fixture(scope="module")
async def captured(sandbox: Sandbox, gateway: Gateway, browser: Browser) -> AsyncIterator[dict[str, Capture]]:
    """What is found on the page of every seed, two pages at a time."""
    files = {f"src/seeds/{name}.tsx": seed.text for name, seed in SEEDS.items()}
    workspace = await sandbox.workspace("seeds", "react-vite", {"src/App.tsx": CHOOSER, **files})
    await workspace.preview()
    turns = asyncio.Semaphore(2)

    async def one(name: str) -> Capture:
        async with turns:
            # A busy machine takes its time to run a loop to the end that React puts to it.
            return await browser.capture(gateway.url("seeds", f"/?seed={name}"), (DESKTOP,), settle=0.3, timeout=60)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sandbox.pagewatch._FETCH_SECONDS", 30.0)  # a page in a loop hands out its modules slowly
        found = await asyncio.gather(*map(one, SEEDS))
    yield dict(zip(SEEDS, found, strict=True))
    await sandbox.remove("seeds")


@pytest.mark.parametrize("name", SEEDS)
async def test_seeded_faults_are_found_at_their_line(captured: dict[str, Capture], name: str) -> None:
    seed, issues = SEEDS[name], captured[name].report.issues
    found = [issue for issue in issues if issue.code == seed.code]
    assert found, issues
    # From inside the sandbox nobody can tell whether somebody else's address would have answered.
    assert found[0].severity is (Severity.WARNING if seed.code == "request-failed" else Severity.ERROR)
    if seed.line is not None:
        assert (f"src/seeds/{name}.tsx", seed.line) in {(issue.file, issue.line) for issue in found}


async def test_a_loop_is_one_issue_that_is_counted(captured: dict[str, Capture]) -> None:
    (found,) = (i for i in captured["loops0"].report.issues if i.source is IssueSource.BROWSER)
    assert found.count > 20


async def test_what_is_printed_is_formatted(captured: dict[str, Capture]) -> None:
    assert "it is odd" in {issue.message for issue in captured["console0"].report.issues}


async def test_faults_of_the_whole_page(browser: Browser, gateway: Gateway, project: Workspace) -> None:
    for code, line, text in WHOLE:
        await project.write("src/App.tsx", text)
        capture = await look(browser, gateway, project, settle=0.3)
        found = [issue for issue in capture.report.issues if issue.code == code]
        assert found, capture.report.issues
        assert found[0].severity is Severity.ERROR
        if line is not None:
            assert found[0].file == "src/App.tsx"
            assert abs((found[0].line or 0) - line) <= 1
        assert capture.screenshots[0].blank == (code == "blank-page")


async def test_a_frozen_page_is_an_issue_and_the_next_one_works(
    browser: Browser, gateway: Gateway, project: Workspace
) -> None:
    await project.write("src/App.tsx", effect("for (;;) {}"))
    begun = time.monotonic()
    capture = await look(browser, gateway, project, timeout=4.0)
    assert [issue.code for issue in capture.report.errors] == ["page-frozen"]
    assert time.monotonic() - begun < 60  # looked at once more, for longer, where the machine is busy
    await project.write("src/App.tsx", component("  return <p>fine again</p>"))
    assert (await look(browser, gateway, project)).report.ok


async def test_a_killed_browser_is_started_again(browser: Browser, gateway: Gateway, project: Workspace) -> None:
    await project.write("src/App.tsx", component("  return <p>fine</p>"))
    assert (await look(browser, gateway, project)).report.ok
    pid = browser._pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    for _ in range(100):
        if browser._browser is None or not browser._browser.is_connected():
            break
        await asyncio.sleep(0.05)
    assert (await look(browser, gateway, project)).report.ok
    assert browser._pid() != pid


async def test_pages_reach_nothing_but_the_gateway(browser: Browser, gateway: Gateway, project: Workspace) -> None:
    reached: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.append(await reader.readline())
        writer.close()

    service = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = service.sockets[0].getsockname()[1]
    await project.write(
        "src/App.tsx", effect(f"fetch('http://127.0.0.1:{port}/', {{ mode: 'no-cors' }}).catch(() => {{}})")
    )
    capture = await look(browser, gateway, project)
    service.close()
    assert reached == []
    assert "request-failed" in {issue.code for issue in capture.report.issues}, capture.report.issues


async def test_an_address_that_leads_nowhere(browser: Browser, gateway: Gateway) -> None:
    capture = await browser.capture(f"http://nobody.preview.localhost:{gateway.port}/", (DESKTOP,))
    assert "http-404" in {issue.code for issue in capture.report.errors}
    capture = await browser.capture("http://127.0.0.1:9/", (DESKTOP,))
    assert [issue.code for issue in capture.report.errors] == ["page-unreachable"]


async def test_a_page_that_got_no_processor_is_given_time(settings: SandboxSettings) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline() not in (b"", b"\r\n"):
            pass
        await asyncio.sleep(3)
        page = b"<!doctype html><title>Late</title><h1>Here at last</h1>"
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n" + page)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with Browser(settings, port) as browser:
            capture = await browser.capture(f"http://127.0.0.1:{port}/", (DESKTOP,), timeout=2, settle=0.1)
            assert "page-frozen" not in {issue.code for issue in capture.report.issues}
            capture = await browser.capture(f"http://127.0.0.1:{port}/", (DESKTOP,), timeout=0.5, settle=0.1)
            assert "page-frozen" in {issue.code for issue in capture.report.issues}
