"""What the browser sees and hears, in real pages."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator

import pytest

from sandbox import Sandbox, Workspace
from sandbox.browser import DESKTOP, PHONE, Browser, Capture
from schemas.checks import IssueSource, Severity
from tests.sandbox.conftest import Gateway

HOOKS = "import { useEffect, useState } from 'react'\n"


def component(body: str, head: str = "") -> str:
    return f"{head}export default function App() {{\n{body}\n}}\n"


def effect(body: str) -> str:
    """A component that does something once it is shown; `body` is line 4 of the file."""
    return component(f"  useEffect(() => {{\n    {body}\n  }}, [])\n  return <p>hi</p>", HOOKS)


LOOP = "  const [a, set] = useState({ n: 1 })\n  useEffect(() => set({ ...a }), [a])\n  return <p>hi {a.n}</p>"
RENDER_LOOP = "  const [a, set] = useState(0)\n  set(a + 1)\n  return <p>{a}</p>"
FAULTS = [
    ("page-error", 3, component("  const a = JSON.parse('null')\n  return <p>{a.b}</p>")),
    ("page-error", 4, effect("void Promise.reject(new Error('boom'))")),
    ("page-error", 4, effect("throw new TypeError('bad')")),
    ("render-loop", 4, component(LOOP, HOOKS)),
    ("render-loop", None, component(RENDER_LOOP, HOOKS)),
    ("console-error", 4, effect("console.error('it is %s', 'odd')")),
    ("console-error", None, component("  return <ul>{[1, 2].map((i) => <li>{i}</li>)}</ul>")),
    ("request-failed", None, effect("fetch('http://127.0.0.1:9/x').catch(() => {})")),
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


@pytest.mark.parametrize("code,line,text", FAULTS)
async def test_faults_are_found(
    browser: Browser, gateway: Gateway, project: Workspace, code: str, line: int | None, text: str
) -> None:
    await project.write("src/App.tsx", text)
    capture = await look(browser, gateway, project, settle=0.4)
    found = [issue for issue in capture.report.issues if issue.code == code]
    assert found, capture.report.issues
    # From inside the sandbox nobody can tell whether somebody else's address would have answered.
    assert found[0].severity is (Severity.WARNING if code == "request-failed" else Severity.ERROR)
    if line is not None:
        assert found[0].file == "src/App.tsx"
        assert abs((found[0].line or 0) - line) <= (1 if code == "dev-overlay" else 0)
    if code == "render-loop" and line is not None:
        assert found[0].count > 20
        assert len([issue for issue in capture.report.issues if issue.source is IssueSource.BROWSER]) == 1
    if code == "blank-page":
        assert capture.screenshots[0].blank
    if "%s" in text:
        assert found[0].message == "it is odd"


async def test_a_frozen_page_is_an_issue_and_the_next_one_works(
    browser: Browser, gateway: Gateway, project: Workspace
) -> None:
    await project.write("src/App.tsx", effect("for (;;) {}"))
    begun = time.monotonic()
    capture = await look(browser, gateway, project, timeout=4.0)
    assert [issue.code for issue in capture.report.errors] == ["page-frozen"]
    assert time.monotonic() - begun < 15
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
